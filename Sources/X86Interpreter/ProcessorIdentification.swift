internal import VirtualCPU
internal import X86
internal import X86Decoder

/// CPUID and hypercalls: what the environment answers.
extension Core {
    func identifyProcessor() {
        let leaf = register(0, as: UInt32.self)
        var result = shared.environment.cpuid(leaf: leaf, subleaf: register(1, as: UInt32.self))
        if leaf == 1 {
            let bit: UInt32 = 1 &<< 27
            result.ecx = s.cr4 & CR4.osXSAVE != 0 ? result.ecx | bit : result.ecx & ~bit
        }
        setRegister(0, result.eax)
        setRegister(3, result.ebx)
        setRegister(1, result.ecx)
        setRegister(2, result.edx)
    }

    /// VMCALL and VMMCALL. `s.rip` is already the next instruction; the handler may change registers and the memory map.
    func hypercall() {
        unsafe shared.environment.hypercall(shared.owner)
    }
}
