/// Frames that wait, in a bounded ring of bytes. The memory comes with the first frame.
///
///     entry: byteCount u32 0 | checksum u8 4, segmentation u8 5, segment size u16 6 | time i64 8 | bytes | padding to 16
@safe
final class FrameQueue {
    private static let headerByteCount = 16
    /// In place of a byte count: the next entry is at the start of the ring.
    private static let wrapMark = UInt32.max

    private let capacity: Int
    private var memory: UnsafeMutableRawPointer?
    private var head = 0
    private var used = 0
    private(set) var frameCount = 0

    /// - Parameter byteCount: the bound, entries' headers included; room for at least one frame of any size.
    init(byteCount: Int) {
        precondition(byteCount >= 2 * (Frame.maximumByteCount + 32), "a queue holds the largest frame wherever it starts")
        capacity = byteCount & ~15
    }

    deinit { unsafe memory?.deallocate() }

    var isEmpty: Bool { frameCount == 0 }
    /// Bytes in use.
    var byteCount: Int { used }

    /// Appends a copy.
    ///
    /// - Parameter now: monotonic milliseconds, kept with the frame.
    /// - Returns: false when there is no room.
    func push(_ frame: Frame, now: Int64) -> Bool {
        let size = (Self.headerByteCount + frame.count + 15) & ~15
        var tail = (head + used) % capacity
        let toEnd = capacity - tail
        let skipped = size <= toEnd ? 0 : toEnd
        guard used + skipped + size <= capacity else { return false }
        let memory = unsafe memory ?? UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        unsafe self.memory = memory
        if skipped > 0 {
            unsafe memory.storeBytes(of: Self.wrapMark, toByteOffset: tail, as: UInt32.self)
            tail = 0
        }
        let entry = unsafe memory + tail
        unsafe entry.storeBytes(of: UInt32(frame.count), as: UInt32.self)
        unsafe entry.storeBytes(of: frame.offload.word, toByteOffset: 4, as: UInt32.self)
        unsafe entry.storeBytes(of: now, toByteOffset: 8, as: Int64.self)
        unsafe frame.copy(from: 0, count: frame.count, to: entry + Self.headerByteCount)
        used += skipped + size
        frameCount += 1
        return true
    }

    /// The oldest frame, which stays where it is until ``removeFirst()``, and when it came.
    var first: (frame: Frame, time: Int64)? {
        guard frameCount > 0, let memory = unsafe memory else { return nil }
        let entry = unsafe memory + start(memory)
        let count = unsafe Int(entry.load(as: UInt32.self))
        let offload = unsafe Offload(word: entry.load(fromByteOffset: 4, as: UInt32.self))
        let frame = unsafe Frame(entry + Self.headerByteCount, count: count, offload: offload)
        return unsafe (frame, entry.load(fromByteOffset: 8, as: Int64.self))
    }

    func removeFirst() {
        guard frameCount > 0, let memory = unsafe memory else { return }
        let start = unsafe start(memory)
        if start != head { used -= capacity - head }
        let size = unsafe (Self.headerByteCount + Int((memory + start).load(as: UInt32.self)) + 15) & ~15
        head = (start + size) % capacity
        used -= size
        frameCount -= 1
        if frameCount == 0 { (head, used) = (0, 0) }
    }

    private func start(_ memory: UnsafeMutableRawPointer) -> Int {
        unsafe (memory + head).load(as: UInt32.self) == Self.wrapMark ? 0 : head
    }
}

extension Offload {
    /// For memory of our own: checksum in the lowest byte, segmentation, segment size.
    var word: UInt32 { UInt32(checksum.rawValue) | UInt32(segmentation.rawValue) << 8 | UInt32(segmentByteCount) << 16 }

    /// Unknown values are read as the plainest ones.
    init(word: UInt32) {
        self.init(
            checksum: Checksum(rawValue: UInt8(truncatingIfNeeded: word)) ?? .unchecked,
            segmentation: Segmentation(rawValue: UInt8(truncatingIfNeeded: word >> 8)) ?? .none,
            segmentByteCount: UInt16(truncatingIfNeeded: word >> 16))
    }
}
