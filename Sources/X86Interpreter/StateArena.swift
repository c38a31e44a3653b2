internal import Glibc
internal import X86Decoder

/// The memory of one vCPU's registers, state and TLBs: one mapping, so that emitted code reaches all of it by constant displacements
/// from one register.
///
///     base - 4096 - stack   a page without access
///     base - stack          a stack for emitted code, which grows down from `base`
///     base                  what ``Core`` describes
///     base + tlbOffset      the TLBs, one per ``TLBMode``
///     base + extraOffset    what a translator keeps beside them
@safe
package final class StateArena {
    package let base: UnsafeMutableRawPointer
    private let start: UnsafeMutableRawPointer
    private let byteCount: Int

    package static let stackByteCount = 256 << 10
    static let tlbOffset = 4096
    package static let extraOffset = tlbOffset + TLBEntry.count * TLBMode.count * MemoryLayout<TLBEntry>.stride

    /// - Parameter extraByteCount: a multiple of 4096.
    package init(extraByteCount: Int = 0) {
        let page = 4096
        byteCount = page + Self.stackByteCount + Self.extraOffset + extraByteCount
        let mapping = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
            preconditionFailure("no address space for \(byteCount) bytes of a vCPU's state")
        }
        precondition(unsafe mprotect(mapping, page, PROT_NONE) == 0, "a guard page is always possible")
        unsafe start = mapping
        unsafe base = mapping + page + Self.stackByteCount
    }

    deinit { unsafe munmap(start, byteCount) }

    var tlb: UnsafeMutablePointer<TLBEntry> { unsafe (base + Self.tlbOffset).assumingMemoryBound(to: TLBEntry.self) }
}
