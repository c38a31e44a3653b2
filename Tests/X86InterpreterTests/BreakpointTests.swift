import Testing
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

/// An access and whether a breakpoint at ``BreakpointTests/watched`` sees it.
struct WatchCase: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    /// As in DR7: 0 instruction, 1 write, 2 port, 3 read or write.
    var kind: UInt64
    /// As in DR7: 0, 1, 3, 2 for 1, 2, 4, 8 bytes.
    var length: UInt64
    /// Added to the watched address for RBX, RSI and RDI.
    var offset: Int64 = 0
    var isHit: Bool
    var testDescription: String { "\(name), kind \(kind), length \(length), offset \(offset)" }
}

@Suite("Hardware breakpoints") struct BreakpointTests {
    static let watched: UInt64 = 0x60010
    static let load32: [UInt8] = [0x8b, 0x03]
    static let store32: [UInt8] = [0x89, 0x03]
    static let store64: [UInt8] = [0x48, 0x89, 0x03]

    static let cases: [WatchCase] = [
        WatchCase(name: "store", bytes: store32, kind: 1, length: 3, isHit: true),
        WatchCase(name: "store", bytes: store32, kind: 3, length: 3, isHit: true),
        WatchCase(name: "load", bytes: load32, kind: 1, length: 3, isHit: false),
        WatchCase(name: "load", bytes: load32, kind: 3, length: 3, isHit: true),
        WatchCase(name: "load", bytes: load32, kind: 0, length: 0, isHit: false),
        WatchCase(name: "store just below", bytes: store32, kind: 1, length: 3, offset: -4, isHit: false),
        WatchCase(name: "store into the first byte", bytes: store32, kind: 1, length: 3, offset: -3, isHit: true),
        WatchCase(name: "store into the last byte", bytes: store32, kind: 1, length: 3, offset: 3, isHit: true),
        WatchCase(name: "store just above", bytes: store32, kind: 1, length: 3, offset: 4, isHit: false),
        WatchCase(name: "store above one byte", bytes: store32, kind: 1, length: 0, offset: 1, isHit: false),
        WatchCase(name: "store above two bytes", bytes: store32, kind: 1, length: 1, offset: 2, isHit: false),
        WatchCase(name: "store within two bytes", bytes: store32, kind: 1, length: 1, offset: 1, isHit: true),
        WatchCase(name: "store into the eighth byte", bytes: store32, kind: 1, length: 2, offset: 7, isHit: true),
        WatchCase(name: "store above eight bytes", bytes: store32, kind: 1, length: 2, offset: 8, isHit: false),
        WatchCase(name: "wide store that ends in it", bytes: store64, kind: 1, length: 0, offset: -7, isHit: true),
        WatchCase(name: "add to memory", bytes: [0x01, 0x03], kind: 1, length: 3, isHit: true),
        WatchCase(name: "lock add", bytes: [0xf0, 0x01, 0x03], kind: 1, length: 3, isHit: true),
        WatchCase(name: "misaligned lock add", bytes: [0xf0, 0x01, 0x03], kind: 1, length: 3, offset: -1, isHit: true),
        WatchCase(name: "xchg", bytes: [0x87, 0x03], kind: 1, length: 3, isHit: true),
        WatchCase(name: "failing lock cmpxchg", bytes: [0xf0, 0x0f, 0xb1, 0x0b], kind: 1, length: 3, isHit: true),
        WatchCase(name: "cmpxchg16b", bytes: [0xf0, 0x48, 0x0f, 0xc7, 0x0b], kind: 1, length: 0, isHit: true),
        WatchCase(name: "movups store", bytes: [0x0f, 0x11, 0x03], kind: 1, length: 0, offset: -15, isHit: true),
        WatchCase(name: "movups load", bytes: [0x0f, 0x10, 0x03], kind: 3, length: 0, offset: -15, isHit: true),
        WatchCase(name: "movups load above", bytes: [0x0f, 0x10, 0x03], kind: 3, length: 0, offset: 1, isHit: false),
        WatchCase(name: "push from memory", bytes: [0xff, 0x33], kind: 3, length: 2, isHit: true),
        WatchCase(name: "cmpsb", bytes: [0xa6], kind: 3, length: 0, isHit: true),
        WatchCase(name: "fxsave over it", bytes: [0x0f, 0xae, 0x03], kind: 1, length: 0, offset: -16, isHit: true),
        WatchCase(name: "lea", bytes: [0x8d, 0x03], kind: 3, length: 3, isHit: false),
        WatchCase(name: "prefetch", bytes: [0x0f, 0x18, 0x0b], kind: 3, length: 3, isHit: false),
    ]

    private func machine() throws -> TinyMachine {
        let machine = try TinyMachine()
        for number in [3, 6, 7] { machine.core.setFile(number, Self.watched) }
        return machine
    }

