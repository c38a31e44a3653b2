internal import VirtualCPU
internal import X86
internal import X86Decoder

/// RDMSR, WRMSR and the time-stamp counter (SDM vol. 4; AMD64 APM vol. 2, appendix A).
extension Core {
    func readModelSpecific() throws(GuestFault) {
        try requireKernel()
        let index = register(1, as: UInt32.self)
        guard let value = ownModelSpecific(index) ?? shared.environment.readMSR(index) else { throw .generalProtection() }
        rax = value & 0xffff_ffff
        rdx = value &>> 32
    }

    /// The registers the engine itself keeps.
    private func ownModelSpecific(_ index: UInt32) -> UInt64? {
        switch index {
        case MSR.efer: s.efer
        case MSR.star: s.star
        case MSR.lstar: s.lstar
        case MSR.cstar: s.cstar
        case MSR.sfmask: s.sfmask
        case MSR.fsBase: segment(4).base
        case MSR.gsBase: segment(5).base
        case MSR.kernelGSBase: s.kernelGSBase
        case MSR.sysenterCS: s.sysenterCS
        case MSR.sysenterESP: s.sysenterESP
        case MSR.sysenterEIP: s.sysenterEIP
        case MSR.tscAux: s.tscAux
        case MSR.pat: s.pat
        default: nil
        }
    }

    func writeModelSpecific() throws(GuestFault) {
        try requireKernel()
        let index = register(1, as: UInt32.self)
        let value = rax & 0xffff_ffff | rdx &<< 32
        switch index {
        case MSR.kernelGSBase: s.kernelGSBase = try canonical(value)
        case MSR.gsBase: setBase(5, try canonical(value))
        case MSR.fsBase: setBase(4, try canonical(value))
        case MSR.efer: try setEFER(value)
        case MSR.star: s.star = value
        case MSR.lstar: s.lstar = try canonical(value)
        case MSR.cstar: s.cstar = try canonical(value)
        case MSR.sfmask: s.sfmask = value & 0xffff_ffff
        case MSR.sysenterCS: s.sysenterCS = value & 0xffff_ffff
        case MSR.sysenterESP: s.sysenterESP = try canonical(value)
        case MSR.sysenterEIP: s.sysenterEIP = try canonical(value)
        case MSR.tscAux:
            guard value &>> 32 == 0 else { throw .generalProtection() }
            s.tscAux = value
        case MSR.pat: try setPageAttributes(value)
        default:
            guard shared.environment.writeMSR(index, value) else { throw .generalProtection() }
        }
    }

    private func canonical(_ value: UInt64) throws(GuestFault) -> UInt64 {
        guard Core.isCanonical(value) else { throw .generalProtection() }
        return value
    }

    private func setEFER(_ value: UInt64) throws(GuestFault) {
        let known = EFER.syscall | EFER.longModeEnable | EFER.longModeActive | EFER.noExecute
        guard value & ~known == 0 else { throw .generalProtection() }
        let changed = (value ^ s.efer) & ~EFER.longModeActive
        if changed & EFER.longModeEnable != 0 && s.cr0 & CR0.paging != 0 { throw .generalProtection() }
        s.efer ^= changed
        if changed & EFER.noExecute != 0 { flushTLB() }
    }

    /// Eight memory types: 0, 1, 4, 5, 6 or 7 each.
    private func setPageAttributes(_ value: UInt64) throws(GuestFault) {
        for index in UInt64(0)..<8 {
            let type = (value &>> (index &* 8)) & 0xff
            guard type < 8, type != 2, type != 3 else { throw .generalProtection() }
        }
        s.pat = value
    }

    // MARK: - time stamp

    func readTimeStamp() throws(GuestFault) {
        if s.cr4 & CR4.timeStampDisable != 0 && s.cpl != 0 { throw .generalProtection() }
        let value = shared.environment.readTSC()
        rax = value & 0xffff_ffff
        rdx = value &>> 32
    }

    func readTimeStampAndProcessor() throws(GuestFault) {
        try readTimeStamp()
        rcx = s.tscAux & 0xffff_ffff
    }
}
