import Synchronization

/// Turns the bytes a guest writes to the hypervisor's log port into lines of the guest's log.
///
/// A guest may write without end. Lines are cut at ``maximumLineLength`` bytes; after a burst, only ``linesPerSecond`` get
/// through, and a line tells how many did not; the ring has them all, as far as they fit. Bytes that are no printable ASCII are written as `\xHH`.
final class HypervisorLog: Sendable {
    static let maximumLineLength = 256
    static let burst = 4096
    static let linesPerSecond = 10

    private struct State: Sendable {
        var line: [UInt8] = []
        var allowance = HypervisorLog.burst
        var refilled: UInt64 = 0
        var suppressed = 0
    }

    private let state = Mutex(State())
    private let log: GuestLog
    private let ring: HypervisorRing
    private let domainID: UInt16

    /// - Parameter ring: gets every line, with the domain in front as Xen has it.
    init(_ log: GuestLog, ring: HypervisorRing, domainID: UInt16) {
        self.log = log
        self.ring = ring
        self.domainID = domainID
    }

    /// One byte of the guest. Any thread; `now` in nanoseconds of any clock that does not go back.
    func append(_ byte: UInt8, now: UInt64) {
        state.withLock { state in
            guard byte == UInt8(ascii: "\n") || state.line.count >= Self.maximumLineLength else {
                if byte != UInt8(ascii: "\r") { state.line.append(byte) }
                return
            }
            finishLine(&state, now)
            if byte != UInt8(ascii: "\n") { state.line.append(byte) }
        }
    }

    /// Writes what stands in an unfinished line.
    func flush(now: UInt64) {
        state.withLock { state in
            if !state.line.isEmpty { finishLine(&state, now) }
            reportSuppressed(&state)
        }
    }

    private func finishLine(_ state: inout State, _ now: UInt64) {
        defer { state.line.removeAll(keepingCapacity: true) }
        let line = Self.printable(state.line)
        ring.add("(d\(domainID)) \(line)")
        refill(&state, now)
        guard state.allowance > 0 else {
            state.suppressed += 1
            return
        }
        state.allowance -= 1
        reportSuppressed(&state)
        log.write("guest: \(line)")
    }

    private func reportSuppressed(_ state: inout State) {
        guard state.suppressed > 0 else { return }
        log.write("guest: \(state.suppressed) lines left out, the guest writes faster than \(Self.linesPerSecond) lines per second")
        state.suppressed = 0
    }

    private func refill(_ state: inout State, _ now: UInt64) {
        let interval = UInt64(1_000_000_000 / Self.linesPerSecond)
        let due = (now &- state.refilled) / interval
        guard due > 0 else { return }
        state.allowance = min(Self.burst, state.allowance + Int(min(due, UInt64(Self.burst))))
        state.refilled = now
    }

    static func printable(_ bytes: [UInt8]) -> String {
        var text = ""
        for byte in bytes {
            if (0x20..<0x7f).contains(byte) || byte == 9 {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return text
    }
}