    private func watch(_ machine: TinyMachine, _ number: Int, _ address: UInt64, kind: UInt64, length: UInt64 = 0) {
        switch number {
        case 0: machine.core.s.dr0 = address
        case 1: machine.core.s.dr1 = address
        case 2: machine.core.s.dr2 = address
        default: machine.core.s.dr3 = address
        }
        machine.core.s.dr7 |= 1 << UInt64(number * 2 + 1) | (kind | length << 2) << UInt64(16 + number * 4)
        machine.core.sortBreakpoints()
    }

    @Test("A data breakpoint traps behind what touches its bytes, and behind nothing else", arguments: cases)
    func data(item: WatchCase) throws {
        let machine = try machine()
        for number in [3, 6, 7] { machine.core.setFile(number, Self.watched &+ UInt64(bitPattern: item.offset)) }
        watch(machine, 2, Self.watched, kind: item.kind, length: item.length)
        try machine.run(item.bytes + [0xf4])
        let taken = try machine.taken()
        let end = TinyMachine.kernelCode + UInt64(item.bytes.count)
        if item.isHit {
            #expect(taken?.vector == 1)
            #expect(taken?.rip == end)
            #expect(machine.core.s.dr6 == DR6.fixed | 4)
            #expect((taken?.flags ?? 0) & RFLAGS.resume == 0)
        } else {
            #expect(taken == nil)
            #expect(machine.core.s.rip == end + 1)
            #expect(machine.core.s.dr6 == DR6.fixed)
        }
    }

    @Test func theLowBitsOfABreakpointsAddressMeanNothing() throws {
        let machine = try machine()
        watch(machine, 0, Self.watched + 3, kind: 1, length: 3)
        #expect(try machine.takenBy(Self.store32 + [0xf4])?.vector == 1)
    }

    @Test func aDisabledBreakpointCostsAndDoesNothing() throws {
        let machine = try machine()
        machine.core.s.dr0 = Self.watched
        machine.core.s.dr7 |= 0xf_0000
        machine.core.sortBreakpoints()
        #expect(machine.core.s.tlbMode == .supervisor)
        #expect(!machine.core.runsAlone)
        #expect(try machine.takenBy(Self.store32 + [0xf4]) == nil)
    }

    @Test func anInstructionBreakpointFaultsBeforeItAndResumeGetsPastIt() throws {
        let machine = try machine()
        watch(machine, 1, TinyMachine.kernelCode + 2, kind: 0)
        // The handler of #DB: hlt; iretq
        try machine.place([0xf4, 0x48, 0xcf], at: TinyMachine.handlers + 16)
        // inc eax; inc eax; hlt
        let taken = try #require(try machine.takenBy([0xff, 0xc0, 0xff, 0xc0, 0xf4]))
        #expect(taken.vector == 1)
        #expect(taken.rip == TinyMachine.kernelCode + 2)
        #expect(taken.flags & RFLAGS.resume != 0)
        #expect(machine.core.s.dr6 == DR6.fixed | 2)
        #expect(machine.core.rax == 1)
        #expect(machine.cpu.run() == .halted)
        #expect(machine.core.s.rip == TinyMachine.kernelCode + 5)
        #expect(machine.core.rax == 2)
        #expect(machine.core.s.systemFlags & RFLAGS.resume == 0)
    }

    @Test func anInstructionBreakpointMatchesOnlyTheFirstByte() throws {
        let machine = try machine()
        watch(machine, 1, TinyMachine.kernelCode + 1, kind: 0)
        #expect(try machine.takenBy([0xff, 0xc0, 0xf4]) == nil)
        #expect(machine.core.rax == 1)
    }

    @Test func anInstructionBreakpointComesBeforeThePageFaultOfItsFetch() throws {
        let machine = try machine()
        watch(machine, 0, TinyMachine.unmapped, kind: 0)
        machine.core.rbx = TinyMachine.unmapped
        // jmp rbx
        let taken = try #require(try machine.takenBy([0xff, 0xe3]))
        #expect(taken.vector == 1)
        #expect(taken.rip == TinyMachine.unmapped)
    }

    @Test func aRepeatTrapsBehindTheIterationThatTouchesTheBytes() throws {
        let machine = try machine()
        watch(machine, 0, Self.watched + 2, kind: 1)
        try machine.place([0xf4, 0x48, 0xcf], at: TinyMachine.handlers + 16)
        machine.core.rcx = 6
        // rep stosb; hlt
        let taken = try #require(try machine.takenBy([0xf3, 0xaa, 0xf4]))
        #expect(taken.vector == 1)
        #expect(taken.rip == TinyMachine.kernelCode)
        #expect(machine.core.rcx == 3)
        #expect(machine.core.rdi == Self.watched + 3)
        #expect(machine.cpu.run() == .halted)
        #expect(machine.core.rcx == 0)
        #expect(machine.core.s.rip == TinyMachine.kernelCode + 3)
    }

