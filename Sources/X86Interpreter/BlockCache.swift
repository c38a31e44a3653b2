internal import GuestMemory
internal import Glibc
internal import X86Decoder

/// Head of a decoded block; its instructions follow it in memory, closed by a row that leaves the block.
@safe
struct Block {
    /// Guest-physical pool position of the first byte: frame << 12 | offset, then the code size in bits 62-63.
    var key: UInt64
    /// False once what it was decoded from has changed. Blocks stay readable until the whole cache is dropped.
    var isValid: Bool
    /// The last instruction lies in two pages; the second one's frame is `secondFrame`.
    var crossesPage: Bool
    var instructionCount: UInt16
    var secondFrame: UInt32
    var hashNext: UnsafeMutablePointer<Block>?
    /// Next block decoded from the same frame.
    var frameNext: UnsafeMutablePointer<Block>?
    /// Successors in the same page: 0 fall-through, 1 taken.
    var link0: UnsafeMutablePointer<Block>?
    var link1: UnsafeMutablePointer<Block>?

    /// Bytes before the first instruction.
    static let headSize = 64
    static let maximumInstructions = 64
}

extension UnsafeMutablePointer<Block> {
    @inline(__always)
    var instructions: UnsafeMutablePointer<Instruction> {
        unsafe (UnsafeMutableRawPointer(self) + Block.headSize).assumingMemoryBound(to: Instruction.self)
    }
}

/// The decoded blocks of one vCPU: found by guest-physical position, dropped by frame, all thrown away when full.
@safe
final class BlockCache {
    private let arena: UnsafeMutableRawPointer
    private let capacity: Int
    private var used = 0
    private let buckets: UnsafeMutablePointer<UnsafeMutablePointer<Block>?>
    private static let bucketCount = 1 << 16
    /// First block of each frame that has any.
    private var frames: [UInt32: UnsafeMutablePointer<Block>] = unsafe [:]
    /// For each frame that blocks of other frames reach into: those frames.
    private var crossing: [UInt32: Set<UInt32>] = [:]
    /// Counts how often everything was dropped; jump caches and links from before are void.
    private(set) var flushCount = 0
    /// What runs translated code in place of decoded rows, if anything does; it holds the interpreter, so this is no owner.
    unowned(unsafe) var translation: (any TranslationHost)?

    /// - Parameter capacity: bytes for decoded instructions; address space, used as it fills.
    init(capacity: Int = 96 << 20) {
        self.capacity = capacity
        let mapping = unsafe mmap(nil, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
            preconditionFailure("no address space for \(capacity) bytes of decoded instructions")
        }
        unsafe arena = mapping
        unsafe buckets = .allocate(capacity: Self.bucketCount)
        unsafe buckets.initialize(repeating: nil, count: Self.bucketCount)
    }

    deinit {
        unsafe munmap(arena, capacity)
        unsafe buckets.deallocate()
    }

    @inline(__always)
    private static func bucket(_ key: UInt64) -> Int {
        Int(truncatingIfNeeded: (key &* 0x9e37_79b9_7f4a_7c15) &>> 48)
    }

    static func key(_ frame: FrameIndex, _ offset: Int, _ size: CodeSize) -> UInt64 {
        UInt64(frame.rawValue) &<< 12 | UInt64(truncatingIfNeeded: offset) | UInt64(size.rawValue) &<< 62
    }

    func find(_ key: UInt64) -> UnsafeMutablePointer<Block>? {
        var candidate = unsafe buckets[Self.bucket(key)]
        while let block = unsafe candidate {
            if unsafe block.pointee.key == key { return unsafe block }
            unsafe candidate = block.pointee.hashNext
        }
        return nil
    }

    /// Room for a head and `Block.maximumInstructions + 1` rows; drops everything first when the arena is full.
    func reserve() -> UnsafeMutablePointer<Block> {
        let most = Block.headSize + (Block.maximumInstructions + 1) * MemoryLayout<Instruction>.stride
        if used + most > capacity { dropAll() }
        return unsafe (arena + used).assumingMemoryBound(to: Block.self)
    }

    /// Takes a block that was written where `reserve` said, with `rows` rows.
    /// `second` is the frame its last instruction reaches into, if it does.
    func insert(_ block: UnsafeMutablePointer<Block>, rows: Int, frame: FrameIndex, second: FrameIndex?) {
        used += (Block.headSize + rows * MemoryLayout<Instruction>.stride + 63) & ~63
        let bucket = Self.bucket(unsafe block.pointee.key)
        unsafe block.pointee.hashNext = buckets[bucket]
        unsafe buckets[bucket] = block
        unsafe block.pointee.frameNext = frames[frame.rawValue]
        unsafe frames[frame.rawValue] = block
        if let second, second != frame { crossing[second.rawValue, default: []].insert(frame.rawValue) }
    }

    /// Drops every block that was decoded from a frame, and what may run into them.
    func dropBlocks(in frame: FrameIndex, memory: GuestMemory) {
        // With several vCPUs another one's blocks may live on in the frame: its mark stays, which costs slow stores only.
        if memory.observerCount <= 1 { memory.clearCode(frame) }
        unsafe translation?.dropTranslations(in: frame)
        var next = unsafe frames.removeValue(forKey: frame.rawValue)
        while let block = unsafe next {
            unsafe unlink(block)
            unsafe next = block.pointee.frameNext
        }
        for first in crossing.removeValue(forKey: frame.rawValue) ?? [] { dropBlocks(in: FrameIndex(first), memory: memory) }
    }

    private func unlink(_ block: UnsafeMutablePointer<Block>) {
        unsafe block.pointee.isValid = false
        let bucket = Self.bucket(unsafe block.pointee.key)
        guard var previous = unsafe buckets[bucket] else { return }
        if unsafe previous == block {
            unsafe buckets[bucket] = block.pointee.hashNext
            return
        }
        while let next = unsafe previous.pointee.hashNext {
            if unsafe next == block {
                unsafe previous.pointee.hashNext = block.pointee.hashNext
                return
            }
            unsafe previous = next
        }
    }

    /// Forgets every block; the frames keep their code marks, which costs a slow store each and nothing else.
    func dropAll() {
        unsafe buckets.update(repeating: nil, count: Self.bucketCount)
        unsafe frames.removeAll(keepingCapacity: true)
        crossing.removeAll(keepingCapacity: true)
        used = 0
        flushCount += 1
    }
}
