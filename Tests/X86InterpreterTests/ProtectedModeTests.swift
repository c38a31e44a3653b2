import Testing
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

private typealias Machine = ProtectedMachine

/// A selector and what LAR, LSL, VERR and VERW say of it to CPL 0.
struct SelectorCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var selector: UInt16
    /// nil: ZF is clear and the register keeps its value.
    var rights: UInt32?
    var limit: UInt32?
    var isReadable = false
    var isWritable = false
}

@Suite("16- and 32-bit protected mode") struct ProtectedModeTests {
    // MARK: - looking at descriptors

    static let selectors: [SelectorCase] = [
        SelectorCase(testDescription: "null", selector: 0),
        SelectorCase(testDescription: "beyond the table", selector: 0xff8),
        SelectorCase(testDescription: "data", selector: Machine.data, rights: 0xcf_9300, limit: .max, isReadable: true, isWritable: true),
        SelectorCase(
            testDescription: "data of 16 bits", selector: Machine.data16, rights: 0x9300, limit: 0xffff, isReadable: true, isWritable: true),
        SelectorCase(testDescription: "code", selector: Machine.code32, rights: 0xcf_9b00, limit: .max, isReadable: true),
        SelectorCase(testDescription: "execute-only code", selector: Machine.executeOnlyCode, rights: 0xcf_9900, limit: .max),
        SelectorCase(testDescription: "read-only data", selector: Machine.readOnlyData, rights: 0xcf_9100, limit: .max, isReadable: true),
        SelectorCase(
            testDescription: "absent data", selector: Machine.absentData, rights: 0xcf_1300, limit: .max, isReadable: true, isWritable: true
        ),
        SelectorCase(testDescription: "data asked for at RPL 3", selector: Machine.data | 3),
        SelectorCase(
            testDescription: "conforming code at RPL 3", selector: Machine.conformingCode | 3, rights: 0xcf_9f00, limit: .max,
            isReadable: true),
        SelectorCase(testDescription: "busy TSS", selector: Machine.selectorA, rights: 0x8b00, limit: 0x1ff),
        SelectorCase(testDescription: "16-bit TSS", selector: Machine.selector16, rights: 0x8100, limit: 0x2b),
        SelectorCase(testDescription: "LDT", selector: Machine.localTable, rights: 0x8200, limit: 0xf),
        SelectorCase(testDescription: "task gate", selector: Machine.taskGate, rights: 0xe500),
        SelectorCase(testDescription: "16-bit call gate", selector: Machine.callGate16, rights: 0xe400),
        SelectorCase(testDescription: "32-bit call gate", selector: Machine.callGate32, rights: 0xec00),
    ]

    @Test("LAR, LSL, VERR and VERW say what a selector may be used for", arguments: selectors)
    func descriptors(item: SelectorCase) throws {
        // lar ecx,eax; lsl ecx,eax; verr ax; verw ax
        let codes: [[UInt8]] = [[0x0f, 0x02, 0xc8], [0x0f, 0x03, 0xc8], [0x0f, 0x00, 0xe0], [0x0f, 0x00, 0xe8]]
        let zeros = [item.rights != nil, item.limit != nil, item.isReadable, item.isWritable]
        let values = [item.rights, item.limit, nil, nil]
        for (index, code) in codes.enumerated() {
            let machine = try Machine()
            machine.core.rax = UInt64(item.selector)
            machine.core.rcx = 0x5555
            machine.core.rflags = RFLAGS.fixed | RFLAGS.carry | (zeros[index] ? 0 : RFLAGS.zero)
            #expect(try machine.run(code + [0xf4]) == .halted)
            #expect(machine.core.s.rip == Machine.code + 4)
            #expect(machine.core.rflags == RFLAGS.fixed | RFLAGS.carry | (zeros[index] ? RFLAGS.zero : 0))
            #expect(machine.core.rcx == UInt64(values[index] ?? 0x5555))
        }
    }

