import Testing
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

private typealias Machine = ProtectedMachine

/// An instruction of virtual-8086 code: whether it raises #GP(0), by IOPL and CR4.VME.
struct PrivilegeCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var bytes: [UInt8]
    /// With IOPL 0, and with IOPL 0 and VME.
    var faults: Bool
    var faultsWithVME: Bool
}

@Suite("Virtual-8086 mode") struct Virtual8086Tests {
    static let privileges: [PrivilegeCase] = [
        PrivilegeCase(testDescription: "cli", bytes: [0xfa], faults: true, faultsWithVME: false),
        PrivilegeCase(testDescription: "sti", bytes: [0xfb], faults: true, faultsWithVME: false),
        PrivilegeCase(testDescription: "pushf", bytes: [0x9c], faults: true, faultsWithVME: false),
        PrivilegeCase(testDescription: "popf", bytes: [0x9d], faults: true, faultsWithVME: false),
        PrivilegeCase(testDescription: "pushfd", bytes: [0x66, 0x9c], faults: true, faultsWithVME: true),
        PrivilegeCase(testDescription: "popfd", bytes: [0x66, 0x9d], faults: true, faultsWithVME: true),
        PrivilegeCase(testDescription: "iretd", bytes: [0x66, 0xcf], faults: true, faultsWithVME: true),
        PrivilegeCase(testDescription: "hlt", bytes: [0xf4], faults: true, faultsWithVME: true),
        PrivilegeCase(testDescription: "mov eax,cr0", bytes: [0x0f, 0x20, 0xc0], faults: true, faultsWithVME: true),
        PrivilegeCase(testDescription: "nop", bytes: [0x90], faults: false, faultsWithVME: false),
        PrivilegeCase(testDescription: "push ds", bytes: [0x1e], faults: false, faultsWithVME: false),
    ]

    @Test("IOPL below 3 guards the interrupt flag; VME gives it a virtual one", arguments: privileges, [false, true])
    func privilege(item: PrivilegeCase, hasVME: Bool) throws {
        let machine = try Machine()
        if hasVME { machine.core.s.cr4 |= CR4.virtual8086Extensions }
        machine.useVirtual8086(ioPrivilege: 0)
        // Behind it: ud2
        let taken = try #require(try machine.takenBy(item.bytes + [0x0f, 0x0b]))
        if hasVME ? item.faultsWithVME : item.faults {
            #expect(taken.vector == 13)
            #expect(taken.errorCode == 0)
            #expect(taken.eip == 0)
        } else {
            #expect(taken.vector == 6)
            #expect(taken.eip == UInt32(item.bytes.count))
        }
        #expect(taken.flags & RFLAGS.virtual8086 != 0)
    }

    @Test func anInterruptLeavesTheSegmentsOnTheKernelsStackAndIRETBringsThemBack() throws {
        let machine = try Machine()
        machine.useVirtual8086(ioPrivilege: 3)
        for (number, selector) in [(0, UInt16(0x111)), (3, 0x333), (4, 0x444), (5, 0x555)] {
            machine.core.setSegment(number, machine.core.paragraphSegment(number, selector))
        }
        // int 40h; nop; hlt (faults)
        #expect(try machine.run([0xcd, 0x40, 0x90, 0xf4]) == .halted)
        #expect(machine.core.s.rip == Machine.handlers + 0x40 * 16 + 1)
        #expect(machine.core.rsp == Machine.stack - 36)
        let frame = try (0..<9).map { try machine.load(Machine.stack - 36 + UInt64($0) * 4, as: UInt32.self) }
        #expect(frame[0] == 2)
        #expect(frame[1] == 0x800)
        #expect(UInt64(frame[2]) == RFLAGS.fixed | RFLAGS.virtual8086 | RFLAGS.ioPrivilege)
        #expect(Array(frame[3...]) == [0x100, 0x700, 0x111, 0x333, 0x444, 0x555])
        for number in [0, 3, 4, 5] { #expect(machine.core.segment(number).selector == 0) }
        #expect(!machine.core.isVirtual8086)
        // The handler returns: iretd
        try machine.place([0xcf], at: machine.core.s.rip)
        #expect(machine.cpu.run() == .halted)
        let taken = try #require(try machine.taken())
        #expect(taken.vector == 13)
        #expect(taken.eip == 3)
        #expect(taken.cs == 0x800)
        let segments = try (5..<9).map { try machine.load(machine.core.rsp + 4 + UInt64($0) * 4, as: UInt32.self) }
        #expect(segments == [0x111, 0x333, 0x444, 0x555])
    }

    @Test func segmentsAreParagraphsAndAddressesWrapAt64KiB() throws {
        let machine = try Machine()
        machine.useVirtual8086(ioPrivilege: 0)
        try machine.store(0x1_2340 + 0x10, UInt16(0xabcd))
        machine.core.rbx = 0x10
        // mov ax,1234h; mov ds,ax; mov cx,[bx]; mov dx,[0ffffh] faults: beyond the limit
        let taken = try #require(
            try machine.takenBy([0xb8, 0x34, 0x12, 0x8e, 0xd8, 0x8b, 0x0f, 0x8b, 0x16, 0xff, 0xff]))
        #expect(machine.core.rcx == 0xabcd)
        #expect(taken.vector == 13)
        #expect(taken.eip == 7)
    }

