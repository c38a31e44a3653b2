import Testing
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

/// An instruction that faults.
struct FaultCase: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    var vector: UInt8
    var errorCode: UInt32?
    var rax: UInt64 = 0
    var isUser = false
    /// Distance of the saved instruction pointer from the start.
    var offset: UInt64 = 0
    var testDescription: String { name }
}

@Suite struct SystemExceptionTests {
    static let cases: [FaultCase] = [
        FaultCase(name: "UD2", bytes: [0x0f, 0x0b], vector: 6),
        FaultCase(name: "HLT of a user", bytes: [0xf4], vector: 13, errorCode: 0, isUser: true),
        FaultCase(name: "CLI of a user", bytes: [0xfa], vector: 13, errorCode: 0, isUser: true),
        FaultCase(name: "IN of a user", bytes: [0xec], vector: 13, errorCode: 0, isUser: true),
        FaultCase(name: "MOV from CR0 of a user", bytes: [0x0f, 0x20, 0xc0], vector: 13, errorCode: 0, isUser: true),
        FaultCase(name: "WRMSR of a user", bytes: [0x0f, 0x30], vector: 13, errorCode: 0, isUser: true),
        FaultCase(name: "SWAPGS of a user", bytes: [0x0f, 0x01, 0xf8], vector: 13, errorCode: 0, isUser: true),
        FaultCase(name: "STAC of a user", bytes: [0x0f, 0x01, 0xcb], vector: 6, isUser: true),
        FaultCase(name: "not canonical load", bytes: [0x48, 0x8b, 0x00], vector: 13, errorCode: 0, rax: 1 << 63),
        FaultCase(name: "not canonical stack", bytes: [0x48, 0x89, 0xc4, 0x50], vector: 12, errorCode: 0, rax: 1 << 63, offset: 3),
        FaultCase(name: "segment not present", bytes: [0x8e, 0xd8], vector: 11, errorCode: 0x48, rax: 0x48),
        FaultCase(name: "stack not present", bytes: [0x8e, 0xd0], vector: 12, errorCode: 0x48, rax: 0x48),
        FaultCase(name: "read-only stack", bytes: [0x8e, 0xd0], vector: 13, errorCode: 0x70, rax: 0x70),
        FaultCase(name: "selector beyond the table", bytes: [0x8e, 0xd8], vector: 13, errorCode: 0xff8, rax: 0xffb),
        FaultCase(name: "kernel data of a user", bytes: [0x8e, 0xd8], vector: 13, errorCode: 0x10, rax: 0x10, isUser: true),
        FaultCase(name: "selector of an absent LDT", bytes: [0x8e, 0xd8], vector: 13, errorCode: 0xc, rax: 0xc),
        FaultCase(name: "LTR of data", bytes: [0x0f, 0x00, 0xd8], vector: 13, errorCode: 0x10, rax: 0x10),
        FaultCase(name: "INT to a kernel gate", bytes: [0xcd, 0x80], vector: 13, errorCode: 0x402, isUser: true),
        FaultCase(name: "INT3 to a kernel gate", bytes: [0xcc], vector: 13, errorCode: 0x1a, isUser: true),
        FaultCase(name: "INT3", bytes: [0xcc], vector: 3, offset: 1),
        FaultCase(name: "INT n", bytes: [0xcd, 0x42], vector: 0x42, offset: 2),
        FaultCase(name: "INT1", bytes: [0xf1], vector: 1, offset: 1),
        FaultCase(name: "reserved bits of CR0", bytes: [0x0f, 0x22, 0xc0], vector: 13, errorCode: 0, rax: 1 << 32),
        FaultCase(name: "paging off in 64-bit code", bytes: [0x0f, 0x22, 0xc0], vector: 13, errorCode: 0, rax: 0x11),
        FaultCase(name: "PAE off in long mode", bytes: [0x0f, 0x22, 0xe0], vector: 13, errorCode: 0),
        FaultCase(name: "reserved bits of CR4", bytes: [0x0f, 0x22, 0xe0], vector: 13, errorCode: 0, rax: 1 << 30 | 0x20),
        FaultCase(name: "reserved bits of CR3", bytes: [0x0f, 0x22, 0xd8], vector: 13, errorCode: 0, rax: 1 << 45),
        FaultCase(name: "XGETBV without OSXSAVE", bytes: [0x0f, 0x01, 0xd0], vector: 6),
        FaultCase(name: "RDPMC", bytes: [0x0f, 0x33], vector: 13, errorCode: 0),
        FaultCase(name: "MONITOR", bytes: [0x0f, 0x01, 0xc8], vector: 6),
        FaultCase(name: "SYSENTER on AMD in long mode", bytes: [0x0f, 0x34], vector: 6),
    ]

