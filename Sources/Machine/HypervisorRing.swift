import Synchronization

/// The last lines of the guest's hypervisor, as `xl dmesg` shows them: what the guest wrote to the log port, and what the
/// hypervisor has to say itself. It outlives the guest's restarts.
final class HypervisorRing: Sendable {
    /// Older text is overwritten. Escaped as JSON, twice as much still fits a control message.
    static let capacity = 16 << 10

    private struct State: Sendable {
        var bytes: [UInt8] = []
        /// Where the oldest byte stands once the buffer is full.
        var start = 0
        var hasOverflown = false
    }

    private let state = Mutex(State())

    /// Adds a line of the hypervisor's own.
    func say(_ line: String) { add("(XEN) " + line) }

    /// Adds a line as it stands. Any thread.
    func add(_ line: String) {
        state.withLock { state in
            for byte in line.utf8 { Self.append(byte, &state) }
            Self.append(UInt8(ascii: "\n"), &state)
        }
    }

    private static func append(_ byte: UInt8, _ state: inout State) {
        guard state.bytes.count == capacity else { return state.bytes.append(byte) }
        state.bytes[state.start] = byte
        state.start = (state.start + 1) % capacity
        state.hasOverflown = true
    }

    /// All whole lines that are left, the oldest first.
    ///
    /// - Parameter clears: they are forgotten.
    func text(clears: Bool = false) -> String {
        state.withLock { state in
            var bytes = Array(state.bytes[state.start...] + state.bytes[..<state.start])
            if state.hasOverflown, let end = bytes.firstIndex(of: UInt8(ascii: "\n")) { bytes.removeFirst(end + 1) }
            if clears { state = State() }
            return String(decoding: bytes, as: UTF8.self)
        }
    }
}
