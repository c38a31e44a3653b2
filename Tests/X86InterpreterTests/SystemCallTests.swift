import Testing
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

@Suite struct SystemCallTests {
    private func machine() throws -> TinyMachine {
        let machine = try TinyMachine()
        // SYSRET: CS 0x2b = 0x1b + 16, SS 0x23. SYSCALL: CS 8, SS 0x10.
        machine.core.s.star = 0x001b_0008_0000_0000
        machine.core.s.lstar = TinyMachine.kernelCode
        machine.core.s.sfmask = RFLAGS.interrupt | RFLAGS.trap | RFLAGS.direction
        return machine
    }

    @Test func syscallAndSysretGoToTheKernelAndBack() throws {
        let machine = try machine()
        machine.useUser()
        machine.core.rflags = RFLAGS.fixed | RFLAGS.interrupt | RFLAGS.carry
        try machine.place([0xf4], at: TinyMachine.kernelCode)
        #expect(try machine.run([0x0f, 0x05, 0x0f, 0x0b]) == .halted)
        #expect(machine.core.rcx == TinyMachine.userCode + 2)
        #expect(machine.core.file(11) == RFLAGS.fixed | RFLAGS.interrupt | RFLAGS.carry)
        #expect(machine.cpu.privilegeLevel == 0)
        #expect(!machine.cpu.interruptsEnabled)
        #expect(machine.core.segment(1).selector == 8)
        #expect(machine.core.rsp == TinyMachine.userStack)
        // sysretq, then the user's UD2 at CPL 3.
        let taken = try #require(try machine.takenBy([0x48, 0x0f, 0x07]))
        #expect(taken.vector == 6)
        #expect(taken.rip == TinyMachine.userCode + 2)
        #expect(taken.cs == TinyMachine.userCode64)
        #expect(taken.ss == TinyMachine.userData3)
        #expect(taken.flags & (RFLAGS.interrupt | RFLAGS.carry) == RFLAGS.interrupt | RFLAGS.carry)
    }

    @Test func iretGoesToAUserAndDropsKernelSegments() throws {
        let machine = try TinyMachine()
        for (index, value) in [
            TinyMachine.userCode, UInt64(TinyMachine.userCode64), 0x202, TinyMachine.userStack, UInt64(TinyMachine.userData3),
        ]
        .enumerated() {
            try machine.store(TinyMachine.kernelStack - 40 + UInt64(index) * 8, value)
        }
        machine.core.rsp = TinyMachine.kernelStack - 40
        try machine.place([0x0f, 0x0b], at: TinyMachine.userCode)
        let taken = try #require(try machine.takenBy([0x48, 0xcf]))
        #expect(taken.rip == TinyMachine.userCode)
        #expect(taken.cs == TinyMachine.userCode64)
        #expect(taken.rsp == TinyMachine.userStack)
        #expect(taken.flags & RFLAGS.interrupt != 0)
        #expect(machine.core.segment(3).selector == 0)
    }

    @Test func iretChecksWhereItGoes() throws {
        // Not canonical, a null code selector, a user's stack that is the kernel's, an absent code segment.
        let cases: [(rip: UInt64, cs: UInt64, ss: UInt64, vector: UInt8, code: UInt32)] = [
            (1 << 63, 0x2b, 0x23, 13, 0), (0x41000, 0, 0x23, 13, 0), (0x41000, 0x2b, 0x10, 13, 0x10), (0x41000, 0x50, 0x10, 11, 0x50),
        ]
        for item in cases {
            let machine = try TinyMachine()
            let frame = [item.rip, item.cs, 2, TinyMachine.userStack, item.ss]
            for (index, value) in frame.enumerated() { try machine.store(TinyMachine.kernelStack - 40 + UInt64(index) * 8, value) }
            machine.core.rsp = TinyMachine.kernelStack - 40
            let taken = try #require(try machine.takenBy([0x48, 0xcf]))
            #expect(taken.vector == item.vector)
            #expect(taken.errorCode == item.code)
            #expect(taken.rsp == TinyMachine.kernelStack - 40)
        }
    }

