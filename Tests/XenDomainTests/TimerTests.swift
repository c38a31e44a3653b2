import GuestMemory
import Testing
import XenABI
import XenDomain

@Suite("Timers") struct TimerTests {
    private func prepared(is64Bit: Bool = true) throws -> Machine {
        let machine = try Machine(is64Bit: is64Bit)
        machine.mapSharedInfo()
        #expect(machine.events(EventChannelOp.bindVIRQ, [VIRQ.timer, 0, 0]).fields[2] == 3)
        return machine
    }

    private func takeTimerEvent(_ machine: Machine) -> Bool {
        let word = machine.get(0x104800, as: UInt32.self)
        machine.put(word & ~(1 << 3), at: 0x104800)
        return word & 1 << 3 != 0
    }

    private func setSingleshot(_ machine: Machine, _ deadline: UInt64, on vcpu: UInt64 = 0) -> Int64 {
        machine.put(deadline, at: Machine.scratch)
        machine.put(UInt32(1), at: Machine.scratch + 8)
        return machine.call(Hypercall.vcpuOp, VCPUOp.setSingleshotTimer, vcpu, Machine.scratch)
    }

    @Test("A single-shot timer fires once, at its time", arguments: [true, false])
    func singleshot(is64Bit: Bool) throws {
        let machine = try prepared(is64Bit: is64Bit)
        let deadline = machine.host.now() + 5_000_000
        #expect(machine.domain.nextDeadline() == nil)
        _ = machine.host.take()
        #expect(setSingleshot(machine, deadline) == 0)
        #expect(machine.host.take().timerChanges == 1)
        #expect(machine.domain.nextDeadline() == deadline)
        machine.domain.fireTimers(now: deadline - 1)
        #expect(!takeTimerEvent(machine))
        machine.domain.fireTimers(now: deadline)
        #expect(takeTimerEvent(machine))
        machine.domain.fireTimers(now: deadline + 1)
        #expect(!takeTimerEvent(machine))
        #expect(machine.domain.nextDeadline() == nil)
    }

    @Test("A time in the past fires at once and is no error")
    func past() throws {
        let machine = try prepared()
        #expect(setSingleshot(machine, machine.host.now() - 1) == 0)
        #expect(takeTimerEvent(machine))
        #expect(machine.domain.nextDeadline() == nil)
    }

    @Test("Only the vCPU itself may set its single-shot timer")
    func other() throws {
        let machine = try Machine(Machine.configuration(vcpus: 2))
        #expect(setSingleshot(machine, 5, on: 1) == XenError.invalidArgument.result)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.stopSingleshotTimer, 1, 0) == XenError.invalidArgument.result)
        #expect(setSingleshot(machine, 5, on: 2) == XenError.noEntry.result)
    }

    @Test("The timer thread is told about earlier timers only")
    func announcements() throws {
        let machine = try prepared()
        let now = machine.host.now()
        _ = machine.domain.nextDeadline()
        _ = setSingleshot(machine, now + 1000)
        #expect(machine.domain.nextDeadline() == now + 1000)
        _ = machine.host.take()
        _ = setSingleshot(machine, now + 2000)
        #expect(machine.host.take().timerChanges == 0)
        _ = setSingleshot(machine, now + 500)
        #expect(machine.host.take().timerChanges == 1)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.stopSingleshotTimer, 0, 0) == 0)
        #expect(machine.domain.nextDeadline() == nil)
    }

