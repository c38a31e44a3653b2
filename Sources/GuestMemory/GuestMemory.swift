internal import Glibc
internal import Synchronization

/// A page of host memory that backs guest memory: an index into one domain's pool, stable while the page is in use.
public struct FrameIndex: BitwiseCopyable, Hashable, Sendable {
    public var rawValue: UInt32
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// Told when bytes that an engine has decoded are written by somebody else. Called on the writer's thread.
public protocol CodeWriteObserver: AnyObject, Sendable {
    /// Bytes of the frame that were decoded have changed.
    func codeWritten(in frame: FrameIndex)
    /// Some engine has decoded bytes of the frame for the first time: writes to it must be noted from now on.
    func codeDecoded(in frame: FrameIndex)
    /// Another engine waits at the ``Rendezvous``: come to an instruction boundary soon.
    func rendezvousWanted()
}

/// The guest-physical memory of one domain: a pool of host pages and the p2m that maps guest frames to them.
///
/// Reads of the p2m are lock-free from any thread; changes take a lock. A change takes effect for an engine when it drops
/// its cached translations (`VirtualCPU.requestTLBFlush`), which is the changer's duty.
///
///     p2m entry (32 bits)   31 read-only | 30..0 pool frame + 1, 0 = not populated, all ones = populated at the first touch
///
/// The p2m and the pool are lazily backed mappings: host memory is used for what the guest touches.
@safe
public final class GuestMemory: @unchecked Sendable {
    /// Width of guest-physical addresses shown in CPUID 0x80000008.
    public static let physicalAddressBits = 40
    public static let pageSize = 4096
    static let frameCount = 1 << (physicalAddressBits - 12)
    static let readOnlyBit: UInt32 = 1 << 31
    /// An entry that is populated when somebody first asks for it; no pool has so many pages.
    static let onDemand: UInt32 = ~readOnlyBit

    /// Pages in the pool; what the domain may own at most, special pages included.
    public let poolPageCount: Int

    /// Base of the pool's mapping. Engines turn a frame into a host address with it.
    public let unsafePoolBase: UnsafeMutableRawPointer
    private let pool: LazyMapping
    private let p2mMapping: LazyMapping
    private let codeMapping: LazyMapping
    let p2m: UnsafeMutablePointer<Atomic<UInt32>>
    /// One word per pool page: bit n set when an engine decoded bytes in [64 n, 64 n + 64).
    let codeChunks: UnsafeMutablePointer<Atomic<UInt64>>

    /// Where engines meet when one of them has to be alone.
    public let rendezvous = Rendezvous()

    struct Allocator {
        var next: UInt32 = 0
        var free: [UInt32] = []
        var observers: [any CodeWriteObserver] = []
        var highestFrame: UInt64 = 0
        var demand = Demand(frames: 0, stock: 0)
        /// Called without the lock when a frame is touched and the stock is empty.
        var stockIsEmpty: (@Sendable (GuestFrameNumber) -> Void)?

        mutating func take(of poolPageCount: Int) -> UInt32? {
            if let recycled = free.popLast() { return recycled }
            guard Int(next) < poolPageCount else { return nil }
            next += 1
            return next - 1
        }
    }
    let allocator = Mutex(Allocator())

