internal import Synchronization

/// Says that something waits for the next instruction boundary. It lies among the registers, where emitted code looks at it too.
@safe
struct AttentionWord: @unchecked Sendable {
    private let word: UnsafeMutablePointer<Atomic<UInt32>>

    init(_ arena: StateArena) {
        unsafe word = (arena.base + Core.attentionOffset).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    @inline(__always) var isRaised: Bool { unsafe word.pointee.load(ordering: .relaxed) != 0 }
    /// From the vCPU's own thread.
    @inline(__always) func raise() { unsafe word.pointee.store(1, ordering: .relaxed) }
    /// From any thread; what was written before is seen by whoever sees it raised.
    func raiseFromOutside() { unsafe word.pointee.store(1, ordering: .sequentiallyConsistent) }
    func lower() { unsafe word.pointee.store(0, ordering: .sequentiallyConsistent) }
}