    @Test func selectorInstructionsDoNotExist() throws {
        // sldt ax, verr ax, lar ax,bx, lsl ax,bx, arpl ax,bx
        for bytes in [[0x0f, 0x00, 0xc0], [0x0f, 0x00, 0xe0], [0x0f, 0x02, 0xc3], [0x0f, 0x03, 0xc3], [0x63, 0xd8]] as [[UInt8]] {
            let machine = try Machine()
            machine.useVirtual8086(ioPrivilege: 3)
            #expect(try machine.takenBy(bytes)?.vector == 6)
        }
    }

    @Test func portsAreAskedOfTheBitmapWhateverIOPLSays() throws {
        for (port, isOpen) in [(UInt64(0x80), true), (0x81, false)] {
            let machine = try Machine()
            try machine.store(Machine.taskA + 0x88 + 0x10, UInt8(2))
            machine.useVirtual8086(ioPrivilege: 3)
            machine.core.rdx = port
            // in al,dx; ud2
            #expect(try machine.takenBy([0xec, 0x0f, 0x0b])?.vector == (isOpen ? 6 : 13))
        }
    }

    // MARK: - VME

    private func extended(ioPrivilege: UInt64, flags: UInt64 = 0) throws -> Machine {
        let machine = try Machine()
        machine.core.s.cr4 |= CR4.virtual8086Extensions
        machine.useVirtual8086(ioPrivilege: ioPrivilege, flags: flags)
        // 8086 handler of vector 21 at 900:20.
        try machine.store(0x21 * 4, UInt32(0x0900_0020))
        return machine
    }

