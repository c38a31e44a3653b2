/// What a server answered and may not have put on the disk yet: writes and discards since the last flush, in the order of their answers.
/// A server that takes its place is told them again, so that nothing is lost that the guest was told of.
struct WriteJournal {
    /// Bytes kept at most. Of a guest that writes more without a flush, what was kept is forgotten.
    static let limit = 32 << 20

    enum Change {
        case write(position: UInt64, [UInt8])
        case discard(position: UInt64, byteCount: Int)

        fileprivate var size: Int { if case .write(_, let bytes) = self { bytes.count + 64 } else { 64 } }
    }

    /// The last of those that were answered.
    private(set) var changes: [Change] = []
    private var byteCount = 0
    /// How many were answered in all: what a flush that begins now covers.
    private(set) var mark = 0
    /// Those with lower numbers were forgotten, and no flush has covered them yet.
    private var forgotten = 0

    /// Whether it holds everything that may be missing on the disk.
    var isComplete: Bool { forgotten == 0 }

    mutating func note(_ change: Change) {
        mark += 1
        if byteCount + change.size > Self.limit {
            forgotten = mark - 1
            changes.removeAll()
            byteCount = 0
        }
        changes.append(change)
        byteCount += change.size
    }

    /// A flush is done that began at a mark.
    mutating func flushed(at flushMark: Int) {
        if forgotten <= flushMark { forgotten = 0 }
        let covered = max(0, changes.count - (mark - flushMark))
        byteCount -= changes[..<covered].reduce(0) { $0 + $1.size }
        changes.removeFirst(covered)
    }
}