    @Test func a16BitLARGivesTheLowHalf() throws {
        let machine = try Machine()
        machine.core.rax = UInt64(Machine.data)
        machine.core.rcx = 0xaaaa_5555
        // lar cx,ax
        try machine.run([0x66, 0x0f, 0x02, 0xc8, 0xf4])
        #expect(machine.core.rcx == 0xaaaa_9300)
    }

    @Test func gatesOfLongModeAreOthers() throws {
        // 16-bit TSS and task gate have no rights there; LAR eax, ecx
        for (type, isKnown) in [(UInt64(0x81), false), (0x85, false), (0x82, true), (0x8c, true), (0x8e, false)] {
            let machine = try TinyMachine()
            try machine.store(TinyMachine.gdt + 0x60, type << 40)
            machine.core.rcx = 0x60
            #expect(try machine.run([0x0f, 0x02, 0xc1, 0xf4]) == .halted)
            #expect(machine.core.zeroFlag == isKnown)
        }
    }

    @Test func arplRaisesTheRequestedLevelToThatOfTheSecondOperand() throws {
        for (first, second, result, zero) in [
            (UInt64(0x10), UInt64(0x23), UInt64(0x13), true), (0x13, 0x23, 0x13, false), (0x12, 0x21, 0x12, false),
            (0x11, 0x8a, 0x12, true),
        ] {
            let machine = try Machine()
            machine.core.rax = first
            machine.core.rbx = second
            // arpl ax,bx; and the same in memory: arpl [esi],bx
            machine.core.rsi = 0x9800
            try machine.store(0x9800, UInt16(first))
            #expect(try machine.run([0x63, 0xd8, 0xf4]) == .halted)
            #expect(machine.core.rax == result)
            #expect(machine.core.zeroFlag == zero)
            machine.useKernel()
            try machine.run([0x63, 0x1e, 0xf4])
            #expect(try machine.load(0x9800, as: UInt16.self) == UInt16(result))
        }
    }

    // MARK: - gates of 16 bits

    @Test func a16BitInterruptGatePushesWords() throws {
        let machine = try Machine()
        try machine.setGate(0x40, type: 0xe6, selector: Machine.code16)
        // A 16-bit gate has 16 bits of offset: the handler lies at 0440. hlt; iret
        try machine.place([0xf4, 0xcf], at: (Machine.handlers + 0x400) & 0xffff)
        machine.use16Bit()
        machine.core.rflags = RFLAGS.fixed | RFLAGS.interrupt | RFLAGS.carry
        #expect(try machine.run([0xcd, 0x40, 0xf4]) == .halted)
        #expect(machine.core.s.rip == 0x401)
        #expect(machine.core.rsp == Machine.stack - 6)
        let frame = try (0..<3).map { try machine.load(Machine.stack - 6 + UInt64($0) * 2, as: UInt16.self) }
        #expect(frame == [UInt16(Machine.code) + 2, Machine.code16, 0x203])
        #expect(!machine.cpu.interruptsEnabled)
        #expect(machine.cpu.run() == .halted)
        #expect(machine.core.s.rip == Machine.code + 3)
        #expect(machine.core.rsp == Machine.stack)
        #expect(machine.cpu.interruptsEnabled)
    }

    @Test func a16BitTrapGateKeepsInterruptsOpenAndHasAnErrorCodeOfAWord() throws {
        let machine = try Machine()
        try machine.setGate(13, type: 0x87, selector: Machine.code16)
        try machine.place([0xf4], at: 0xd0)
        machine.use16Bit()
        machine.core.rflags = RFLAGS.fixed | RFLAGS.interrupt
        machine.core.rax = 0xffb
        // mov ds,ax
        #expect(try machine.run([0x8e, 0xd8]) == .halted)
        #expect(machine.core.s.rip == 0xd1)
        #expect(machine.cpu.interruptsEnabled)
        #expect(machine.core.rsp == Machine.stack - 8)
        #expect(try machine.load(Machine.stack - 8, as: UInt16.self) == 0xff8)
    }

