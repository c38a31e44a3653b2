internal import GuestMemory
internal import Synchronization
internal import VirtualCPU
internal import X86Decoder

/// What a `Core` reaches beside its registers: memory, environment, caches, and the requests of other threads.
@safe
final class InterpreterContext: @unchecked Sendable, CodeWriteObserver {
    let memory: GuestMemory
    let environment: any VirtualCPUEnvironment
    let blocks = BlockCache()
    let arena: StateArena
    let tlbBase: UnsafeMutablePointer<TLBEntry>
    /// One bit per TLB entry in use: those of global pages and the others apart, so that a flush visits no empty entry.
    let localSlots: UnsafeMutablePointer<UInt64>
    let globalSlots: UnsafeMutablePointer<UInt64>
    /// Of the vCPU's thread.
    var spaces = AddressSpaces()
    var largePages = LargePages()
    /// Frames that instructions run alone have overwritten, until the other engines know.
    private var overwritten: [FrameIndex] = []
    /// Room for one instruction that is run outside of the cache.
    let scratch: UnsafeMutablePointer<Block>
    let jumpCache: UnsafeMutablePointer<JumpCacheEntry>
    /// Not zero: something waits for the next instruction boundary.
    let attention: AttentionWord

    /// What other threads asked for.
    struct Requests {
        var flushesTLB = false
        var writtenFrames: [FrameIndex] = []
        var decodedFrames: [FrameIndex] = []
    }
    let requests = Mutex(Requests())

    /// The registers of the vCPU this belongs to; set by the interpreter right after it made both.
    unowned(unsafe) var owner: (any VirtualCPU)!
    /// Why `run` is to return, once an instruction has thrown `.leave`.
    var crash: String?

    init(memory: GuestMemory, environment: any VirtualCPUEnvironment, arena: StateArena) {
        self.memory = memory
        self.environment = environment
        let entries = TLBEntry.count * TLBMode.count
        self.arena = arena
        attention = AttentionWord(arena)
        unsafe tlbBase = arena.tlb
        unsafe localSlots = .allocate(capacity: entries / 64)
        unsafe localSlots.initialize(repeating: 0, count: entries / 64)
        unsafe globalSlots = .allocate(capacity: entries / 64)
        unsafe globalSlots.initialize(repeating: 0, count: entries / 64)
        for index in 0..<entries {
            let invalid = TLBEntry.invalidTag(slot: index & (TLBEntry.count - 1))
            unsafe (tlbBase + index).initialize(to: TLBEntry(readTag: invalid, writeTag: invalid, executeTag: invalid, addend: 0))
        }
        let scratchSize = Block.headSize + 2 * MemoryLayout<Instruction>.stride
        unsafe scratch = UnsafeMutableRawPointer.allocate(byteCount: scratchSize, alignment: 64).assumingMemoryBound(to: Block.self)
        unsafe jumpCache = .allocate(capacity: JumpCacheEntry.count)
        unsafe jumpCache.initialize(repeating: JumpCacheEntry(rip: 0, tag: 0, block: nil), count: JumpCacheEntry.count)
    }

    deinit {
        unsafe localSlots.deallocate()
        unsafe globalSlots.deallocate()
        unsafe jumpCache.deallocate()
        unsafe scratch.deallocate()
    }

    /// Drops what was decoded from a frame that the running instruction overwrites. With several vCPUs the frame is
    /// remembered: another one may decode the old bytes until the store is done.
    func overwrite(_ frame: FrameIndex) {
        blocks.dropBlocks(in: frame, memory: memory)
        if memory.observerCount > 1 { overwritten.append(frame) }
    }

    /// Tells the other engines once more, now that the stores are done.
    func finishOverwriting() {
        guard !overwritten.isEmpty else { return }
        for frame in overwritten { memory.noteWrite(frame, offset: 0, byteCount: GuestMemory.pageSize) }
        overwritten.removeAll(keepingCapacity: true)
    }

    func codeWritten(in frame: FrameIndex) {
        requests.withLock { $0.writtenFrames.append(frame) }
        attention.raiseFromOutside()
    }

    func codeDecoded(in frame: FrameIndex) {
        requests.withLock { $0.decodedFrames.append(frame) }
        attention.raiseFromOutside()
    }

    func rendezvousWanted() {
        attention.raiseFromOutside()
    }

    func requestTLBFlush() {
        requests.withLock { $0.flushesTLB = true }
        attention.raiseFromOutside()
    }
}

/// From an instruction pointer to its block, valid while the tag is that of the current mode and generation.
@safe
struct JumpCacheEntry {
    var rip: UInt64
    var tag: UInt64
    var block: UnsafeMutablePointer<Block>?

    static let count = 4096

    @inline(__always)
    static func slot(_ rip: UInt64) -> Int { Int(truncatingIfNeeded: (rip ^ (rip &>> 12)) & 4095) }
}