    @Test("A periodic timer goes on without catching up, and has a shortest period")
    func periodic() throws {
        let machine = try prepared()
        let now = machine.host.now()
        machine.put(UInt64(999_999), at: Machine.scratch)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.setPeriodicTimer, 0, Machine.scratch) == XenError.invalidArgument.result)
        machine.put(UInt64(1_000_000), at: Machine.scratch)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.setPeriodicTimer, 0, Machine.scratch) == 0)
        machine.domain.fireTimers(now: now + 3_500_000)
        #expect(takeTimerEvent(machine))
        #expect(machine.domain.nextDeadline() == now + 4_000_000)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.stopPeriodicTimer, 0, 0) == 0)
        #expect(machine.domain.nextDeadline() == nil)
    }

    @Test("set_timer_op takes its time from one or two registers; zero cancels", arguments: [true, false])
    func setTimer(is64Bit: Bool) throws {
        let machine = try prepared(is64Bit: is64Bit)
        let deadline: UInt64 = 0x12_3456_7890
        let low = is64Bit ? deadline : deadline & 0xffff_ffff
        #expect(machine.call(Hypercall.setTimerOp, low, is64Bit ? 0 : deadline >> 32) == 0)
        #expect(machine.domain.nextDeadline() == deadline)
        machine.domain.fireTimers(now: deadline)
        #expect(takeTimerEvent(machine))
        #expect(machine.call(Hypercall.setTimerOp, low, deadline >> 32) == 0)
        #expect(machine.call(Hypercall.setTimerOp, 0, 0) == 0)
        #expect(machine.domain.nextDeadline() == nil)
    }

    @Test("The APIC's timer is one of the domain's timers")
    func apicTimer() throws {
        let machine = try prepared()
        let vcpu = machine.domain.vcpus[0]
        for (index, value) in [(0x1b, 0xfee0_0d00), (0x80f, 0x1ff), (0x832, 0x40), (0x83e, 11), (0x838, 1000)] as [(UInt32, UInt64)] {
            #expect(vcpu.writeMSR(index, value))
        }
        let deadline = machine.host.now() + 10_000
        #expect(machine.domain.nextDeadline() == deadline)
        machine.host.advance(10_000)
        _ = machine.host.take()
        machine.domain.fireTimers(now: deadline)
        #expect(machine.host.take().woken.contains(0))
        #expect(vcpu.acknowledgeInterrupt() == 0x40)
    }

    @Test("A deadline in TSC ticks becomes a time")
    func tscDeadline() throws {
        let machine = try prepared()
        let vcpu = machine.domain.vcpus[0]
        for (index, value) in [(0x1b, 0xfee0_0d00), (0x80f, 0x1ff), (0x832, 0x40040)] as [(UInt32, UInt64)] {
            #expect(vcpu.writeMSR(index, value))
        }
        #expect(vcpu.writeMSR(0x6e0, vcpu.readTSC() + 2_596_120))
        let wait = try #require(machine.domain.nextDeadline()) - machine.host.now()
        #expect((999_999...1_000_001).contains(wait))
    }

    @Test("A watchdog that is not fed shuts the domain down")
    func watchdog() throws {
        let machine = try Machine()
        func watchdog(_ id: UInt32, _ seconds: UInt32) -> Int64 {
            machine.put(id, at: Machine.scratch)
            machine.put(seconds, at: Machine.scratch + 4)
            return machine.call(Hypercall.schedOp, SchedOp.watchdog, Machine.scratch)
        }
        #expect(watchdog(0, 0) == XenError.invalidArgument.result)
        #expect(watchdog(3, 1) == XenError.invalidArgument.result)
        #expect(watchdog(1, 1) == XenError.invalidArgument.result)
        #expect(watchdog(0, 10) == 1)
        #expect(watchdog(0, 20) == 2)
        #expect(watchdog(0, 20) == XenError.noSpace.result)
        #expect(watchdog(1, 0) == 0)
        let deadline = machine.host.now() + 20_000_000_000
        #expect(machine.domain.nextDeadline() == deadline)
        machine.domain.fireTimers(now: deadline)
        #expect(machine.domain.shutdownReason == .watchdog)
        #expect(machine.host.take().shutdowns == [.watchdog])
    }

    @Test("The time a guest computes from its TSC is the system time", arguments: [UInt64(0), 1, 999, 1_000_000_007, 86_400_000_000_000])
    func clock(elapsed: UInt64) throws {
        let machine = try prepared()
        machine.host.advance(elapsed)
        let info: UInt64 = 0x104020
        let ticks = machine.domain.vcpus[0].readTSC() - machine.get(info + 8, as: UInt64.self)
        let product = (ticks >> 1).multipliedFullWidth(by: UInt64(machine.get(info + 24, as: UInt32.self)))
        let time = machine.get(info + 16, as: UInt64.self) + (product.high << 32 | product.low >> 32)
        // The multiplier has 32 bits, so that an error of one part in 2^31 remains.
        let error = Int64(bitPattern: time &- machine.host.now()).magnitude
        #expect(error <= 2 + elapsed >> 31)
        #expect(machine.get(info, as: UInt32.self) & 1 == 0)
    }

    @Test("A guest that sets its TSC keeps its system time")
    func tscWrite() throws {
        let machine = try prepared()
        let vcpu = machine.domain.vcpus[0]
        let offset = vcpu.readTSC() - machine.get(0x104028, as: UInt64.self)
        #expect(vcpu.writeMSR(0x10, 42))
        #expect(vcpu.readTSC() == 42)
        #expect(42 &- machine.get(0x104028, as: UInt64.self) == offset)
        #expect(vcpu.writeMSR(0x3b, 1000))
        #expect(vcpu.readTSC() == 1042)
        #expect(vcpu.readMSR(0x3b) == 1000)
    }

    @Test("The wall clock is where the layout of the guest has it", arguments: [true, false])
    func wallClock(is64Bit: Bool) throws {
        let machine = try prepared(is64Bit: is64Bit)
        #expect(machine.setParameter(0, 2 << 56 | 0x40) == 0)
        let base: UInt64 = 0x104000 + (is64Bit ? 3072 : 2304)
        #expect(machine.get(base, as: UInt32.self) & 1 == 0)
        #expect(machine.get(base + 4, as: UInt32.self) == 1_795_230_051)
        #expect(machine.get(base + 8, as: UInt32.self) == 773_213_884)
        // Nothing is left where the other layout has it.
        #expect(machine.bytes(0x104000 + (is64Bit ? 2304 : 3072), 16).allSatisfy { $0 == 0 })
    }
}
