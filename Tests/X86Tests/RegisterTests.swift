import Testing
import X86

@Suite("Registers") struct RegisterTests {
    /// Positions as the manuals give them.
    static let positions: [(mask: UInt64, bit: UInt64)] = [
        (RFLAGS.carry, 0), (RFLAGS.parity, 2), (RFLAGS.auxiliary, 4), (RFLAGS.zero, 6), (RFLAGS.sign, 7), (RFLAGS.trap, 8),
        (RFLAGS.interrupt, 9), (RFLAGS.direction, 10), (RFLAGS.overflow, 11), (RFLAGS.nestedTask, 14), (RFLAGS.resume, 16),
        (RFLAGS.virtual8086, 17), (RFLAGS.alignmentCheck, 18), (RFLAGS.virtualInterrupt, 19), (RFLAGS.virtualInterruptPending, 20),
        (RFLAGS.identification, 21), (CR0.taskSwitched, 3), (CR0.writeProtect, 16), (CR0.paging, 31), (CR4.pcid, 17), (CR4.smep, 20),
        (CR4.smap, 21), (EFER.longModeActive, 10), (EFER.noExecute, 11), (DR6.accessDetected, 13), (DR6.singleStep, 14),
        (DR6.taskSwitch, 15), (DR7.generalDetect, 13),
    ]

    @Test(arguments: positions)
    func bitsStandWhereTheManualsSay(mask: UInt64, bit: UInt64) {
        #expect(mask == 1 << bit)
    }

    @Test func theArithmeticFlagsAreSixOfThem() {
        let six = RFLAGS.carry | RFLAGS.parity | RFLAGS.auxiliary | RFLAGS.zero | RFLAGS.sign | RFLAGS.overflow
        #expect(RFLAGS.arithmetic == six)
        #expect(RFLAGS.arithmetic.nonzeroBitCount == 6)
    }

    @Test func aProcessorStartsInRealModeWithoutPagingAndBreakpoints() {
        let state = RegisterState()
        #expect(state.cr0 & (CR0.protection | CR0.paging) == 0)
        #expect(state.efer == 0)
        #expect(state.rflags == RFLAGS.fixed)
        #expect(state.dr6 == 0xffff_0ff0)
        #expect(state.dr7 == 0x400)
        #expect(state[.cs].isCodeOrData && state[.cs].type & 8 != 0)
        #expect(state[.ss].isCodeOrData && state[.ss].type & 8 == 0)
        #expect(state.segments.allSatisfy { $0.limit == 0xffff && $0.base == 0 })
        #expect(!state.tr.isCodeOrData && state.tr.isPresent)
    }

    @Test func segmentAttributesHaveTheirFields() {
        let code64 = Segment(selector: 0x2b, base: 0, limit: .max, attributes: 0xafb)
        #expect(code64.isPresent && code64.isCodeOrData && code64.isLong && !code64.isBig)
        #expect(code64.privilege == 3)
        #expect(code64.type == 0xb)
        let busyTask = Segment(selector: 0x30, base: 0x3000, limit: 0x67, attributes: 0x8b)
        #expect(!busyTask.isCodeOrData && busyTask.isPresent && busyTask.privilege == 0)
        #expect(!Segment.null.isPresent)
    }

    @Test func subscriptsReachTheRegisterTheyName() {
        var state = RegisterState()
        for (index, name) in SegmentName.allCases.enumerated() { state[name].selector = UInt16(index + 1) }
        #expect(state.segments.map(\.selector) == [1, 2, 3, 4, 5, 6])
        state[.rsp] = 7
        #expect(state.general.enumerated().filter { $0.element == 7 }.map(\.offset) == [4])
    }

    @Test func stateIsEqualOnlyWhenAllOfItIs() {
        let changes: [(inout RegisterState) -> Void] = [
            { $0.rip = 1 }, { $0.rflags |= RFLAGS.carry }, { $0[.gs].base = 1 }, { $0.cr2 = 1 }, { $0.dr0 = 1 }, { $0.dr3 = 1 },
            { $0.dr7 = 0x401 }, { $0.gdtr.limit = 1 }, { $0.ldtr.selector = 8 }, { $0[.r15] = 1 },
        ]
        for change in changes {
            var other = RegisterState()
            change(&other)
            #expect(other != RegisterState())
        }
        #expect(RegisterState() == RegisterState())
    }
}

@Suite("Faults") struct GuestFaultTests {
    static let exceptions: [(fault: GuestFault, vector: UInt8, hasCode: Bool)] = [
        (.divideError, 0, false), (.invalidOpcode, 6, false), (.deviceNotAvailable, 7, false),
        (.invalidTSS(0x28), 10, true), (.segmentNotPresent(0x10), 11, true), (.stackFault(), 12, true), (.generalProtection(), 13, true),
        (.pageFault(0x1000, 2), 14, true), (.x87FloatingPoint, 16, false), (.alignmentCheck, 17, true), (.simdFloatingPoint, 19, false),
    ]

    @Test(arguments: exceptions)
    func exceptionsHaveTheirVectorAndAnErrorCodeWhereTheManualSays(fault: GuestFault, vector: UInt8, hasCode: Bool) {
        #expect(fault.kind == .fault)
        #expect(fault.vector == vector)
        #expect(fault.hasErrorCode == hasCode)
    }

    @Test func whatTheEngineAsksOfItselfIsNoException() {
        #expect(GuestFault.codeWrite.kind == .codeWrite)
        #expect(GuestFault.leave.kind == .leave)
        #expect(GuestFault.codeWrite != .leave)
    }

    @Test func aPageFaultKeepsItsAddressAndCode() {
        let fault = GuestFault.pageFault(0xffff_8000_0000_1234, 0x13)
        #expect(fault.address == 0xffff_8000_0000_1234)
        #expect(fault.errorCode == 0x13)
    }
}
