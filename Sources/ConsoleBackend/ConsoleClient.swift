import HostIO

/// Somebody who looks at the console and types into it.
struct ConsoleClient: Sendable {
    let descriptor: Descriptor
    /// What it has been sent of the guest's output.
    var position: Int64
    /// When it last took something, or last had nothing to take.
    var lastProgress: Int64
    /// The guest no longer waits for it.
    var isStalled = false
    /// It types no more.
    private(set) var hasEndedInput = false
    /// It reads no more.
    private(set) var hasEndedOutput = false
    private var notice: ArraySlice<UInt8> = []

    init(_ descriptor: Descriptor, position: Int64, now: Int64) {
        self.descriptor = descriptor
        self.position = position
        lastProgress = now
    }

    /// Gone only when what it typed last has been taken too.
    var isGone: Bool { hasEndedInput && hasEndedOutput }

    /// Whether there is something to send to it.
    func hasOutput(_ history: OutputHistory) -> Bool { !hasEndedOutput && (position < history.end || !notice.isEmpty) }

    mutating func hangUp() { hasEndedOutput = true }

    /// Sends what the socket takes.
    ///
    /// - Returns: how many bytes of output it missed, 0 as a rule.
    mutating func send(_ history: OutputHistory, now: Int64) -> Int64 {
        var missed: Int64 = 0
        while hasOutput(history) {
            if position < history.start, notice.isEmpty {
                missed += history.start - position
                notice = Array("\r\n[martlet: \(history.start - position) bytes of console output are only in the log]\r\n".utf8)[...]
                position = history.start
            }
            let isNotice = !notice.isEmpty
            switch descriptor.send(isNotice ? notice : history.bytes(from: position)) {
            case .bytes(let count):
                if isNotice { notice = notice.dropFirst(count) } else { position += Int64(count) }
                lastProgress = now
                isStalled = false
            case .wouldBlock: return missed
            case .ended: hasEndedOutput = true
            }
        }
        return missed
    }

    /// Takes up to `limit` typed bytes. The end of its input is not the end of its interest in the output.
    mutating func receive(into bytes: inout [UInt8], limit: Int) {
        switch descriptor.read(into: &bytes, limit: limit) {
        case .bytes: break
        // One that reads no more has left, once all it typed has been taken.
        case .wouldBlock: hasEndedInput = hasEndedOutput
        case .ended: hasEndedInput = true
        }
    }
}