    @Test("An instruction that faults leaves the error code and its own address", arguments: cases)
    func faults(_ item: FaultCase) throws {
        let machine = try TinyMachine()
        if item.isUser { machine.useUser() }
        // A stack fault cannot be told on the stack that caused it.
        try machine.setGate(12, stack: 1)
        machine.core.rax = item.rax
        let start = machine.core.s.rip
        let stack = machine.core.rsp
        let taken = try #require(try machine.takenBy(item.bytes))
        #expect(taken.vector == item.vector)
        #expect(taken.errorCode == item.errorCode)
        #expect(taken.rip == start + item.offset)
        #expect(taken.cs == (item.isUser ? TinyMachine.userCode64 : TinyMachine.code64))
        let isFault = item.vector != 3 && item.vector != 1 && item.vector != 0x42
        #expect((taken.flags & RFLAGS.resume != 0) == isFault)
        if item.name != "not canonical stack" { #expect(taken.rsp == stack) }
        #expect(machine.cpu.privilegeLevel == 0)
    }

    @Test func aDivisionFaultAndADoubleFaultUseTheirOwnStack() throws {
        let machine = try TinyMachine()
        try machine.setGate(8, stack: 2)
        // The handler of #GP is not present: #NP while delivering #GP makes #DF.
        try machine.setGate(13, type: 0x0e)
        machine.core.rax = 1 << 63
        let taken = try #require(try machine.takenBy([0x48, 0x8b, 0x00]))
        #expect(taken.vector == 8)
        #expect(taken.errorCode == 0)
        #expect(taken.rip == TinyMachine.kernelCode)
        #expect(machine.core.rsp == TinyMachine.doubleFaultStack - 48)
    }

    @Test func aFaultDuringADoubleFaultShutsDown() throws {
        let machine = try TinyMachine()
        try machine.setGate(8, type: 0x0e)
        try machine.setGate(13, type: 0x0e)
        try machine.setGate(11, type: 0x0e)
        machine.core.rax = 1 << 63
        #expect(try machine.run([0x48, 0x8b, 0x00]) == .tripleFault)
    }

    @Test func anAbsentHandlerOfABenignExceptionRaisesItsOwnFault() throws {
        let machine = try TinyMachine()
        try machine.setGate(6, type: 0x0e)
        let taken = try #require(try machine.takenBy([0x0f, 0x0b]))
        #expect(taken.vector == 11)
        #expect(taken.errorCode == UInt32(51))
    }

    @Test func aPageFaultWhilePushingAPageFaultIsADoubleFault() throws {
        let machine = try TinyMachine()
        try machine.setGate(8, stack: 1)
        machine.core.rsp = TinyMachine.unmapped + 0x800
        let taken = try #require(try machine.takenBy([0x50]))
        #expect(taken.vector == 8)
        #expect(machine.core.s.cr2 < TinyMachine.unmapped + 0x800)
        #expect(machine.core.s.cr2 >= TinyMachine.unmapped)
    }

    @Test func aStackWithoutAlignmentIsAlignedForTheFrame() throws {
        let machine = try TinyMachine()
        machine.core.rsp = TinyMachine.kernelStack - 3
        let taken = try #require(try machine.takenBy([0x0f, 0x0b]))
        #expect(taken.rsp == TinyMachine.kernelStack - 3)
        #expect(machine.core.rsp % 8 == 0)
    }

    @Test func aTrapGateKeepsInterruptsOpenAndAnInterruptGateClosesThem() throws {
        for (type, isOpen) in [(UInt8(0x8e), false), (0x8f, true)] {
            let machine = try TinyMachine()
            try machine.setGate(0x42, type: type)
            machine.core.rflags = RFLAGS.fixed | RFLAGS.interrupt
            let taken = try #require(try machine.takenBy([0xcd, 0x42]))
            #expect(taken.flags == RFLAGS.fixed | RFLAGS.interrupt)
            #expect(machine.cpu.interruptsEnabled == isOpen)
        }
    }

    @Test func theLongFrameOfAUserHasItsStackAndLevel() throws {
        let machine = try TinyMachine()
        try machine.setGate(0x80, type: 0xee)
        machine.useUser()
        let taken = try #require(try machine.takenBy([0xcd, 0x80]))
        #expect(taken.ss == TinyMachine.userData3)
        #expect(taken.rsp == TinyMachine.userStack)
        #expect(taken.rip == TinyMachine.userCode + 2)
        #expect(machine.core.rsp == TinyMachine.kernelStack - 40)
        #expect(machine.core.segment(2).selector == 0)
    }

    @Test func singleStepTrapsAfterEachInstruction() throws {
        let machine = try TinyMachine()
        machine.core.rflags = RFLAGS.fixed | RFLAGS.trap
        let taken = try #require(try machine.takenBy([0x90, 0x90]))
        #expect(taken.vector == 1)
        #expect(taken.rip == TinyMachine.kernelCode + 1)
        #expect(taken.flags & RFLAGS.trap != 0)
        #expect(machine.core.s.dr6 & 1 << 14 != 0)
    }

    @Test func anInterruptWaitsForOneInstructionAfterSTI() throws {
        let machine = try TinyMachine()
        machine.environment.interrupts = [0x60]
        // sti; nop; hlt
        let taken = try #require(try machine.takenBy([0xfb, 0x90, 0xf4]))
        #expect(taken.vector == 0x60)
        #expect(taken.rip == TinyMachine.kernelCode + 2)
        #expect(taken.flags & RFLAGS.interrupt != 0)
    }

    @Test func aSecondNMIWaitsForIRET() throws {
        let machine = try TinyMachine()
        machine.environment.nonMaskable = 1
        machine.cpu.requestAttention()
        #expect(try #require(try machine.takenBy([0xf4])).vector == 2)
        machine.environment.nonMaskable = 1
        // The handler goes on: iretq. The second NMI is taken right there.
        try machine.place([0xf4, 0x48, 0xcf], at: TinyMachine.handlers + 32)
        let stack = machine.core.rsp
        #expect(machine.cpu.run() == .halted)
        #expect(machine.core.rsp == stack)
        #expect(machine.core.s.nmiBlocked)
        #expect(try #require(try machine.taken()).rip == TinyMachine.kernelCode)
    }
}
