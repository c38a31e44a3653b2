import Testing
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

@Suite struct SystemModeTests {
    /// Flat 32-bit protected mode without paging.
    private func flat32() throws -> TinyMachine {
        let machine = try TinyMachine()
        var state = machine.cpu.registerState
        state.cr0 = CR0.protection | CR0.extensionType
        state.cr4 = 0
        state.efer = 0
        state.idtr.limit = 0x7ff
        machine.cpu.registerState = state
        machine.setLevel(
            Segment(selector: TinyMachine.code32, base: 0, limit: .max, attributes: 0xc9b),
            Segment(selector: TinyMachine.data, base: 0, limit: .max, attributes: 0xc93), rip: TinyMachine.kernelCode,
            rsp: TinyMachine.kernelStack)
        for vector in UInt64(0)..<256 {
            let handler = TinyMachine.handlers + vector * 16
            let gate = handler & 0xffff | UInt64(TinyMachine.code32) << 16 | 0xee00 << 32 | (handler >> 16) << 48
            try machine.store(TinyMachine.idt + vector * 8, gate)
        }
        return machine
    }

    @Test func protectedModeSwitchesToLongMode() throws {
        let machine = try flat32()
        // mov eax,0x20; mov cr4,eax; mov eax,tables; mov cr3,eax
        var code: [UInt8] = [0xb8, 0x20, 0, 0, 0, 0x0f, 0x22, 0xe0, 0xb8, 0, 0, 1, 0, 0x0f, 0x22, 0xd8]
        // mov ecx,0xc0000080; mov eax,0x100; mov edx,0; wrmsr
        code += [0xb9, 0x80, 0, 0, 0xc0, 0xb8, 0, 1, 0, 0, 0xba, 0, 0, 0, 0, 0x0f, 0x30]
        // mov eax,0x80000011; mov cr0,eax; jmp 8:8100
        code += [0xb8, 0x11, 0, 0, 0x80, 0x0f, 0x22, 0xc0, 0xea, 0x00, 0x81, 0, 0, 8, 0]
        // mov rax,0x123456789abcdef0; hlt
        try machine.place([0x48, 0xb8, 0xf0, 0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12, 0xf4], at: 0x8100)
        #expect(try machine.run(code) == .halted)
        #expect(machine.core.rax == 0x1234_5678_9abc_def0)
        #expect(machine.cpu.is64Bit)
        #expect(machine.core.s.efer & EFER.longModeActive != 0)
    }

    @Test func protectedModeDeliversThrough32BitGates() throws {
        let machine = try flat32()
        machine.core.rax = 0xffb
        // mov ds,ax
        #expect(try machine.run([0x8e, 0xd8]) == .halted)
        #expect(machine.core.s.rip == TinyMachine.handlers + 13 * 16 + 1)
        #expect(machine.core.rsp == TinyMachine.kernelStack - 16)
        #expect(try machine.load(machine.core.rsp, as: UInt32.self) == 0xff8)
        #expect(try machine.load(machine.core.rsp + 4, as: UInt32.self) == 0x8000)
        #expect(try machine.load(machine.core.rsp + 8, as: UInt32.self) == 0x40)
    }

    @Test func theTaskStateGivesAUsersInterruptItsStack() throws {
        let machine = try flat32()
        var state = machine.cpu.registerState
        state.tr = Segment(selector: TinyMachine.task, base: TinyMachine.tss, limit: 0xfff, attributes: 0x8b)
        machine.cpu.registerState = state
        try machine.store(TinyMachine.tss + 4, UInt32(0x7000))
        try machine.store(TinyMachine.tss + 8, UInt32(0x10))
        machine.setLevel(
            Segment(selector: TinyMachine.userCode32, base: 0, limit: .max, attributes: 0xcfb),
            Segment(selector: TinyMachine.userData3, base: 0, limit: .max, attributes: 0xcf3), rip: TinyMachine.userCode,
            rsp: TinyMachine.userStack)
        #expect(try machine.run([0xcd, 0x80]) == .halted)
        #expect(machine.core.rsp == 0x7000 - 20)
        let frame = try (0..<5).map { try machine.load(0x7000 - 20 + UInt64($0) * 4, as: UInt32.self) }
        #expect(frame == [0x41002, 0x1b, 2, 0x43000, 0x23])
        // The handler returns: iret.
        try machine.place([0xcf], at: machine.core.s.rip)
        try machine.place([0x0f, 0x0b], at: 0x41002)
        #expect(machine.cpu.run() == .halted)
        #expect(machine.core.s.rip == TinyMachine.handlers + 6 * 16 + 1)
    }

