import GuestMemory
import Synchronization

/// A place in the domain's pool that hypervisor and guest share: a page of the hypervisor's own, or guest RAM that was
/// registered. It stays valid while the memory object lives, whatever the guest does to its map; offsets are the
/// hypervisor's and lie within the page.
@safe
struct SharedPlace: @unchecked Sendable {
    private let memory: GuestMemory
    /// Byte position in the pool.
    let position: Int

    init(_ memory: GuestMemory, _ frame: FrameIndex, offset: Int = 0) {
        self.memory = memory
        position = Int(frame.rawValue) &* GuestMemory.pageSize &+ offset
    }

    init(_ memory: GuestMemory, position: Int) {
        self.memory = memory
        self.position = position
    }

    /// The pool page the place lies in.
    var frame: FrameIndex { FrameIndex(UInt32(truncatingIfNeeded: position &>> 12)) }

    /// The place `offset` bytes further in the same page.
    func advanced(by offset: Int) -> SharedPlace { SharedPlace(memory, position: position &+ offset) }

    /// True when `byteCount` bytes lie between the place and the end of its page.
    func hasRoom(_ byteCount: Int) -> Bool { (position & 0xfff) &+ byteCount <= GuestMemory.pageSize }

    private func pointer(_ offset: Int, _ size: Int) -> UnsafeMutableRawPointer {
        precondition((position & 0xfff) &+ offset &+ size <= GuestMemory.pageSize, "a shared structure lies in one page")
        return unsafe memory.unsafePoolBase + (position &+ offset)
    }

    private func note(_ offset: Int, _ size: Int) {
        let at = position &+ offset
        memory.noteWrite(FrameIndex(UInt32(truncatingIfNeeded: at &>> 12)), offset: at & 0xfff, byteCount: size)
    }

    func load8(_ offset: Int) -> UInt8 {
        unsafe pointer(offset, 1).assumingMemoryBound(to: Atomic<UInt8>.self).pointee.load(ordering: .acquiring)
    }

    func load32(_ offset: Int) -> UInt32 {
        unsafe atomic32(offset).pointee.load(ordering: .acquiring)
    }

    func store8(_ offset: Int, _ value: UInt8) {
        unsafe pointer(offset, 1).assumingMemoryBound(to: Atomic<UInt8>.self).pointee.store(value, ordering: .releasing)
        note(offset, 1)
    }

    func exchange8(_ offset: Int, _ value: UInt8) -> UInt8 {
        defer { note(offset, 1) }
        return unsafe pointer(offset, 1).assumingMemoryBound(to: Atomic<UInt8>.self).pointee
            .exchange(value, ordering: .sequentiallyConsistent)
    }

    func store32(_ offset: Int, _ value: UInt32) {
        unsafe atomic32(offset).pointee.store(value, ordering: .sequentiallyConsistent)
        note(offset, 4)
    }

    /// Sets bits and returns what was there before.
    func or32(_ offset: Int, _ bits: UInt32) -> UInt32 {
        defer { note(offset, 4) }
        return unsafe atomic32(offset).pointee.bitwiseOr(bits, ordering: .sequentiallyConsistent).oldValue
    }

    func and32(_ offset: Int, _ bits: UInt32) -> UInt32 {
        defer { note(offset, 4) }
        return unsafe atomic32(offset).pointee.bitwiseAnd(bits, ordering: .sequentiallyConsistent).oldValue
    }

    /// Replaces `expected`; returns what was found when that was something else.
    func replace32(_ offset: Int, _ expected: UInt32, with value: UInt32) -> UInt32? {
        let result = unsafe atomic32(offset).pointee
            .compareExchange(expected: expected, desired: value, ordering: .sequentiallyConsistent)
        if result.exchanged { note(offset, 4) }
        return result.exchanged ? nil : result.original
    }

    func store64(_ offset: Int, _ value: UInt64) {
        unsafe pointer(offset, 8).storeBytes(of: value.littleEndian, as: UInt64.self)
        note(offset, 8)
    }

    func load64(_ offset: Int) -> UInt64 { unsafe UInt64(littleEndian: pointer(offset, 8).loadUnaligned(as: UInt64.self)) }

    func load16(_ offset: Int) -> UInt16 { unsafe UInt16(littleEndian: pointer(offset, 2).loadUnaligned(as: UInt16.self)) }

    func store16(_ offset: Int, _ value: UInt16) {
        unsafe pointer(offset, 2).storeBytes(of: value.littleEndian, as: UInt16.self)
        note(offset, 2)
    }

    func copy(from other: SharedPlace, byteCount: Int) {
        unsafe pointer(0, byteCount).copyMemory(from: other.pointer(0, byteCount), byteCount: byteCount)
        note(0, byteCount)
    }

    /// Zeroes the whole page the place begins.
    func clear() {
        unsafe pointer(0, GuestMemory.pageSize).initializeMemory(as: UInt8.self, repeating: 0, count: GuestMemory.pageSize)
        note(0, GuestMemory.pageSize)
    }

    func store(_ wire: Wire) {
        unsafe wire.withBytes { unsafe pointer(0, wire.count).copyMemory(from: $0.baseAddress!, byteCount: wire.count) }
        note(0, wire.count)
    }

    /// `offset` is a multiple of 4 in a structure that is at least 4-aligned.
    private func atomic32(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        unsafe pointer(offset, 4).assumingMemoryBound(to: Atomic<UInt32>.self)
    }
}
