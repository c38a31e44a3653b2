internal import X86
internal import X86Decoder

/// Hardware task switches (SDM vol. 3A, chapter 7) are not implemented: each way into one raises the fault that a wrong
/// selector would. Long mode has none, and no kernel this is for makes them outside of a double fault in 32-bit mode.
extension Core {
    /// A task gate of the IDT.
    func enterTask(_ selector: UInt16, _ event: Event) throws(GuestFault) {
        throw .generalProtection(Core.code(selector, event.external))
    }

    /// JMP or CALL to a task gate or a TSS.
    func farTask(_ selector: UInt16, isCall: Bool, _ i: InstructionRef) throws(GuestFault) {
        throw .generalProtection(Core.code(selector))
    }

    /// IRET with NT set.
    func returnTask(_ i: InstructionRef) throws(GuestFault) {
        throw .invalidTSS(Core.code(segment(Core.tr).selector))
    }
}
