internal import Glibc
internal import GuestMemory
internal import PVRing

/// One request under way: the guest's pages it moves, and what remains to be done.
///
/// Kept and used again; its list of buffers is allocated once. It belongs to one thread at a time.
@safe
final class BlockTransfer: @unchecked Sendable {
    /// What the host fills or empties, in order; pages that follow each other in memory are one.
    let vectors: UnsafeMutablePointer<iovec>
    private(set) var vectorCount = 0
    /// The first buffer that is not done yet.
    private(set) var firstVector = 0
    /// Where the next byte goes on the disk.
    var position: UInt64 = 0
    /// Bytes that are not moved yet; for a discard those to be dropped.
    var remaining = 0
    /// Done one after another.
    var steps: [BlockStep] = []
    /// Holds the pages in use.
    private var pages: [GrantedPage] = []
    private var parts: [(frame: FrameIndex, offset: Int, byteCount: Int)] = []

    var queue = 0
    var id: UInt64 = 0
    var code: UInt8 = 0
    /// What it counts as.
    var statistic = BlockStep.read
    var byteCount = 0
    /// Whether later requests wait for its end.
    var isBarrier = false

    init() { unsafe vectors = .allocate(capacity: BlockRequest.indirectSegmentLimit) }
    deinit { unsafe vectors.deallocate() }

    /// Makes it ready for another request.
    func prepare(_ request: BlockRequest, queue: Int) {
        vectorCount = 0
        firstVector = 0
        position = request.sector << 9
        remaining = 0
        byteCount = 0
        steps.removeAll(keepingCapacity: true)
        isBarrier = false
        statistic = .read
        (self.queue, id, code) = (queue, request.id, request.code)
    }

    /// Adds a part of a page at the end.
    func append(_ page: GrantedPage, offset: Int, byteCount count: Int) {
        // SAFETY: the page is in use until `release()`, and offset and count were checked to stay in it.
        let start = unsafe page.memory.unsafePointer(page.frame) + offset
        pages.append(page)
        parts.append((page.frame, offset, count))
        remaining += count
        byteCount += count
        if vectorCount > 0 {
            let last = unsafe vectors[vectorCount - 1]
            if unsafe last.iov_base + last.iov_len == start {
                unsafe vectors[vectorCount - 1].iov_len += count
                return
            }
        }
        unsafe vectors[vectorCount] = iovec(iov_base: start, iov_len: count)
        vectorCount += 1
    }

    /// The buffers that are not done yet.
    var pending: (start: UnsafeMutablePointer<iovec>, count: Int32) {
        unsafe (vectors + firstVector, Int32(vectorCount - firstVector))
    }

    /// Leaves out what was moved.
    func advance(by count: Int) {
        position += UInt64(count)
        remaining -= count
        var left = count
        while left > 0 {
            let length = unsafe vectors[firstVector].iov_len
            if left < length {
                unsafe vectors[firstVector].iov_base += left
                unsafe vectors[firstVector].iov_len -= left
                return
            }
            left -= length
            firstVector += 1
        }
    }

    /// Tells the engines which of the guest's bytes were written by its reads, complete or not.
    func noteWrites(_ memory: GuestMemory) {
        for part in parts { memory.noteWrite(part.frame, offset: part.offset, byteCount: part.byteCount) }
    }

    /// Lets the pages go.
    func release() {
        pages.removeAll(keepingCapacity: true)
        parts.removeAll(keepingCapacity: true)
    }
}

/// Transfers of several buffers through one of somebody else's, `remaining` bytes long.
extension BlockTransfer {
    func gather(into target: UnsafeMutableRawPointer) {
        let pending = unsafe pending
        var done = 0
        for index in 0..<Int(unsafe pending.count) {
            let vector = unsafe pending.start[index]
            unsafe (target + done).copyMemory(from: vector.iov_base, byteCount: vector.iov_len)
            unsafe done += vector.iov_len
        }
    }

    func scatter(from source: UnsafeRawPointer) {
        let pending = unsafe pending
        var done = 0
        for index in 0..<Int(unsafe pending.count) {
            let vector = unsafe pending.start[index]
            unsafe vector.iov_base.copyMemory(from: source + done, byteCount: vector.iov_len)
            unsafe done += vector.iov_len
        }
    }
}