    @Test func iretToCompatibilityCodeRuns32BitCode() throws {
        let machine = try TinyMachine()
        for (index, value) in [
            TinyMachine.userCode, UInt64(TinyMachine.userCode32), 2, TinyMachine.userStack, UInt64(TinyMachine.userData3),
        ]
        .enumerated() {
            try machine.store(TinyMachine.kernelStack - 40 + UInt64(index) * 8, value)
        }
        machine.core.rsp = TinyMachine.kernelStack - 40
        try machine.setGate(0x80, type: 0xee)
        // In 32-bit code: mov eax,0x12345678; int 0x80
        try machine.place([0xb8, 0x78, 0x56, 0x34, 0x12, 0xcd, 0x80], at: TinyMachine.userCode)
        let taken = try #require(try machine.takenBy([0x48, 0xcf]))
        #expect(taken.vector == 0x80)
        #expect(taken.cs == TinyMachine.userCode32)
        #expect(machine.core.rax == 0x1234_5678)
        #expect(machine.cpu.is64Bit)
    }

    @Test func aCallGateLeadsFromUserToKernelAndRetfBack() throws {
        let machine = try TinyMachine()
        // The gate names 8:8100.
        try machine.place([0x48, 0xcb], at: 0x8100)
        machine.useUser()
        machine.core.rbx = TinyMachine.userData
        try machine.store(TinyMachine.userData, UInt32(0))
        try machine.store(TinyMachine.userData + 4, TinyMachine.callGate | 3)
        // call far [rbx]; ud2
        let taken = try #require(try machine.takenBy([0xff, 0x1b, 0x0f, 0x0b]))
        #expect(taken.vector == 6)
        #expect(taken.rip == TinyMachine.userCode + 2)
        #expect(taken.rsp == TinyMachine.userStack)
    }

    @Test func swapgsAndTheBasesOfFSAndGS() throws {
        let machine = try TinyMachine()
        machine.core.s.kernelGSBase = 0x1111
        machine.core.s.cr4 |= CR4.fsgsbase
        machine.core.rax = 0xffff_8000_0000_0000
        // wrgsbase rax; swapgs; rdgsbase rbx
        #expect(try machine.run([0xf3, 0x48, 0x0f, 0xae, 0xd8, 0x0f, 0x01, 0xf8, 0xf3, 0x48, 0x0f, 0xae, 0xcb, 0xf4]) == .halted)
        #expect(machine.core.rbx == 0x1111)
        #expect(machine.core.s.kernelGSBase == 0xffff_8000_0000_0000)
    }

    @Test func modelSpecificRegistersAreCheckedAndKept() throws {
        let good: [(index: UInt32, value: UInt64)] = [
            (MSR.lstar, 0xffff_8000_1234_5678), (MSR.kernelGSBase, 0x7fff_ffff_ffff), (MSR.pat, 0x0007_0106_0007_0406),
            (MSR.star, 0x23_0010 << 32), (MSR.tscAux, 7), (0x1234, 5),
        ]
        for item in good {
            let machine = try TinyMachine()
            machine.environment.models[0x1234] = 0
            machine.core.rcx = UInt64(item.index)
            machine.core.rax = item.value & 0xffff_ffff
            machine.core.rdx = item.value >> 32
            // wrmsr; mov eax,0; mov edx,0; rdmsr; hlt
            try machine.run([0x0f, 0x30, 0xb8, 0, 0, 0, 0, 0xba, 0, 0, 0, 0, 0x0f, 0x32, 0xf4])
            #expect(try machine.taken() == nil)
            #expect(machine.core.rdx << 32 | machine.core.rax == item.value)
        }
        let bad: [(index: UInt32, value: UInt64)] = [
            (MSR.lstar, 1 << 63), (MSR.pat, 2), (MSR.tscAux, 1 << 32), (MSR.efer, 0xd00 & ~0x100), (MSR.efer, 1 << 40), (0x4321, 0),
        ]
        for item in bad {
            let machine = try TinyMachine()
            machine.core.rcx = UInt64(item.index)
            machine.core.rax = item.value & 0xffff_ffff
            machine.core.rdx = item.value >> 32
            let isKnown = item.index != 0x4321
            let taken = try machine.takenBy(isKnown ? [0x0f, 0x30, 0xf4] : [0x0f, 0x32, 0xf4])
            #expect(taken?.vector == 13)
            #expect(taken?.errorCode == 0)
        }
    }

    @Test func hypercallsAndCPUIDReachTheEnvironment() throws {
        let machine = try TinyMachine()
        machine.core.s.cr4 |= CR4.osXSAVE
        // vmcall; vmmcall; mov eax,1; cpuid; hlt
        try machine.run([0x0f, 0x01, 0xc1, 0x0f, 0x01, 0xd9, 0xb8, 1, 0, 0, 0, 0x0f, 0xa2, 0xf4])
        #expect(machine.environment.hypercalls == 2)
        #expect(machine.core.rcx & 1 << 27 != 0)
    }
}
