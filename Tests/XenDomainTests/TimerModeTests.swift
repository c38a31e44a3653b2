import GuestMemory
import Testing
import X86
import XenABI
import XenDomain

@Suite("timer_mode") struct TimerModeTests {
    private static let period: UInt64 = 1_000_000

    /// A vCPU whose APIC's timer ticks every millisecond with vector 0x40.
    private func machine(_ mode: UInt64, _ tscMode: TSCMode = .automatic) throws -> Machine {
        var configuration = Machine.configuration()
        configuration.parameters[HVMParameter.timerMode] = mode
        configuration.tscMode = tscMode
        let machine = try Machine(configuration)
        machine.mapSharedInfo()
        for (offset, value) in [(0xf0, 0x1ff), (0x320, 0x2_0040), (0x3e0, 0xb), (0x380, 100_000)] as [(UInt64, UInt64)] {
            machine.domain.vcpus[0].writePhysical(GuestPhysicalAddress(0xfee0_0000 + offset), byteCount: 4, value: value)
        }
        return machine
    }

    /// Time passes; the timer thread does its work every half period.
    private func pass(_ machine: Machine, _ nanoseconds: UInt64) {
        let end = machine.host.now() + nanoseconds
        while machine.host.now() < end {
            machine.host.advance(min(Self.period / 2, end - machine.host.now()))
            machine.domain.fireTimers(now: machine.host.now())
        }
    }

    private func take(_ machine: Machine) -> Bool {
        let vcpu = machine.domain.vcpus[0]
        guard vcpu.acknowledgeInterrupt() == 0x40 else { return false }
        vcpu.writePhysical(GuestPhysicalAddress(0xfee0_00b0), byteCount: 4, value: 0)
        return true
    }

    private func takeAll(_ machine: Machine) -> Int {
        var count = 0
        while take(machine) { count += 1 }
        return count
    }

    /// The vCPU executes, is paused for ten periods and goes on.
    private func pause(_ machine: Machine) {
        let vcpu = machine.domain.vcpus[0]
        machine.cpus[0].onRun = { machine.domain.pause() }
        #expect(vcpu.step(machine.cpus[0]) == .wait)
        pass(machine, 10 * Self.period)
        machine.cpus[0].onRun = nil
        machine.domain.unpause()
        #expect(vcpu.step(machine.cpus[0]) == .again)
    }

    /// System time as the guest computes it from its TSC and `vcpu_time_info`.
    private func systemTime(_ machine: Machine) -> UInt64 {
        let info: UInt64 = 0x104020
        let ticks = machine.domain.vcpus[0].readTSC() &- machine.get(info + 8, as: UInt64.self)
        let product = (ticks >> 1).multipliedFullWidth(by: UInt64(machine.get(info + 24, as: UInt32.self)))
        return machine.get(info + 16, as: UInt64.self) + (product.high << 32 | product.low >> 32)
    }

    @Test(
        "A periodic APIC timer goes on through a pause as the domain's mode says",
        arguments: [(UInt64(0), 10), (1, 10), (2, 0), (3, 1)])
    func ticks(mode: UInt64, late: Int) throws {
        let machine = try machine(mode)
        pause(machine)
        #expect(takeAll(machine) == late)
        pass(machine, 3 * Self.period)
        #expect(takeAll(machine) == (mode == 0 || mode == 1 ? 3 : 1), "ticks nobody took are kept or collapsed as well")
    }

    @Test(
        "With delay_for_missed_ticks the TSC goes on where it stopped, and each late tick moves it on by a period",
        arguments: [(TSCMode.automatic, true), (.alwaysEmulated, true), (.native, false)])
    func delayedTSC(tscMode: TSCMode, isHeld: Bool) throws {
        let machine = try machine(0, tscMode)
        let vcpu = machine.domain.vcpus[0]
        let ticksPerPeriod: UInt64 = 2_596_120
        pass(machine, Self.period / 4)
        let before = vcpu.readTSC()
        pause(machine)
        #expect(vcpu.readTSC() - before <= (isHeld ? 1 : 10 * ticksPerPeriod + 1))
        #expect(vcpu.readTSC() - before >= (isHeld ? 0 : 10 * ticksPerPeriod - 1))
        for late in 1...10 as ClosedRange<UInt64> {
            #expect(take(machine))
            // The first tick was due three quarters of a period after the pause.
            let moved = Int64(vcpu.readTSC() - before)
            if isHeld { #expect(abs(moved - Int64(late * ticksPerPeriod - ticksPerPeriod / 4)) <= 2, "tick \(late)") }
            #expect(abs(Int64(systemTime(machine)) - Int64(machine.host.now())) <= 2, "system time is right all the while")
        }
        #expect(takeAll(machine) == 0)
        pass(machine, Self.period)
        #expect(takeAll(machine) == 1)
        // Taken a quarter of a period late as well.
        let moved = Int64(vcpu.readTSC() - before)
        #expect(abs(moved - Int64(11 * ticksPerPeriod - (isHeld ? ticksPerPeriod / 4 : 0))) <= 2)
    }

    @Test("With the other modes time goes on through a pause", arguments: [UInt64(1), 2, 3])
    func undelayed(mode: UInt64) throws {
        let machine = try machine(mode)
        let before = machine.domain.vcpus[0].readTSC()
        pause(machine)
        #expect(abs(Int64(machine.domain.vcpus[0].readTSC() - before) - 25_961_200) <= 1)
        #expect(machine.domain.configuration.hasInvariantTSC)
    }

    @Test("A guest whose TSC may stand is told that it is not invariant")
    func invariance() throws {
        let machine = try machine(0)
        #expect(!machine.domain.configuration.hasInvariantTSC)
        #expect(machine.domain.vcpus[0].cpuid(leaf: 0x8000_0007, subleaf: 0).edx & 1 << 8 == 0)
        #expect(machine.get(0x10403d, as: UInt8.self) & 1 == 0)
        let native = try self.machine(0, .native)
        #expect(native.domain.configuration.hasInvariantTSC)
    }

    @Test("A TSC the guest has set is held as well, and stays where it was set")
    func written() throws {
        let machine = try machine(0)
        pause(machine)
        #expect(machine.domain.vcpus[0].writeMSR(0x10, 5000))
        #expect(machine.domain.vcpus[0].readTSC() == 5000)
        pause(machine)
        #expect(machine.domain.vcpus[0].readTSC() <= 5001)
        #expect(abs(Int64(systemTime(machine)) - Int64(machine.host.now())) <= 2)
    }
}
