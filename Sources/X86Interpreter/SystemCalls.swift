internal import VirtualCPU
internal import X86
internal import X86Decoder

/// SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS and the FS and GS base instructions (SDM vol. 2, AMD64 APM vol. 3).
extension Core {
    /// What CPUID says; the two vendors differ in which modes have which calls.
    private var isAMD: Bool { shared.environment.cpuid(leaf: 0, subleaf: 0).ebx == 0x6874_7541 }

    private static func flatCode(_ selector: UInt16, _ cpl: UInt8, isLong: Bool) -> Segment {
        let size: UInt16 = isLong ? 0xa00 : 0xc00
        return Segment(selector: selector, base: 0, limit: 0xffff_ffff, attributes: 0x9b | UInt16(cpl) &<< 5 | size)
    }

    private static func flatStack(_ selector: UInt16, _ cpl: UInt8) -> Segment {
        Segment(selector: selector, base: 0, limit: 0xffff_ffff, attributes: 0xc93 | UInt16(cpl) &<< 5)
    }

    private func enterFlat(_ selector: UInt16, cpl: UInt8, isLong: Bool) {
        setSegment(1, Core.flatCode(selector & ~3 | UInt16(cpl), cpl, isLong: isLong))
        s.cpl = cpl
        updateCodeSize()
    }

    // MARK: - SYSCALL

    func systemCall(_ i: InstructionRef) throws(GuestFault) {
        guard s.efer & EFER.syscall != 0, isProtected else { throw .invalidOpcode }
        if !isLongMode || s.codeSize != .bits64 {
            guard isAMD else { throw .invalidOpcode }
        }
        let selector = UInt16(truncatingIfNeeded: s.star &>> 32) & 0xfffc
        let flags = rflags & ~RFLAGS.resume
        let next = nextRIP(i)
        if isLongMode {
            rcx = next
            setFile(11, flags)
            s.rip = s.codeSize == .bits64 ? s.lstar : s.cstar
            s.cancelsStep = s.sfmask & RFLAGS.trap != 0
            setFlagsQuietly(flags & ~s.sfmask)
        } else {
            setFile(1, next & 0xffff_ffff)
            s.rip = s.star & 0xffff_ffff
            setFlagsQuietly(flags & ~(RFLAGS.interrupt | RFLAGS.virtual8086))
        }
        setSegment(2, Core.flatStack(selector &+ 8, 0))
        enterFlat(selector, cpl: 0, isLong: isLongMode)
    }

    /// Sets RFLAGS where the caller updates the mode afterwards.
    private func setFlagsQuietly(_ value: UInt64) {
        setArithmeticFlags(value)
        s.systemFlags = value & ~RFLAGS.arithmetic & 0x3f_7fd7 | RFLAGS.fixed
        s.isStepping = value & RFLAGS.trap != 0
    }

    func systemReturn(_ i: InstructionRef) throws(GuestFault) {
        guard s.efer & EFER.syscall != 0, isProtected else { throw .invalidOpcode }
        guard isLongMode || isAMD else { throw .invalidOpcode }
        guard s.cpl == 0 else { throw .generalProtection() }
        let selector = UInt16(truncatingIfNeeded: s.star &>> 48)
        let isLong = isLongMode && i.operandSize == 8
        let target = isLong ? rcx : rcx & 0xffff_ffff
        if !Core.isCanonical(target) && !isAMD { throw .generalProtection() }
        s.rip = target
        setSegment(2, Core.flatStack((selector &+ 8) | 3, 3))
        enterFlat(isLong ? selector &+ 16 : selector, cpl: 3, isLong: isLong)
        if isLongMode {
            rflags = file(11) & 0x3c_7fd7
        } else {
            rflags = rflags | RFLAGS.interrupt
        }
    }

    // MARK: - SYSENTER

    func systemEnter(_ i: InstructionRef) throws(GuestFault) {
        guard !isLongMode || !isAMD else { throw .invalidOpcode }
        let selector = UInt16(truncatingIfNeeded: s.sysenterCS)
        guard isProtected, !Core.isNull(selector) else { throw .generalProtection() }
        clearFlags(RFLAGS.virtual8086 | RFLAGS.interrupt)
        rsp = isLongMode ? s.sysenterESP : s.sysenterESP & 0xffff_ffff
        s.rip = isLongMode ? s.sysenterEIP : s.sysenterEIP & 0xffff_ffff
        setSegment(2, Core.flatStack((selector & ~3) &+ 8, 0))
        enterFlat(selector, cpl: 0, isLong: isLongMode)
    }

    func systemExit(_ i: InstructionRef) throws(GuestFault) {
        guard !isLongMode || !isAMD else { throw .invalidOpcode }
        let selector = UInt16(truncatingIfNeeded: s.sysenterCS) & ~3
        guard isProtected, !Core.isNull(selector), s.cpl == 0 else { throw .generalProtection() }
        let isLong = i.operandSize == 8
        if isLong { guard Core.isCanonical(rcx), Core.isCanonical(rdx) else { throw .generalProtection() } }
        rsp = isLong ? rcx : rcx & 0xffff_ffff
        s.rip = isLong ? rdx : rdx & 0xffff_ffff
        setSegment(2, Core.flatStack((selector &+ (isLong ? 40 : 24)) | 3, 3))
        enterFlat(selector &+ (isLong ? 32 : 16), cpl: 3, isLong: isLong)
    }

    // MARK: - bases

    func swapGS() throws(GuestFault) {
        try requireKernel()
        let old = segment(5).base
        setBase(5, s.kernelGSBase)
        s.kernelGSBase = old
    }

    /// Changes the base of FS or GS alone.
    func setBase(_ number: Int, _ base: UInt64) {
        var value = segment(number)
        value.base = base
        setSegment(number, value)
    }

    /// F3 0F AE with registers: RDFSBASE RDGSBASE WRFSBASE WRGSBASE
    func executeBase(_ i: InstructionRef) throws(GuestFault) {
        guard s.codeSize == .bits64, s.cr4 & CR4.fsgsbase != 0 else { throw .invalidOpcode }
        let number = i.modRM & 8 == 0 ? 4 : 5
        if i.modRM & 0x10 == 0 {
            let base = segment(number).base
            return setFile(i.rmIndex, i.operandSize == 8 ? base : base & 0xffff_ffff)
        }
        let value = i.operandSize == 8 ? file(i.rmIndex) : file(i.rmIndex) & 0xffff_ffff
        guard Core.isCanonical(value) else { throw .generalProtection() }
        setBase(number, value)
    }
}
