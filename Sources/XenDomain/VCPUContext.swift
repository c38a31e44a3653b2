import X86
import XenABI

/// `vcpu_hvm_context`: the state a guest hands to VCPUOP_initialise.
enum VCPUContext {
    /// - Throws: `.invalidArgument` for a mode or a combination of registers that no vCPU can run.
    static func registers(_ wire: Wire) throws(XenError) -> RegisterState {
        guard wire.u32(4) == 0 else { throw .invalidArgument }
        switch wire.u32(0) {
        case VCPUHVMContext.mode32: return try registers32(wire)
        case VCPUHVMContext.mode64: return try registers64(wire)
        default: throw .invalidArgument
        }
    }

    /// EAX ECX EDX EBX ESP EBP ESI EDI EIP EFLAGS CR0 CR3 CR4, EFER, then bases, limits and attributes of CS DS SS ES TR.
    private static func registers32(_ wire: Wire) throws(XenError) -> RegisterState {
        let at = VCPUHVMContext.registers
        var state = RegisterState()
        for index in 0..<8 { state.general[index] = UInt64(wire.u32(at + index * 4)) }
        state.rip = UInt64(wire.u32(at + 32))
        state.rflags = UInt64(wire.u32(at + 36)) | RFLAGS.fixed
        state.cr0 = UInt64(wire.u32(at + 40)) | CR0.extensionType
        state.cr3 = UInt64(wire.u32(at + 44))
        state.cr4 = UInt64(wire.u32(at + 48))
        state.efer = wire.u64(at + 56)
        let names: [SegmentName] = [.cs, .ds, .ss, .es]
        for index in 0..<5 {
            let segment = Segment(
                selector: 0, base: UInt64(wire.u32(at + 64 + index * 4)), limit: wire.u32(at + 84 + index * 4),
                attributes: wire.u16(at + 104 + index * 2))
            if index < 4 { state[names[index]] = segment } else { state.tr = segment }
        }
        try check(state, isLong: false)
        return state
    }

    /// RAX RCX RDX RBX RSP RBP RSI RDI RIP RFLAGS CR0 CR3 CR4 EFER; the segments become flat.
    private static func registers64(_ wire: Wire) throws(XenError) -> RegisterState {
        let at = VCPUHVMContext.registers
        var state = RegisterState()
        for index in 0..<8 { state.general[index] = wire.u64(at + index * 8) }
        state.rip = wire.u64(at + 64)
        state.rflags = wire.u64(at + 72) | RFLAGS.fixed
        state.cr0 = wire.u64(at + 80) | CR0.extensionType
        state.cr3 = wire.u64(at + 88)
        state.cr4 = wire.u64(at + 96)
        state.efer = wire.u64(at + 104)
        for name in SegmentName.allCases { state[name] = Segment(selector: 0, base: 0, limit: .max, attributes: 0xc93) }
        state[.cs] = Segment(selector: 0, base: 0, limit: .max, attributes: 0xa9b)
        state.tr = Segment(selector: 0, base: 0, limit: 0x67, attributes: 0x8b)
        try check(state, isLong: true)
        state.efer |= EFER.longModeActive
        return state
    }

    private static func check(_ state: RegisterState, isLong: Bool) throws(XenError) {
        let knownEFER = EFER.syscall | EFER.longModeEnable | EFER.longModeActive | EFER.noExecute
        guard state.efer & ~knownEFER == 0, state.rflags >> 32 == 0, state.cr0 >> 32 == 0 else { throw .invalidArgument }
        let paging = CR0.paging | CR0.protection
        guard state.cr0 & CR0.paging == 0 || state.cr0 & CR0.protection != 0 else { throw .invalidArgument }
        guard isLong else {
            guard state.efer & EFER.longModeActive == 0, state[.cs].isPresent, state[.cs].isCodeOrData, state[.ss].isPresent else {
                throw .invalidArgument
            }
            return
        }
        guard state.cr0 & paging == paging, state.cr4 & CR4.physicalAddressExtension != 0, state.efer & EFER.longModeEnable != 0 else {
            throw .invalidArgument
        }
    }
}
