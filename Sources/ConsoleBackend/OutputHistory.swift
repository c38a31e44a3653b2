/// The last bytes of a stream, addressed by their position in the whole stream.
struct OutputHistory: Sendable {
    let capacity: Int
    private var bytes: [UInt8] = []
    /// Position of the first byte in `bytes`, some of which may already count as gone.
    private var base: Int64 = 0

    init(capacity: Int) { self.capacity = capacity }

    /// Position behind the last byte.
    var end: Int64 { base + Int64(bytes.count) }
    /// Position of the oldest byte still kept.
    var start: Int64 { max(base, end - Int64(capacity)) }

    mutating func append(_ more: [UInt8]) {
        bytes.append(contentsOf: more)
        guard bytes.count >= 2 * capacity else { return }
        let excess = bytes.count - capacity
        bytes.removeFirst(excess)
        base += Int64(excess)
    }

    /// The bytes from `position` to the end.
    ///
    /// - Precondition: `start <= position <= end`.
    func bytes(from position: Int64) -> ArraySlice<UInt8> { bytes[Int(position - base)...] }
}
