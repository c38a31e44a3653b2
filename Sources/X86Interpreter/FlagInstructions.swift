internal import Synchronization
internal import X86
internal import X86Decoder

/// CLI, STI, PUSHF, POPF, STAC, CLAC and HLT (SDM vol. 2; VME and PVI: vol. 3B, 20.3 and 20.4).
extension Core {
    /// Whether CLI and STI act on VIF instead of IF; #GP(0) where they may act on neither.
    private func actsOnVirtualFlag() throws(GuestFault) -> Bool {
        guard isProtected, s.cpl > ioPrivilege else { return false }
        let enables = isVirtual8086 ? CR4.virtual8086Extensions : CR4.protectedVirtualInterrupts
        guard s.cpl == 3, s.cr4 & enables != 0 else { throw .generalProtection() }
        return true
    }

    @inline(__always)
    func clearInterruptFlag() throws(GuestFault) {
        let isVirtual = s.cpl == 0 ? false : try actsOnVirtualFlag()
        s.systemFlags &= ~(isVirtual ? RFLAGS.virtualInterrupt : RFLAGS.interrupt)
    }

    @inline(__always)
    func setInterruptFlag() throws(GuestFault) {
        if _slowPath(s.cpl != 0), try actsOnVirtualFlag() {
            if s.systemFlags & RFLAGS.virtualInterruptPending != 0 { throw .generalProtection() }
            s.systemFlags |= RFLAGS.virtualInterrupt
            return
        }
        guard s.systemFlags & RFLAGS.interrupt == 0 else { return }
        s.systemFlags |= RFLAGS.interrupt
        s.interruptShadow = true
        if s.interruptWaits { attendSoon() }
    }

    func pushFlags(_ i: InstructionRef) throws(GuestFault) {
        var image = rflags & ~(RFLAGS.resume | RFLAGS.virtual8086)
        if isVirtual8086 && ioPrivilege < 3 {
            guard s.cr4 & CR4.virtual8086Extensions != 0, i.operandSize == 2 else { throw .generalProtection() }
            let isOpen = s.systemFlags & RFLAGS.virtualInterrupt != 0
            image = image & ~RFLAGS.interrupt | RFLAGS.ioPrivilege | (isOpen ? RFLAGS.interrupt : 0)
        }
        try pushSized(image, i.operandSize)
    }

    func popFlags(_ i: InstructionRef) throws(GuestFault) {
        let usesVIF = isVirtual8086 && ioPrivilege < 3
        if usesVIF && (s.cr4 & CR4.virtual8086Extensions == 0 || i.operandSize != 2) { throw .generalProtection() }
        var mask = changeableFlags(i.operandSize)
        var image: UInt64
        if usesVIF {
            image = try stackValue(0, 2)
            try applyVirtualInterrupt(&image, &mask)
            setStackPointer(rsp &+ 2)
        } else {
            image = try popSized(i.operandSize)
        }
        rflags = s.systemFlags & ~mask | image & mask
    }

    /// STAC and CLAC stand around every copy to or from user memory.
    @inline(__always)
    func setAccessFlag(_ isSet: Bool) throws(GuestFault) {
        guard s.cpl == 0 else { throw .invalidOpcode }
        s.systemFlags = isSet ? s.systemFlags | RFLAGS.alignmentCheck : s.systemFlags & ~RFLAGS.alignmentCheck
        updateMode()
    }

    func halt() throws(GuestFault) {
        try requireKernel()
        s.exitReason = .halted
        shared.attention.raise()
    }
}