    @Test func aRepeatUnderSingleStepTrapsBehindEachIteration() throws {
        let machine = try machine()
        machine.core.rcx = 3
        machine.core.rflags = RFLAGS.fixed | RFLAGS.trap
        try machine.place([0xf4, 0x48, 0xcf], at: TinyMachine.handlers + 16)
        // rep movsb; nop; hlt
        try machine.place([0xf3, 0xa4, 0x90, 0xf4], at: TinyMachine.kernelCode)
        var found: [[UInt64]] = []
        for _ in 0..<4 {
            #expect(machine.cpu.run() == .halted)
            found.append([try #require(try machine.taken()).rip - TinyMachine.kernelCode, machine.core.rcx])
        }
        // As an EPYC does it.
        #expect(found == [[0, 2], [0, 1], [2, 0], [3, 0]])
    }

    @Test func portBreakpointsNeedDebuggingExtensions() throws {
        // in al,dx; out dx,al; rep outsb
        for (bytes, isOn) in [([0xec], true), ([0xee], true), ([0xf3, 0x6e], true), ([0xec], false)] as [([UInt8], Bool)] {
            let machine = try machine()
            machine.core.s.cr4 |= isOn ? CR4.debuggingExtensions : 0
            watch(machine, 3, 0x80, kind: 2, length: 1)
            machine.core.rdx = 0x81
            machine.core.rcx = 1
            let taken = try machine.takenBy(bytes + [0xf4])
            #expect(taken?.vector == (isOn ? 1 : nil))
            if isOn {
                #expect(taken?.rip == TinyMachine.kernelCode + UInt64(bytes.count))
                #expect(machine.core.s.dr6 == DR6.fixed | 8)
            }
        }
    }

    @Test func generalDetectFaultsBeforeTheAccessAndIsOffInTheHandler() throws {
        let machine = try machine()
        machine.core.s.dr7 |= DR7.generalDetect
        // mov rax,dr6
        let taken = try #require(try machine.takenBy([0x0f, 0x21, 0xf0]))
        #expect(taken.vector == 1)
        #expect(taken.rip == TinyMachine.kernelCode)
        #expect(machine.core.s.dr6 == DR6.fixed | DR6.accessDetected)
        #expect(machine.core.s.dr7 == DR7.fixed)
        #expect(machine.core.rax == 0)
    }

    @Test func debugExceptionsWaitForTheInstructionBehindALoadOfSS() throws {
        for traps in [false, true] {
            let machine = try machine()
            watch(machine, 0, Self.watched, kind: 3, length: 1)
            try machine.store(Self.watched, TinyMachine.data)
            if traps { machine.core.rflags = RFLAGS.fixed | RFLAGS.trap }
            // mov ss,[rbx]; nop; hlt
            let taken = try #require(try machine.takenBy([0x8e, 0x13, 0x90, 0xf4]))
            #expect(taken.vector == 1)
            #expect(taken.rip == TinyMachine.kernelCode + 3)
            #expect(machine.core.s.dr6 == DR6.fixed | 1 | (traps ? DR6.singleStep : 0))
        }
    }

    @Test func conditionsOfOneInstructionComeTogether() throws {
        let machine = try machine()
        watch(machine, 0, Self.watched, kind: 1)
        watch(machine, 1, Self.watched + 2, kind: 3)
        machine.core.s.dr6 |= 0xc
        machine.core.rflags = RFLAGS.fixed | RFLAGS.trap
        #expect(try machine.takenBy(Self.store32)?.vector == 1)
        #expect(machine.core.s.dr6 == DR6.fixed | DR6.singleStep | 3)
    }

    @Test func anInstructionThatFaultsMatchesNothing() throws {
        let machine = try machine()
        watch(machine, 0, Self.watched, kind: 3)
        machine.core.rdi = TinyMachine.unmapped
        // movsb
        #expect(try machine.takenBy([0xa4])?.vector == 14)
        #expect(machine.core.s.dr6 == DR6.fixed)
    }

    @Test func aBreakpointOnTheStackOfItsOwnHandlerComesToAnEnd() throws {
        let machine = try machine()
        watch(machine, 0, TinyMachine.kernelStack - 8, kind: 1, length: 2)
        // push rax; hlt
        let taken = try #require(try machine.takenBy([0x50, 0xf4]))
        #expect(taken.vector == 1)
        #expect(taken.rip == TinyMachine.kernelCode + 1)
    }

    @Test func userAndKernelCodeMeetTheSameBreakpoints() throws {
        let machine = try machine()
        watch(machine, 0, TinyMachine.userData, kind: 1)
        machine.useUser()
        machine.core.rbx = TinyMachine.userData
        let taken = try #require(try machine.takenBy(Self.store32))
        #expect(taken.vector == 1)
        #expect(taken.cs == TinyMachine.userCode64)
    }

    @Test func theGuestSetsBreakpointsItself() throws {
        let machine = try machine()
        machine.core.rax = 0xd_0002
        // mov dr0,rbx; mov dr7,rax; mov [rbx],eax; hlt
        let taken = try #require(try machine.takenBy([0x0f, 0x23, 0xc3, 0x0f, 0x23, 0xf8, 0x89, 0x03, 0xf4]))
        #expect(taken.vector == 1)
        #expect(taken.rip == TinyMachine.kernelCode + 8)
        #expect(try machine.load(Self.watched, as: UInt32.self) == 0xd_0002)
    }
}
