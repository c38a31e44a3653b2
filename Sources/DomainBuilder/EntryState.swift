internal import X86

/// vCPU 0 at the PVH entry point (Xen documentation, "x86/HVM direct boot ABI"): 32-bit protected mode, flat segments, no paging.
func entryState(entry: UInt32, startInfoAddress: UInt64) -> RegisterState {
    var state = RegisterState()
    state.rip = UInt64(entry)
    state[.rbx] = startInfoAddress
    state.rflags = RFLAGS.fixed
    state.cr0 = CR0.protection | CR0.extensionType
    let data = Segment(selector: 0, base: 0, limit: 0xffff_ffff, attributes: 0xc93)
    state[.cs] = Segment(selector: 0, base: 0, limit: 0xffff_ffff, attributes: 0xc9b)
    state[.ds] = data
    state[.es] = data
    state[.ss] = data
    state[.fs] = .null
    state[.gs] = .null
    state.ldtr = .null
    state.tr = Segment(selector: 0, base: 0, limit: 0x67, attributes: 0x8b)
    state.gdtr = DescriptorTable(base: 0, limit: 0)
    state.idtr = DescriptorTable(base: 0, limit: 0)
    return state
}
