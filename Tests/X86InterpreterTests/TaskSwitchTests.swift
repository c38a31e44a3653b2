import Testing
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

private typealias Machine = ProtectedMachine

/// A far transfer to something that is no task to switch to.
struct TaskFaultCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var selector: UInt16
    var vector: UInt8
    var code: UInt32
    /// What to change first: bytes of a TSS or descriptor.
    var address: UInt64 = 0x3f00
    var value: UInt32 = 0
    /// The fault comes in the new task.
    var isLate = false
}

@Suite("Hardware task switches") struct TaskSwitchTests {
    @Test func aJumpLeavesOneTaskAndMakesTheOtherBusy() throws {
        let machine = try Machine()
        for number in 0..<8 where number != 4 { machine.core.setFile(number, 0xa0 + UInt64(number)) }
        machine.core.rflags = RFLAGS.fixed | RFLAGS.carry | RFLAGS.interrupt
        try machine.store(Machine.taskB, UInt32(0x7777))
        #expect(try machine.run(Machine.far(0xea, Machine.selectorB)) == .halted)
        #expect(machine.core.s.rip == Machine.codeB + 1)
        for number in 0..<8 where number != 4 { #expect(machine.core.file(number) == 0xb0 + UInt64(number)) }
        #expect(machine.core.rsp == Machine.stackB)
        #expect(machine.core.rflags == RFLAGS.fixed)
        #expect(machine.core.segment(Core.tr).selector == Machine.selectorB)
        #expect(machine.core.segment(Core.ldtr) == Segment(selector: Machine.localTable, base: Machine.ldt, limit: 0xf, attributes: 0x82))
        #expect(machine.core.segment(4).selector == 0)
        #expect(machine.core.s.cr0 & CR0.taskSwitched != 0)
        #expect(try machine.access(Machine.selectorA) == 0x89)
        #expect(try machine.access(Machine.selectorB) == 0x8b)
        // The old task's state; the link of the new one is left alone.
        #expect(try machine.load(Machine.taskA + 0x20, as: UInt32.self) == UInt32(Machine.code) + 7)
        #expect(try machine.load(Machine.taskA + 0x24, as: UInt32.self) == 0x203)
        for number in UInt64(0)..<8 where number != 4 {
            #expect(try machine.load(Machine.taskA + 0x28 + number * 4, as: UInt32.self) == 0xa0 + UInt32(number))
        }
        #expect(try machine.load(Machine.taskA + 0x38, as: UInt32.self) == UInt32(Machine.stack))
        #expect(try machine.load(Machine.taskA + 0x4c, as: UInt16.self) == Machine.code32)
        #expect(try machine.load(Machine.taskB, as: UInt16.self) == 0x7777)
    }

    @Test(arguments: [Machine.selectorB, Machine.taskGate])
    func aCallNestsAndIRETComesBack(selector: UInt16) throws {
        let machine = try Machine()
        // In B: hlt; iret. In A behind the call: hlt
        try machine.place([0xf4, 0xcf], at: Machine.codeB)
        #expect(try machine.run(Machine.far(0x9a, selector) + [0xf4]) == .halted)
        #expect(machine.core.segment(Core.tr).selector == Machine.selectorB)
        #expect(machine.core.s.systemFlags & RFLAGS.nestedTask != 0)
        #expect(try machine.load(Machine.taskB, as: UInt16.self) == Machine.selectorA)
        #expect(try machine.access(Machine.selectorA) == 0x8b)
        #expect(try machine.access(Machine.selectorB) == 0x8b)
        #expect(machine.cpu.run() == .halted)
        #expect(machine.core.s.rip == Machine.code + 8)
        #expect(machine.core.segment(Core.tr).selector == Machine.selectorA)
        #expect(machine.core.s.systemFlags & RFLAGS.nestedTask == 0)
        #expect(try machine.access(Machine.selectorA) == 0x8b)
        #expect(try machine.access(Machine.selectorB) == 0x89)
        // What B saved goes on behind its IRET, with NT clear.
        #expect(try machine.load(Machine.taskB + 0x20, as: UInt32.self) == UInt32(Machine.codeB) + 2)
        #expect(try machine.load(Machine.taskB + 0x24, as: UInt32.self) & 0x4000 == 0)
    }

    @Test func aTaskGateOfTheIDTTakesAnExceptionWithItsErrorCode() throws {
        let machine = try Machine()
        try machine.setGate(13, type: 0xe5, selector: Machine.selectorB)
        machine.core.rax = 0xffb
        // mov ds,ax
        #expect(try machine.run([0x8e, 0xd8]) == .halted)
        #expect(machine.core.s.rip == Machine.codeB + 1)
        #expect(machine.core.rsp == Machine.stackB - 4)
        #expect(try machine.load(Machine.stackB - 4, as: UInt32.self) == 0xff8)
        #expect(try machine.load(Machine.taskA + 0x20, as: UInt32.self) == UInt32(Machine.code))
        #expect(UInt64(try machine.load(Machine.taskA + 0x24, as: UInt32.self)) & RFLAGS.resume != 0)
        #expect(machine.core.s.systemFlags & RFLAGS.nestedTask != 0)
    }

    @Test func anINTThroughATaskGateComesBackBehindItself() throws {
        let machine = try Machine()
        try machine.setGate(0x40, type: 0xe5, selector: Machine.selectorB)
        try machine.place([0xcf], at: Machine.codeB)
        #expect(try machine.run([0xcd, 0x40, 0xf4]) == .halted)
        #expect(machine.core.s.rip == Machine.code + 3)
        #expect(machine.core.segment(Core.tr).selector == Machine.selectorA)
    }

    @Test func aDoubleFaultThroughATaskGateRunsOnAGoodStack() throws {
        let machine = try Machine()
        try machine.setGate(8, type: 0xe5, selector: Machine.selectorB)
        var state = machine.cpu.registerState
        state[.ss].limit = 0x10
        machine.cpu.registerState = state
        // push eax beyond the limit: #SS, whose frame does not fit either.
        #expect(try machine.run([0x50]) == .halted)
        #expect(machine.core.s.rip == Machine.codeB + 1)
        #expect(try machine.load(Machine.stackB - 4, as: UInt32.self) == 0)
    }

    @Test func a16BitTaskHas16BitRegistersAndNoFSAndGS() throws {
        let machine = try Machine()
        try machine.place([0xcf], at: Machine.codeB)
        machine.core.rax = 0x1234_5678
        #expect(try machine.run(Machine.far(0x9a, Machine.selector16) + [0xf4]) == .halted)
        #expect(machine.core.s.rip == Machine.code + 8)
        #expect(machine.core.rax == 0x1234_5678)
        #expect(try machine.access(Machine.selector16) == 0x81)
        #expect(try machine.load(Machine.task16, as: UInt16.self) == Machine.selectorA)
        #expect(try machine.load(Machine.task16 + 0x0e, as: UInt16.self) == UInt16(Machine.codeB) + 1)
        #expect(try machine.load(Machine.task16 + 0x12, as: UInt16.self) == 0xc0)
        // Once more, to stay there: hlt
        try machine.place([0xf4], at: Machine.codeB)
        try machine.store(Machine.task16 + 0x0e, UInt16(Machine.codeB))
        machine.useKernel()
        #expect(try machine.run(Machine.far(0xea, Machine.selector16)) == .halted)
        #expect(machine.core.s.codeSize == .bits16)
        #expect(machine.core.rax == 0xc0)
        #expect(machine.core.rsp == Machine.stackB)
        #expect(machine.core.segment(5).selector == 0)
        #expect(machine.core.segment(2).selector == Machine.data16)
    }

    @Test func theTrapBitOfATaskAndItsBreakpoints() throws {
        let machine = try Machine()
        try machine.store(Machine.taskB + 0x64, UInt16(1))
        machine.core.s.dr7 = 0x703
        machine.core.sortBreakpoints()
        #expect(try machine.run(Machine.far(0xea, Machine.selectorB)) == .halted)
        #expect(machine.core.s.dr6 == DR6.fixed | DR6.taskSwitch)
        #expect(machine.core.s.dr7 == 0x602)
        #expect(try machine.taken()?.vector == 1)
        #expect(try machine.taken()?.eip == UInt32(Machine.codeB))
    }

    @Test func aTaskBringsItsOwnPageTables() throws {
        let machine = try Machine()
        try machine.enablePaging()
        // B's directory maps B's code page to another frame.
        for offset in stride(from: UInt64(0), to: 0x2000, by: 8) {
            try machine.store(0x14000 + offset, try machine.load(Machine.directory + offset, as: UInt64.self))
        }
        try machine.store(0x14000, UInt32(0x15000 | 7))
        try machine.store(0x15000 + Machine.codeB / 4096 * 4, UInt32(0x50000 | 7))
        try machine.store(Machine.taskB + 0x1c, UInt32(0x14000))
        // nop; hlt
        try machine.place([0x90, 0xf4], at: 0x50000)
        #expect(try machine.run(Machine.far(0xea, Machine.selectorB)) == .halted)
        #expect(machine.core.s.cr3 == 0x14000)
        #expect(machine.core.s.rip == Machine.codeB + 2)
    }

    @Test func aPageFaultOnTheWayLeavesTheOldTaskAsItWas() throws {
        for address in [Machine.taskB, Machine.taskA] {
            let machine = try Machine()
            // The TSS in question lies in a page of its own that is not there.
            try machine.store(Machine.gdt + UInt64(Machine.selectorB), UInt64(0x0000_8906_2000_01ff))
            try machine.enablePaging()
            if address == Machine.taskA {
                var state = machine.cpu.registerState
                state.tr.base = 0x62000
                machine.cpu.registerState = state
                try machine.store(Machine.gdt + UInt64(Machine.selectorB), UInt64(0x0000_8900_3200_01ff))
            }
            try machine.setPage(0x62000, 0)
            let taken = try #require(try machine.takenBy(Machine.far(0xea, Machine.selectorB)))
            #expect(taken.vector == 14)
            #expect(taken.eip == UInt32(Machine.code))
            #expect(machine.core.segment(Core.tr).selector == Machine.selectorA)
            #expect(try machine.access(Machine.selectorB) == 0x89)
            #expect(machine.core.s.cr0 & CR0.taskSwitched == 0)
        }
    }

    @Test func aTaskCanBeVirtual8086Code() throws {
        let machine = try Machine()
        try machine.store(Machine.taskB + 0x20, UInt32(0x10))
        try machine.store(Machine.taskB + 0x24, UInt32(0x2_0002))
        for number in UInt64(0)..<6 { try machine.store(Machine.taskB + 0x48 + number * 4, UInt32(0x700 + number * 0x100)) }
        try machine.place([0x0f, 0x0b], at: 0x8010)
        #expect(try machine.run(Machine.far(0xea, Machine.selectorB)) == .halted)
        let taken = try #require(try machine.taken())
        #expect(taken.vector == 6)
        #expect(taken.eip == 0x10)
        #expect(taken.cs == 0x800)
        #expect(taken.flags & RFLAGS.virtual8086 != 0)
    }

    static let faults: [TaskFaultCase] = [
        TaskFaultCase(testDescription: "a busy TSS", selector: Machine.selectorA, vector: 13, code: 0x28),
        TaskFaultCase(testDescription: "an absent TSS", selector: Machine.absentTask, vector: 11, code: 0x70),
        TaskFaultCase(testDescription: "a TSS that is too short", selector: Machine.shortTask, vector: 10, code: 0x78),
        TaskFaultCase(testDescription: "an LDT", selector: Machine.localTable, vector: 13, code: 0x50),
        TaskFaultCase(
            testDescription: "a task gate to no TSS", selector: Machine.taskGate, vector: 13, code: 0x10, address: Machine.gdt + 0x5a,
            value: 0xe500_0010),
        TaskFaultCase(
            testDescription: "a task gate into the LDT", selector: Machine.taskGate, vector: 13, code: 0x34, address: Machine.gdt + 0x5a,
            value: 0xe500_0034),
        TaskFaultCase(
            testDescription: "an absent task gate", selector: Machine.taskGate, vector: 11, code: 0x58, address: Machine.gdt + 0x5c,
            value: 0x6500),
        TaskFaultCase(
            testDescription: "absent data", selector: Machine.selectorB, vector: 11, code: 0x68, address: Machine.taskB + 0x54, value: 0x68,
            isLate: true),
        TaskFaultCase(
            testDescription: "data that cannot be read", selector: Machine.selectorB, vector: 10, code: 0x90,
            address: Machine.taskB + 0x48, value: 0x90, isLate: true),
        TaskFaultCase(
            testDescription: "a selector beyond the GDT", selector: Machine.selectorB, vector: 10, code: 0x7f8,
            address: Machine.taskB + 0x5c, value: 0x7f8, isLate: true),
    ]

    @Test("What is no task to switch to faults, in the old task or in the new one", arguments: faults)
    func fault(item: TaskFaultCase) throws {
        let machine = try Machine()
        try machine.store(item.address, item.value)
        let busyBefore = try machine.access(Machine.selectorB)
        try machine.run(Machine.far(0xea, item.selector))
        let taken = try machine.taken()
        #expect(taken?.vector == item.vector)
        #expect(taken?.errorCode == item.code)
        #expect(taken?.eip == UInt32(item.isLate ? Machine.codeB : Machine.code))
        #expect(machine.core.segment(Core.tr).selector == (item.isLate ? Machine.selectorB : Machine.selectorA))
        if !item.isLate {
            #expect(try machine.access(Machine.selectorB) == busyBefore)
            #expect(try machine.access(Machine.selectorA) == 0x8b)
        }
    }

    /// Before a new task has a stack only a task gate tells what is wrong: of the LDT (60), the code (4C) and the stack (50) itself.
    @Test(arguments: [
        (UInt64(0x60), UInt32(0x10), UInt8(10)), (0x60, 0x54, 10), (0x4c, 0, 10), (0x4c, 0x10, 10), (0x4c, 0xa0, 11),
        (0x50, 0x68, 12), (0x50, 0x98, 10), (0x50, 0x23, 10), (0x50, 0, 10),
    ])
    func whatIsWrongBeforeTheStackIsToldToATask(offset: UInt64, selector: UInt32, vector: UInt8) throws {
        do {
            let machine = try Machine()
            let code = selector & ~3
            try machine.store(Machine.taskB + offset, selector)
            try machine.setGate(vector, type: 0xe5, selector: Machine.selector16)
            try machine.run(Machine.far(0xea, Machine.selectorB))
            #expect(machine.core.segment(Core.tr).selector == Machine.selector16)
            #expect(try machine.load(Machine.stackB - 2, as: UInt16.self) == UInt16(code))
            #expect(try machine.load(Machine.taskB + 0x20, as: UInt32.self) == UInt32(Machine.codeB))
            #expect(try machine.load(Machine.task16, as: UInt16.self) == Machine.selectorB)
        }
    }

    @Test func returningToATaskThatIsNotBusyFaults() throws {
        // The link names no TSS, an available one, or nothing.
        for link in [UInt16(0x10), Machine.selectorB, 0] {
            let machine = try Machine()
            try machine.store(Machine.taskA, link)
            machine.core.rflags = RFLAGS.fixed | RFLAGS.nestedTask
            let taken = try #require(try machine.takenBy([0xcf]))
            #expect(taken.vector == 10)
            #expect(taken.errorCode == UInt32(link))
            #expect(taken.eip == UInt32(Machine.code))
        }
    }

    @Test func aUserReachesATaskOnlyByAGateOpenToUsers() throws {
        for (selector, isOpen) in [(Machine.selectorB, false), (Machine.taskGate, true)] {
            let machine = try Machine()
            machine.useUser()
            try machine.run(Machine.far(0xea, selector))
            if isOpen {
                #expect(machine.core.s.rip == Machine.codeB + 1)
                #expect(machine.cpu.privilegeLevel == 0)
            } else {
                #expect(try machine.taken()?.errorCode == UInt32(selector))
            }
        }
    }

    @Test func longModeHasNoTasks() throws {
        let machine = try TinyMachine()
        machine.core.rbx = 0x9000
        // Descriptor 0x38: an available TSS; jmp far [rbx]
        try machine.store(TinyMachine.gdt + 0x30, UInt64(0x0000_8900_3000_0fff))
        try machine.store(0x9004, TinyMachine.task)
        let taken = try #require(try machine.takenBy([0xff, 0x2b]))
        #expect(taken.vector == 13)
        #expect(taken.errorCode == UInt32(TinyMachine.task))
        let other = try TinyMachine()
        try other.setGate(0x40, type: 0x85, selector: TinyMachine.task)
        #expect(try #require(try other.takenBy([0xcd, 0x40])).errorCode == 0x40 * 8 + 2)
        let third = try TinyMachine()
        third.core.rflags = RFLAGS.fixed | RFLAGS.nestedTask
        #expect(try #require(try third.takenBy([0x48, 0xcf])).vector == 13)
    }
}