    @Test func realModeUsesTheInterruptVectorTable() throws {
        let machine = try TinyMachine()
        machine.cpu.registerState = RegisterState()
        machine.core.rsp = 0x1000
        machine.core.s.rip = 0x500
        machine.core.rflags = RFLAGS.fixed | RFLAGS.interrupt
        try machine.store(0x21 * 4, UInt16(0x30))
        try machine.store(0x21 * 4 + 2, UInt16(0x900))
        // At 900:30: iret. After the INT: hlt.
        try machine.place([0xf4, 0xcf], at: 0x9030)
        #expect(try machine.run([0xcd, 0x21, 0xf4]) == .halted)
        #expect(machine.core.s.rip == 0x31)
        #expect(machine.core.segment(1).selector == 0x900)
        #expect(!machine.cpu.interruptsEnabled)
        #expect(try machine.load(0xffa, as: UInt16.self) == 0x502)
        #expect(machine.cpu.run() == .halted)
        #expect(machine.core.s.rip == 0x503)
        #expect(machine.core.rsp == 0x1000)
        #expect(machine.cpu.interruptsEnabled)
    }

    @Test func stringOutputWritesEachElement() throws {
        let machine = try TinyMachine()
        try machine.place(Array("Xen".utf8), at: 0x9000)
        machine.core.rsi = 0x9000
        machine.core.rcx = 3
        machine.core.rdx = 0xe9
        // rep outsb; hlt
        #expect(try machine.run([0xf3, 0x6e, 0xf4]) == .halted)
        #expect(machine.environment.written.map { UInt8($0.value) } == Array("Xen".utf8))
        #expect(machine.core.rcx == 0)
        #expect(machine.core.rsi == 0x9003)
    }

    @Test func userInstructionsAreRefusedWithUMIP() throws {
        // sgdt [rbx], sidt [rbx], sldt eax, str eax, smsw eax
        for bytes in [[0x0f, 0x01, 0x03], [0x0f, 0x01, 0x0b], [0x0f, 0x00, 0xc0], [0x0f, 0x00, 0xc8], [0x0f, 0x01, 0xe0]] as [[UInt8]] {
            for isPrevented in [false, true] {
                let machine = try TinyMachine()
                if isPrevented { machine.core.s.cr4 |= CR4.userModeInstructionPrevention }
                machine.useUser()
                machine.core.rbx = TinyMachine.userData
                let taken = try #require(try machine.takenBy(bytes + [0x0f, 0x0b]))
                #expect(taken.vector == (isPrevented ? 13 : 6))
            }
        }
    }

    @Test func popfChangesOnlyWhatTheLevelMay() throws {
        let machine = try TinyMachine()
        machine.useUser()
        try machine.store(TinyMachine.userStack - 8, UInt64(0x3f_7ed5))
        machine.core.rsp = TinyMachine.userStack - 8
        // popf; ud2
        let taken = try #require(try machine.takenBy([0x9d, 0x0f, 0x0b]))
        #expect(taken.flags & (RFLAGS.interrupt | RFLAGS.ioPrivilege) == 0)
        #expect(taken.flags & (RFLAGS.carry | RFLAGS.nestedTask | RFLAGS.identification | RFLAGS.alignmentCheck) != 0)
        #expect(taken.flags & RFLAGS.virtual8086 == 0)
    }

    @Test func theBitmapOfTheTaskStateOpensPortsToUsers() throws {
        for (port, isOpen) in [(UInt64(0x80), true), (0x81, false), (0x7f, true)] {
            let machine = try TinyMachine()
            try machine.store(TinyMachine.tss + 0x66, UInt16(0x68))
            try machine.store(TinyMachine.tss + 0x68 + 0x10, UInt8(2))
            machine.useUser()
            machine.core.rdx = port
            // in al,dx; ud2
            let taken = try #require(try machine.takenBy([0xec, 0x0f, 0x0b]))
            #expect(taken.vector == (isOpen ? 6 : 13))
            if isOpen { #expect(machine.core.rax & 0xff == port) }
        }
    }
}