    /// Reserves address space for `poolPageCount` pages; no page is populated yet.
    ///
    /// - Throws: ``GuestMemoryError/hostRefused(errno:)`` when the host has no room; nothing stays reserved.
    public init(poolPageCount: Int) throws(GuestMemoryError) {
        precondition(poolPageCount > 0 && poolPageCount < 1 << 30, "a pool has between one page and 4 TiB")
        self.poolPageCount = poolPageCount
        pool = try LazyMapping(byteCount: poolPageCount * Self.pageSize)
        p2mMapping = try LazyMapping(byteCount: Self.frameCount * 4)
        codeMapping = try LazyMapping(byteCount: poolPageCount * 8)
        unsafe unsafePoolBase = pool.base
        unsafe p2m = p2mMapping.base.assumingMemoryBound(to: Atomic<UInt32>.self)
        unsafe codeChunks = codeMapping.base.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    // MARK: - p2m

    /// The p2m entry of a frame: 0 when it is not populated or beyond the address width.
    @inline(__always)
    func entry(_ frame: GuestFrameNumber) -> UInt32 {
        guard frame.rawValue < UInt64(Self.frameCount) else { return 0 }
        return unsafe p2m[Int(truncatingIfNeeded: frame.rawValue)].load(ordering: .relaxed)
    }

    /// The pool frame behind a guest frame, and whether the guest may write it; nil where nothing is populated. This is a touch:
    /// a frame that waits for its first one (``populateOnDemand(_:count:stock:)``) gets its page here.
    public func lookup(_ frame: GuestFrameNumber) -> (frame: FrameIndex, isWritable: Bool)? {
        var entry = entry(frame)
        if entry == Self.onDemand { entry = populateNow(frame) }
        return Self.decoded(entry)
    }

    @inline(__always)
    static func decoded(_ entry: UInt32) -> (frame: FrameIndex, isWritable: Bool)? {
        guard entry != 0 else { return nil }
        return (FrameIndex((entry & ~readOnlyBit) &- 1), entry & readOnlyBit == 0)
    }

    /// Host address of a pool frame, valid while the memory object lives.
    @inline(__always)
    public func unsafePointer(_ frame: FrameIndex) -> UnsafeMutableRawPointer {
        unsafe unsafePoolBase + Int(truncatingIfNeeded: frame.rawValue) &* Self.pageSize
    }

    /// Takes a zeroed page out of the pool.
    ///
    /// - Throws: ``GuestMemoryError/exhausted``.
    public func allocateFrame() throws(GuestMemoryError) -> FrameIndex {
        guard let index = allocator.withLock({ $0.take(of: poolPageCount) }) else { throw .exhausted }
        return FrameIndex(index)
    }

    /// Gives a page back. Its content is gone; no guest frame may map it any more.
    public func freeFrame(_ frame: FrameIndex) {
        noteWrite(frame, offset: 0, byteCount: Self.pageSize)
        // The host drops the page and gives a zeroed one at the next touch, so memory use follows the balloon.
        unsafe madvise(unsafePointer(frame), Self.pageSize, MADV_DONTNEED)
        allocator.withLock { $0.free.append(frame.rawValue) }
    }

    /// Maps `frame` at `gfn`, whatever was there before; the caller frees what it replaces.
    ///
    /// - Throws: ``GuestMemoryError/outOfRange(_:)``; nothing has changed then.
    public func map(_ gfn: GuestFrameNumber, to frame: FrameIndex, isWritable: Bool = true) throws(GuestMemoryError) {
        guard gfn.rawValue < UInt64(Self.frameCount) else { throw .outOfRange(gfn) }
        let entry = (frame.rawValue &+ 1) | (isWritable ? 0 : Self.readOnlyBit)
        allocator.withLock { $0.highestFrame = max($0.highestFrame, gfn.rawValue) }
        unsafe p2m[Int(gfn.rawValue)].store(entry, ordering: .releasing)
    }

    /// Unmaps a guest frame and returns the pool frame that was there, which the caller now owns; nil where nobody has touched
    /// anything yet.
    @discardableResult
    public func unmap(_ gfn: GuestFrameNumber) -> FrameIndex? {
        guard !cancelDemand(gfn), gfn.rawValue < UInt64(Self.frameCount) else { return nil }
        let old = unsafe p2m[Int(gfn.rawValue)].exchange(0, ordering: .acquiringAndReleasing)
        return Self.decoded(old)?.frame
    }

    /// Populates `count` frames from `gfn` with zeroed pages; frames that are populated stay as they are.
    ///
    /// - Throws: ``GuestMemoryError/exhausted`` or ``GuestMemoryError/outOfRange(_:)``; the frames before the failing one
    ///   stay populated.
    public func populate(_ gfn: GuestFrameNumber, count: Int = 1) throws(GuestMemoryError) {
        for index in 0..<count {
            let frame = gfn + UInt64(index)
            guard frame.rawValue < UInt64(Self.frameCount) else { throw .outOfRange(frame) }
            if entry(frame) == 0 { try map(frame, to: allocateFrame()) }
        }
    }

    /// The highest guest frame ever mapped.
    public var highestFrame: GuestFrameNumber { GuestFrameNumber(allocator.withLock { $0.highestFrame }) }

    // MARK: - engines

    /// Runs `body` while no other engine executes guest code. For an engine's own thread, inside of an instruction that has
    /// changed nothing yet: other engines may run before `body` does, so it translates and checks for itself.
    public func alone<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
        let observers = allocator.withLock { $0.observers }
        try rendezvous.alone(asking: { for observer in observers { observer.rendezvousWanted() } }, body)
    }

    /// Adds an engine's interest in decoded bytes; before the first vCPU runs.
    public func addObserver(_ observer: any CodeWriteObserver) {
        allocator.withLock { $0.observers.append(observer) }
    }

    /// Forgets all engines and what they decoded, because none of them will run again; others can be added then.
    public func removeObservers() {
        allocator.withLock { $0.observers = [] }
        for frame in 0..<poolPageCount { unsafe codeChunks[frame].store(0, ordering: .relaxed) }
    }

    public var observerCount: Int { allocator.withLock { $0.observers.count } }

    /// Says that an engine decoded bytes of the chunks in `mask` (bit n: bytes 64 n ... 64 n + 63 of the page), and tells the
    /// other engines when it is the first time.
    ///
    /// - Returns: true when no byte of the frame was marked before.
    @discardableResult
    public func markCode(_ frame: FrameIndex, chunks mask: UInt64) -> Bool {
        let old = unsafe codeChunks[Int(frame.rawValue)].bitwiseOr(mask, ordering: .sequentiallyConsistent).oldValue
        guard old == 0 else { return false }
        for observer in allocator.withLock({ $0.observers }) { observer.codeDecoded(in: frame) }
        return true
    }

    @inline(__always)
    public func codeChunkMask(_ frame: FrameIndex) -> UInt64 {
        unsafe codeChunks[Int(truncatingIfNeeded: frame.rawValue)].load(ordering: .relaxed)
    }

    public func clearCode(_ frame: FrameIndex) {
        unsafe codeChunks[Int(frame.rawValue)].store(0, ordering: .relaxed)
    }

    /// Bits of the chunks that a write touches.
    @inlinable
    public static func chunkMask(offset: Int, byteCount: Int) -> UInt64 {
        guard byteCount > 0 else { return 0 }
        let first = UInt64(truncatingIfNeeded: offset &>> 6)
        let last = UInt64(truncatingIfNeeded: (offset &+ byteCount &- 1) &>> 6)
        return (~0 &<< first) & (~0 &>> (63 &- last))
    }

    /// To be called after writing to a page by its host address, so that engines drop what they decoded there.
    public func noteWrite(_ frame: FrameIndex, offset: Int, byteCount: Int) {
        let mask = codeChunkMask(frame)
        guard mask != 0, mask & Self.chunkMask(offset: offset, byteCount: byteCount) != 0 else { return }
        for observer in allocator.withLock({ $0.observers }) { observer.codeWritten(in: frame) }
    }
}