    @Test func theRedirectionBitmapSendsAnINTToThe8086ProgramItself() throws {
        // With IOPL 3 the flags are pushed as they are; below, VIF shows as IF with IOPL 3.
        for (level, flags, pushed) in [
            (UInt64(3), RFLAGS.interrupt, UInt16(0x3202)), (0, RFLAGS.virtualInterrupt, 0x3202), (0, RFLAGS.interrupt, 0x3002),
        ] {
            let machine = try extended(ioPrivilege: level, flags: flags)
            // ud2 in the handler
            try machine.place([0x0f, 0x0b], at: 0x9020)
            let taken = try #require(try machine.takenBy([0xcd, 0x21]))
            #expect(taken.vector == 6)
            #expect(taken.cs == 0x900)
            #expect(taken.eip == 0x20)
            let stack = try (0..<3).map { try machine.load(0x7000 + 0xfa + UInt64($0) * 2, as: UInt16.self) }
            #expect(stack == [2, 0x800, pushed])
            // IF closes at IOPL 3, VIF below.
            #expect(taken.flags & (level == 3 ? RFLAGS.interrupt : RFLAGS.virtualInterrupt) == 0)
            if level == 0 { #expect(taken.flags & RFLAGS.interrupt == flags & RFLAGS.interrupt) }
        }
    }

    @Test func aSetBitOfTheBitmapKeepsTheINTForTheMonitor() throws {
        for (level, vector) in [(UInt64(3), UInt8(0x21)), (0, 13)] {
            let machine = try extended(ioPrivilege: level)
            try machine.store(Machine.taskA + 0x88 - 32 + 4, UInt8(2))
            try machine.run([0xcd, 0x21])
            #expect(machine.core.s.rip == Machine.handlers + UInt64(vector) * 16 + 1)
        }
    }

    @Test func withoutVMEThereIsNoRedirection() throws {
        for (level, vector) in [(UInt64(3), UInt8(0x21)), (0, 13)] {
            let machine = try Machine()
            machine.useVirtual8086(ioPrivilege: level)
            try machine.run([0xcd, 0x21])
            #expect(machine.core.s.rip == Machine.handlers + UInt64(vector) * 16 + 1)
        }
    }

    @Test func stiCLIPushfAndPopfActOnTheVirtualFlag() throws {
        let machine = try extended(ioPrivilege: 0)
        // sti; pushf; pop ax; cli; pushf; pop bx; push ax; popf; ud2
        let taken = try #require(try machine.takenBy([0xfb, 0x9c, 0x58, 0xfa, 0x9c, 0x5b, 0x50, 0x9d, 0x0f, 0x0b]))
        #expect(machine.core.rax == 0x3202)
        #expect(machine.core.rbx == 0x3002)
        #expect(taken.vector == 6)
        #expect(taken.flags & RFLAGS.virtualInterrupt != 0)
        #expect(taken.flags & (RFLAGS.interrupt | RFLAGS.ioPrivilege) == 0)
    }

    @Test func openingTheVirtualFlagWhileAnInterruptWaitsFaults() throws {
        for bytes in [[0xfb], [0x9d], [0xcf]] as [[UInt8]] {
            let machine = try extended(ioPrivilege: 0, flags: RFLAGS.virtualInterruptPending)
            for offset in UInt64(0)..<3 { try machine.store(0x7100 + offset * 2, UInt16(0x202)) }
            let taken = try #require(try machine.takenBy(bytes))
            #expect(taken.vector == 13)
            #expect(taken.eip == 0)
        }
    }

    @Test func iretOfTheProgramItselfRestoresVIF() throws {
        let machine = try extended(ioPrivilege: 0)
        for (offset, value) in [UInt16(0x30), 0x900, 0x202].enumerated() { try machine.store(0x7100 + UInt64(offset) * 2, value) }
        try machine.place([0x0f, 0x0b], at: 0x9030)
        let taken = try #require(try machine.takenBy([0xcf]))
        #expect(taken.vector == 6)
        #expect(taken.cs == 0x900)
        #expect(taken.eip == 0x30)
        #expect(taken.flags & RFLAGS.virtualInterrupt != 0)
        #expect(taken.flags & RFLAGS.interrupt == 0)
    }

    // MARK: - PVI

    @Test func protectedModeVirtualInterruptsGiveUsersAFlagOfTheirOwn() throws {
        for (hasPVI, bytes, vector) in [
            (false, [0xfb], UInt8(13)), (true, [0xfb], 6), (false, [0xfa], 13), (true, [0xfa], 6),
        ] as [(Bool, [UInt8], UInt8)] {
            let machine = try Machine()
            if hasPVI { machine.core.s.cr4 |= CR4.protectedVirtualInterrupts }
            machine.useUser()
            let taken = try #require(try machine.takenBy(bytes + [0x0f, 0x0b]))
            #expect(taken.vector == vector)
            #expect((taken.flags & RFLAGS.virtualInterrupt != 0) == (hasPVI && bytes == [0xfb]))
            #expect(taken.flags & RFLAGS.interrupt == 0)
        }
        let pending = try Machine()
        pending.core.s.cr4 |= CR4.protectedVirtualInterrupts
        pending.useUser()
        pending.core.rflags = RFLAGS.fixed | RFLAGS.virtualInterruptPending
        #expect(try pending.takenBy([0xfb])?.vector == 13)
    }
}