    @Test func aUserFallsThroughA16BitGateOntoTheStackOfThe32BitTSS() throws {
        let machine = try Machine()
        try machine.setGate(0x40, type: 0xe6, selector: Machine.code16)
        try machine.place([0xf4], at: 0x400)
        machine.useUser()
        #expect(try machine.run([0xcd, 0x40]) == .halted)
        let frame = try (0..<5).map { try machine.load(Machine.stack - 10 + UInt64($0) * 2, as: UInt16.self) }
        // 16 bits of each: the user's EIP 41002 and ESP 43000 lose their upper halves.
        #expect(frame == [0x1002, Machine.userCode32, 2, 0x3000, Machine.userData])
    }

    @Test func callGatesCopyParametersToTheInnerStack() throws {
        let machine = try Machine()
        // The gate takes two parameters of 32 bits. Behind it: retf 8
        try machine.place([0xf4, 0xca, 8, 0], at: Machine.codeB)
        machine.useUser()
        // push 1; push 2; call gate; hlt (faults at CPL 3)
        try machine.run([0x6a, 1, 0x6a, 2] + Machine.far(0x9a, Machine.callGate32 | 3) + [0xf4])
        #expect(machine.core.s.rip == Machine.codeB + 1)
        #expect(machine.cpu.privilegeLevel == 0)
        let frame = try (0..<6).map { try machine.load(Machine.stack - 24 + UInt64($0) * 4, as: UInt32.self) }
        #expect(
            frame == [
                UInt32(Machine.userCode) + 11, UInt32(Machine.userCode32), 2, 1, UInt32(Machine.userStack) - 8, UInt32(Machine.userData),
            ])
        #expect(machine.cpu.run() == .halted)
        let taken = try #require(try machine.taken())
        #expect(taken.vector == 13)
        #expect(taken.eip == UInt32(Machine.userCode) + 11)
        // The frame of #GP holds the user's stack pointer: both stacks let go of the parameters.
        #expect(try machine.load(Machine.stack - 8, as: UInt32.self) == UInt32(Machine.userStack))
    }

    @Test func a16BitCallGateLeadsTo16BitCode() throws {
        let machine = try Machine()
        try machine.place([0xf4, 0xcb], at: Machine.codeB)
        #expect(try machine.run(Machine.far(0x9a, Machine.callGate16)) == .halted)
        #expect(machine.core.s.codeSize == .bits16)
        #expect(machine.core.rsp == Machine.stack - 4)
        #expect(try machine.load(Machine.stack - 4, as: UInt16.self) == UInt16(Machine.code) + 7)
        #expect(try machine.load(Machine.stack - 2, as: UInt16.self) == Machine.code32)
        try machine.place([0xf4], at: Machine.code + 7)
        #expect(machine.cpu.run() == .halted)
        #expect(machine.core.s.rip == Machine.code + 8)
        #expect(machine.core.s.codeSize == .bits32)
    }

    // MARK: - PAE

    /// PAE tables: four directory pointers at 12000, of which the first leads to a large page at 0.
    private func usePAE(_ machine: Machine, pointers: [UInt64] = [0x13001, 0, 0, 0]) throws {
        for (index, value) in pointers.enumerated() { try machine.store(0x12000 + UInt64(index) * 8, value) }
        try machine.store(0x13000, UInt64(0x87))
        machine.core.s.cr4 |= CR4.physicalAddressExtension
        machine.core.rbx = 0x12000
        machine.core.rax = CR0.protection | CR0.extensionType | CR0.numericError | CR0.paging
    }

    /// mov cr3,ebx; mov cr0,eax; hlt
    private static let turnOn: [UInt8] = [0x0f, 0x22, 0xdb, 0x0f, 0x22, 0xc0, 0xf4]

    @Test("Reserved bits of a present directory pointer refuse it", arguments: [1, 2, 5, 6, 7, 8, 40, 52, 63])
    func reservedBits(bit: UInt64) throws {
        for (index, pointer) in [(0, UInt64(0x13001)), (3, 0x13001), (3, 0x13000)] {
            let machine = try Machine()
            var pointers: [UInt64] = [0x13001, 0, 0, 0]
            pointers[index] = pointer | 1 << bit
            try usePAE(machine, pointers: pointers)
            let taken = try machine.takenBy(Self.turnOn)
            if pointer & 1 != 0 {
                #expect(taken?.vector == 13)
                #expect(taken?.eip == UInt32(Machine.code) + 3)
                #expect(machine.core.s.cr0 & CR0.paging == 0)
            } else {
                // What is not present has no reserved bits.
                #expect(taken == nil)
                #expect(machine.core.s.rip == Machine.code + 7)
            }
        }
    }

    @Test func directoryPointersAreReadWhenCR3IsLoadedAndNotLater() throws {
        let machine = try Machine()
        try usePAE(machine)
        #expect(try machine.run(Self.turnOn) == .halted)
        #expect(machine.core.s.pdpte0 == 0x13001)
        // Their memory changes: nothing happens before the next load of CR3.
        try machine.store(0x12000, UInt64(0))
        machine.core.rsi = 0x9000
        // mov ecx,[esi]; invlpg [esi]; mov ecx,[esi]; hlt
        #expect(try machine.run([0x8b, 0x0e, 0x0f, 0x01, 0x3e, 0x8b, 0x0e, 0xf4]) == .halted)
        #expect(try machine.taken() == nil)
        try machine.store(0x12000, UInt64(0x13003))
        // mov cr3,ebx: a reserved bit; the old entries stay.
        let taken = try #require(try machine.takenBy([0x0f, 0x22, 0xdb]))
        #expect(taken.vector == 13)
        #expect(machine.core.s.pdpte0 == 0x13001)
    }

    @Test func anAbsentDirectoryPointerIsAPageFault() throws {
        let machine = try Machine()
        try usePAE(machine)
        #expect(try machine.run(Self.turnOn) == .halted)
        machine.core.rsi = 0x4000_0000
        let taken = try #require(try machine.takenBy([0x8b, 0x0e]))
        #expect(taken.vector == 14)
        #expect(taken.errorCode == 0)
        #expect(machine.core.s.cr2 == 0x4000_0000)
    }

    // MARK: - SYSENTER

    private func withSysenter() throws -> Machine {
        let machine = try Machine()
        machine.core.s.sysenterCS = UInt64(Machine.code32)
        machine.core.s.sysenterEIP = Machine.codeB
        machine.core.s.sysenterESP = Machine.stackB
        return machine
    }

    @Test func sysenterAndSysexitGoToTheKernelAndBack() throws {
        let machine = try withSysenter()
        machine.useUser()
        machine.core.rflags = RFLAGS.fixed | RFLAGS.interrupt
        // In the kernel: hlt; sysexit
        try machine.place([0xf4, 0x0f, 0x35], at: Machine.codeB)
        #expect(try machine.run([0x0f, 0x34, 0x0f, 0x0b]) == .halted)
        #expect(machine.core.s.rip == Machine.codeB + 1)
        #expect(machine.core.rsp == Machine.stackB)
        #expect(machine.cpu.privilegeLevel == 0)
        #expect(!machine.cpu.interruptsEnabled)
        #expect(machine.core.segment(1) == Segment(selector: 0x08, base: 0, limit: .max, attributes: 0xc9b))
        #expect(machine.core.segment(2) == Segment(selector: 0x10, base: 0, limit: .max, attributes: 0xc93))
        machine.core.rdx = Machine.userCode + 2
        machine.core.rcx = Machine.userStack
        #expect(machine.cpu.run() == .halted)
        let taken = try #require(try machine.taken())
        #expect(taken.vector == 6)
        #expect(taken.eip == UInt32(Machine.userCode) + 2)
        #expect(taken.cs == Machine.userCode32)
        #expect(try machine.load(Machine.stack - 4, as: UInt32.self) == UInt32(Machine.userData))
        #expect(try machine.load(Machine.stack - 8, as: UInt32.self) == UInt32(Machine.userStack))
    }

    @Test func sysenterNeedsACodeSegmentAndSysexitTheKernel() throws {
        let machine = try withSysenter()
        machine.core.s.sysenterCS = 3
        #expect(try machine.takenBy([0x0f, 0x34])?.vector == 13)
        let exit = try withSysenter()
        exit.core.s.sysenterCS = 0
        #expect(try exit.takenBy([0x0f, 0x35])?.vector == 13)
        let user = try withSysenter()
        user.useUser()
        #expect(try user.takenBy([0x0f, 0x35])?.vector == 13)
    }

    @Test func sysenterLeavesVirtual8086Mode() throws {
        let machine = try withSysenter()
        machine.useVirtual8086(ioPrivilege: 0)
        #expect(try machine.run([0x0f, 0x34]) == .halted)
        #expect(machine.core.s.rip == Machine.codeB + 1)
        #expect(!machine.core.isVirtual8086)
    }

    // MARK: - vector code

    @Test func vectorInstructionsRunIn32BitCode() throws {
        let machine = try Machine()
        for index in UInt64(0)..<16 { try machine.store(0x9800 + index, UInt8(index * 16)) }
        machine.core.rsi = 0x9800
        // movdqu xmm1,[esi]; paddb xmm1,xmm1; pmovmskb eax,xmm1; movdqu [esi+16],xmm1; movd ebx,xmm1; hlt
        let code: [UInt8] = [
            0xf3, 0x0f, 0x6f, 0x0e, 0x66, 0x0f, 0xfc, 0xc9, 0x66, 0x0f, 0xd7, 0xc1, 0xf3, 0x0f, 0x7f, 0x4e, 0x10, 0x66, 0x0f, 0x7e, 0xcb,
            0xf4,
        ]
        #expect(try machine.run(code) == .halted)
        // Doubled modulo 256: 0, 20, 40 …; bytes 4-7 and 12-15 have bit 7.
        #expect(machine.core.rax == 0xf0f0)
        #expect(machine.core.rbx == 0x6040_2000)
        #expect(try machine.load(0x9810, as: UInt64.self) == 0xe0c0_a080_6040_2000)
    }

    @Test func vectorInstructionsRunIn16BitCodeWith16BitAddresses() throws {
        let machine = try Machine()
        try machine.store(0x9800, UInt64(0x4000_0000_3f80_0000))
        machine.use16Bit()
        machine.core.rbx = 0x9000
        machine.core.rsi = 0x800
        // movq xmm0,[bx+si]; addps xmm0,xmm0; movq [bx+si+8],xmm0; cvttss2si eax,xmm0; hlt
        let code: [UInt8] = [
            0xf3, 0x0f, 0x7e, 0x00, 0x0f, 0x58, 0xc0, 0x66, 0x0f, 0xd6, 0x40, 0x08, 0xf3, 0x0f, 0x2c, 0xc0, 0xf4,
        ]
        #expect(try machine.run(code) == .halted)
        #expect(try machine.load(0x9808, as: UInt64.self) == 0x4080_0000_4000_0000)
        #expect(machine.core.rax == 2)
    }

    @Test func vectorOperandsObeySegmentLimits() throws {
        for (offset, faults) in [(UInt64(0xfff0), false), (0xfff1, true)] {
            let machine = try Machine()
            machine.use16Bit()
            machine.core.rbx = offset
            // movups xmm0,[bx]; hlt
            let taken = try machine.takenBy([0x0f, 0x10, 0x07, 0xf4])
            #expect(taken?.vector == (faults ? 13 : nil))
        }
    }

    @Test func aREXPrefixIsAnIncrementIn32BitCode() throws {
        let machine = try Machine()
        // inc eax (40); movd xmm8 does not exist: 44 is inc esp; movd xmm0,eax
        #expect(try machine.run([0x40, 0x66, 0x0f, 0x6e, 0xc0, 0xf4]) == .halted)
        #expect(machine.core.rax == 1)
        #expect(machine.core.xmmLane(0, 0, as: UInt32.self) == 1)
    }
}
