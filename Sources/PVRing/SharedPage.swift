public import GuestMemory
internal import Synchronization

/// A page that guest and backend both write, reached by its host address.
///
/// The page is looked up once. A guest that takes it out of its memory map afterwards shares what it put there last; it can
/// hurt only itself, since frames of its pool go nowhere else.
@safe
public final class SharedPage: @unchecked Sendable {
    private let memory: GuestMemory
    private let frame: FrameIndex
    private let base: UnsafeMutableRawPointer

    /// - Throws: ``GuestMemory/GuestMemoryError/notPopulated(_:)`` where the guest has no page.
    public init(_ memory: GuestMemory, _ gfn: GuestFrameNumber) throws(GuestMemoryError) {
        guard let (frame, _) = memory.lookup(gfn) else { throw .notPopulated(GuestPhysicalAddress(gfn)) }
        self.memory = memory
        self.frame = frame
        unsafe base = memory.unsafePointer(frame)
    }

    /// The word at a byte offset; a single read that later reads of the page do not overtake.
    public func word(at offset: Int) -> UInt32 {
        unsafe atomic(offset).pointee.load(ordering: .sequentiallyConsistent)
    }

    /// Stores a word after everything written to the page before.
    public func setWord(at offset: Int, to value: UInt32) {
        unsafe atomic(offset).pointee.store(value, ordering: .sequentiallyConsistent)
        memory.noteWrite(frame, offset: offset, byteCount: 4)
    }

    /// Copies bytes out of the page, each read once.
    func copy(from offset: Int, into target: UnsafeMutableRawBufferPointer) {
        precondition(offset >= 0 && offset + target.count <= GuestMemory.pageSize, "a copy stays in its page")
        guard let start = target.baseAddress else { return }
        // SAFETY: the range lies in the page; the memory object keeps the mapping.
        unsafe start.copyMemory(from: base + offset, byteCount: target.count)
    }

    func copy(_ source: UnsafeRawBufferPointer, to offset: Int) {
        precondition(offset >= 0 && offset + source.count <= GuestMemory.pageSize, "a copy stays in its page")
        guard let start = source.baseAddress else { return }
        // SAFETY: as above.
        unsafe (base + offset).copyMemory(from: start, byteCount: source.count)
        memory.noteWrite(frame, offset: offset, byteCount: source.count)
    }

    private func atomic(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        precondition(offset >= 0 && offset & 3 == 0 && offset < GuestMemory.pageSize, "a word lies aligned in its page")
        // SAFETY: aligned and inside the page; Atomic<UInt32> has the layout of UInt32.
        return unsafe (base + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
    }
}
