internal import X86
internal import X86Decoder

/// Debug registers (SDM vol. 3B, 17.2): kept and checked; no breakpoint ever matches.
extension Core {
    private func debugNumber(_ i: InstructionRef) throws(GuestFault) -> UInt8 {
        let isAlias = i.reg == 4 || i.reg == 5
        if isAlias && s.cr4 & CR4.debuggingExtensions != 0 { throw .invalidOpcode }
        try requireKernel()
        if s.dr7 & 0x2000 != 0 {
            // General detect: the access itself traps, as a fault.
            s.dr6 |= 0x2000
            s.dr7 &= ~0x2000
            throw GuestFault(ExceptionVector.debug)
        }
        return isAlias ? i.reg &+ 2 : i.reg
    }

    func moveFromDebug(_ i: InstructionRef) throws(GuestFault) {
        let value: UInt64
        switch try debugNumber(i) {
        case 0: value = s.dr0
        case 1: value = s.dr1
        case 2: value = s.dr2
        case 3: value = s.dr3
        case 6: value = s.dr6
        default: value = s.dr7
        }
        setFile(i.rmIndex, i.codeSize == .bits64 ? value : value & 0xffff_ffff)
    }

    func moveToDebug(_ i: InstructionRef) throws(GuestFault) {
        let number = try debugNumber(i)
        let value = i.codeSize == .bits64 ? file(i.rmIndex) : file(i.rmIndex) & 0xffff_ffff
        if number >= 6 && value &>> 32 != 0 { throw .generalProtection() }
        switch number {
        case 0: s.dr0 = value
        case 1: s.dr1 = value
        case 2: s.dr2 = value
        case 3: s.dr3 = value
        case 6: s.dr6 = value & 0xe00f | 0xffff_0ff0
        default: s.dr7 = value & 0xffff_23ff | 0x400
        }
    }
}
