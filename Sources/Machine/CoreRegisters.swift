import ControlProtocol
import X86

/// One entry of `.xen_prstatus`: `vcpu_guest_context` of a 64-bit guest (Xen `public/arch-x86/xen.h`).
///
///     0 FPU (512, as FXSAVE64 stores it) | 512 flags | 520 user registers (200) | 720 trap table (4096) | 4816 LDT base, entries
///     4832 GDT frames (128), 4960 GDT entries | 4968 kernel SS, SP | 4984 CR0-7 | 5048 DR0-7
///     5112 callbacks (3), vm_assist | 5144 FS base, GS base (kernel), GS base (user)
enum CoreRegisters {
    static let contextSize = 5168
    private static let flagHasFPU: UInt64 = 1 << 0
    private static let flagOnline: UInt64 = 1 << 5
    private static let order: [GPR] = [
        .r15, .r14, .r13, .r12, .rbp, .rbx, .r11, .r10, .r9, .r8, .rax, .rcx, .rdx, .rsi, .rdi,
    ]

    static func context(_ vcpu: CoreDump.VCPU) -> [UInt8] {
        let state = vcpu.registers
        var bytes = [UInt8](repeating: 0, count: contextSize)
        func put(_ offset: Int, _ value: UInt64) { bytes.replaceSubrange(offset..<offset + 8, with: CoreLayout.little(value)) }
        if let image = vcpu.floatingPoint { bytes.replaceSubrange(0..<512, with: image.prefix(512)) }
        put(512, (vcpu.isOnline ? flagOnline : 0) | (vcpu.floatingPoint == nil ? 0 : flagHasFPU))
        for (index, value) in userRegisters(state).enumerated() { put(520 + index * 8, value) }
        put(4968, UInt64(state[.ss].selector))
        put(4976, state[.rsp])
        for (index, value) in [state.cr0, 0, state.cr2, state.cr3, state.cr4].enumerated() { put(4984 + index * 8, value) }
        for (index, value) in [state.dr0, state.dr1, state.dr2, state.dr3].enumerated() { put(5048 + index * 8, value) }
        put(5048 + 6 * 8, state.dr6)
        put(5048 + 7 * 8, state.dr7)
        put(5144, state[.fs].base)
        put(5160, state[.gs].base)
        return bytes
    }

    /// `cpu_user_regs`: general registers, error code and vector, then RIP, CS, RFLAGS, RSP, SS, ES, DS, FS, GS.
    private static func userRegisters(_ state: RegisterState) -> [UInt64] {
        order.map { state[$0] } + [0, state.rip, UInt64(state[.cs].selector), state.rflags, state[.rsp]]
            + [SegmentName.ss, .es, .ds, .fs, .gs].map { UInt64(state[$0].selector) }
    }
}

extension CoreDump {
    /// `.note.Xen`: none, header, version and format.
    func notes(pageCount: Int) -> [UInt8] {
        let magic: UInt64 = 0xf00f_ebee
        let header = [magic, UInt64(vcpus.count), UInt64(pageCount), 4096].flatMap(CoreLayout.little)
        return note(0x200_0000, []) + note(0x200_0001, header) + note(0x200_0002, versionRecord)
            + note(0x200_0003, CoreLayout.little(UInt64(1)))
    }

    private func note(_ type: UInt32, _ content: [UInt8]) -> [UInt8] {
        CoreLayout.little(UInt32(4)) + CoreLayout.little(UInt32(content.count)) + CoreLayout.little(type) + Array("Xen\0".utf8) + content
    }

    /// What XENVER told the guest; compiler, capabilities and changeset as fields of fixed length.
    private var versionRecord: [UInt8] {
        [UInt64(version.major), UInt64(version.minor)].flatMap(CoreLayout.little)
            + field(version.extra, 16) + field("", 64 + 16 + 32 + 32) + field("hvm-3.0-x86_64", 1024) + field("martlet", 64)
            + [0, 4096].flatMap { CoreLayout.little(UInt64($0)) }
    }

    private func field(_ text: String, _ size: Int) -> [UInt8] {
        let bytes = Array(text.utf8.prefix(size - 1))
        return bytes + [UInt8](repeating: 0, count: size - bytes.count)
    }
}
