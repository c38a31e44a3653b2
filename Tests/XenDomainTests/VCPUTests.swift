import Testing
import VirtualCPU
import X86
import XenABI
import XenDomain

@Suite("vCPUs") struct VCPUTests {
    private func sendIPI(_ machine: Machine, _ command: UInt64) { #expect(machine.domain.vcpus[0].writeMSR(0x830, command)) }

    private func pair() throws -> Machine {
        let machine = try Machine(Machine.configuration(vcpus: 2))
        for (index, value) in [(0x1b, 0xfee0_0d00), (0x80f, 0x1ff)] as [(UInt32, UInt64)] {
            #expect(machine.domain.vcpus[0].writeMSR(index, value))
        }
        return machine
    }

    @Test("INIT and SIPI start a second vCPU in real mode")
    func startUp() throws {
        let machine = try pair()
        let second = machine.domain.vcpus[1]
        #expect(!second.isOnline && second.step(machine.cpus[1]) == .wait)
        sendIPI(machine, 2 << 32 | 0x4500)
        #expect(!second.isOnline)
        sendIPI(machine, 2 << 32 | 0x4699)
        #expect(second.isOnline)
        #expect(machine.host.take().started == [1])
        machine.cpus[1].exits = [.left]
        #expect(second.step(machine.cpus[1]) == .again)
        let state = machine.cpus[1].registerState
        #expect(state[.cs] == Segment(selector: 0x9900, base: 0x99000, limit: 0xffff, attributes: 0x9b))
        #expect(state.rip == 0 && state.cr0 == 0x10 && state.efer == 0)
        // The second start-up interrupt of the usual sequence changes nothing.
        sendIPI(machine, 2 << 32 | 0x4612)
        #expect(second.step(machine.cpus[1]) == .again)
        #expect(machine.cpus[1].registerState[.cs].selector == 0x9900)
    }

    @Test("INIT stops a running vCPU until it is started again")
    func initialise() throws {
        let machine = try pair()
        let second = machine.domain.vcpus[1]
        sendIPI(machine, 2 << 32 | 0x4608)
        sendIPI(machine, 2 << 32 | 0xc500)
        #expect(!second.isOnline && second.shouldLeave())
        sendIPI(machine, 2 << 32 | 0x8500)
        sendIPI(machine, 2 << 32 | 0x4609)
        #expect(second.isOnline)
        #expect(second.step(machine.cpus[1]) == .again)
        #expect(machine.cpus[1].registerState[.cs].selector == 0x900)
    }

    @Test("Interrupts and NMIs between vCPUs arrive")
    func interprocessor() throws {
        let machine = try pair()
        let second = machine.domain.vcpus[1]
        sendIPI(machine, 2 << 32 | 0x4608)
        #expect(second.writeMSR(0x1b, 0xfee0_0c00) && second.writeMSR(0x80f, 0x1ff))
        sendIPI(machine, 2 << 32 | 0x41)
        #expect(second.acknowledgeInterrupt() == 0x41)
        #expect(!machine.domain.vcpus[0].hasPendingInterrupt())
        sendIPI(machine, 2 << 32 | 0x400)
        #expect(second.takeNMI())
        #expect(!second.takeNMI())
        sendIPI(machine, 0x8_0055)
        #expect(machine.domain.vcpus[0].acknowledgeInterrupt() == 0x55)
        #expect(second.writeMSR(0x80b, 0))
        #expect(second.acknowledgeInterrupt() == 0x55)
    }

    @Test("vcpu_op brings a vCPU up with the state it was given")
    func vcpuOp() throws {
        let machine = try pair()
        let at = Machine.scratch
        for offset in stride(from: UInt64(0), to: 128, by: 8) { machine.put(UInt64(0), at: at + offset) }
        func op(_ command: UInt64) -> Int64 { machine.call(Hypercall.vcpuOp, command, 1, at) }
        #expect(op(VCPUOp.up) == XenError.invalidArgument.result)
        machine.put(UInt32(2), at: at)
        #expect(op(VCPUOp.initialise) == XenError.invalidArgument.result)
        machine.put(UInt32(1), at: at)
        #expect(op(VCPUOp.initialise) == XenError.invalidArgument.result)
        machine.put(UInt64(0x1234), at: at + 8 + 64)
        machine.put(UInt64(0x8000_0011), at: at + 8 + 80)
        machine.put(UInt64(0x5000), at: at + 8 + 88)
        machine.put(UInt64(0x20), at: at + 8 + 96)
        machine.put(UInt64(0x100), at: at + 8 + 104)
        #expect(op(VCPUOp.initialise) == 0)
        #expect(op(VCPUOp.initialise) == XenError.exists.result)
        #expect(op(VCPUOp.isUp) == 0)
        #expect(op(VCPUOp.up) == 0)
        #expect(op(VCPUOp.isUp) == 1)
        #expect(machine.domain.vcpus[1].step(machine.cpus[1]) == .again)
        let state = machine.cpus[1].registerState
        #expect(state.rip == 0x1234 && state.cr3 == 0x5000 && state.efer == 0x500 && state[.cs].attributes == 0xa9b)
        #expect(op(VCPUOp.down) == 0)
        #expect(machine.domain.vcpus[1].step(machine.cpus[1]) == .wait)
        #expect(machine.domain.shutdownReason == nil)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.down, 0, 0) == 0)
        #expect(machine.domain.shutdownReason == .powerOff)
    }

    @Test("HLT waits for an interrupt")
    func halt() throws {
        let machine = try pair()
        let vcpu = machine.domain.vcpus[0]
        let cpu = machine.cpus[0]
        cpu.exits = [.halted]
        #expect(vcpu.step(cpu) == .wait)
        #expect(!vcpu.isRunnable)
        machine.domain.notify(1)
        #expect(!vcpu.isRunnable, "nobody takes the event: no vector is set")
        #expect(machine.setParameter(0, 2 << 56 | 0x40) == 0)
        #expect(vcpu.isRunnable)
        cpu.exits = [.left]
        #expect(vcpu.step(cpu) == .again)
    }

    @Test("HLT with interrupts off powers the domain off when it was the last vCPU")
    func deadHalt() throws {
        let machine = try Machine()
        machine.cpus[0].interruptsEnabled = false
        machine.cpus[0].exits = [.halted]
        #expect(machine.domain.vcpus[0].step(machine.cpus[0]) == .stopped)
        #expect(machine.host.take().shutdowns == [.powerOff])
    }

    @Test("SCHEDOP_block leaves the engine and waits for an event")
    func block() throws {
        let machine = try Machine()
        let vcpu = machine.domain.vcpus[0]
        let cpu = machine.cpus[0]
        machine.mapSharedInfo()
        cpu.onRun = { machine.call(Hypercall.schedOp, SchedOp.block, 0) }
        #expect(vcpu.step(cpu) == .wait)
        #expect(vcpu.shouldLeave())
        _ = machine.host.take()
        machine.domain.notify(1)
        #expect(machine.host.take().woken.contains(0))
        #expect(vcpu.isRunnable)
        cpu.onRun = { #expect(!vcpu.shouldLeave()) }
        #expect(vcpu.step(cpu) == .again)
    }

    @Test("SCHEDOP_poll waits for its ports, masked or not, or for its time", arguments: [true, false])
    func poll(is64Bit: Bool) throws {
        let machine = try Machine(is64Bit: is64Bit)
        let vcpu = machine.domain.vcpus[0]
        let cpu = machine.cpus[0]
        machine.mapSharedInfo()
        machine.put(UInt32.max, at: 0x104000 + (is64Bit ? 2560 : 2176))
        func poll(_ ports: [UInt32], timeout: UInt64) -> VCPUStep {
            machine.putWord(Machine.scratch + 0x100, at: Machine.scratch)
            machine.put(UInt32(ports.count), at: Machine.scratch + (is64Bit ? 8 : 4))
            machine.put(timeout, at: Machine.scratch + (is64Bit ? 16 : 8))
            for (index, port) in ports.enumerated() { machine.put(port, at: Machine.scratch + 0x100 + UInt64(index) * 4) }
            cpu.onRun = { machine.call(Hypercall.schedOp, SchedOp.poll, Machine.scratch) }
            return vcpu.step(cpu)
        }
        #expect(poll([2], timeout: 0) == .wait)
        machine.domain.notify(1)
        #expect(!vcpu.isRunnable)
        machine.domain.notify(2)
        #expect(vcpu.isRunnable)
        #expect(poll([2], timeout: 0) == .again, "pending already")
        machine.put(UInt32(0), at: 0x104800)
        let deadline = machine.host.now() + 1000
        #expect(poll([2], timeout: deadline) == .wait)
        #expect(machine.domain.nextDeadline() == deadline)
        machine.domain.fireTimers(now: deadline)
        #expect(vcpu.isRunnable)
        #expect(poll([2], timeout: 1) == .again, "the time is over already")
        machine.put(UInt32(0), at: 0x104800)
        #expect(poll([0], timeout: 0) == .again)
        #expect(machine.cpus[0].general(.rax) & 0xffff_ffff == UInt64(UInt32(bitPattern: -22)))
        machine.put(UInt32(129), at: Machine.scratch + (is64Bit ? 8 : 4))
        #expect(machine.call(Hypercall.schedOp, SchedOp.poll, Machine.scratch) == XenError.invalidArgument.result)
    }

    @Test("Every reason of a shutdown reaches the owner once", arguments: [UInt32(0), 1, 2, 3, 4, 5, 6, 77])
    func shutdown(reason: UInt32) throws {
        let machine = try Machine()
        machine.put(reason, at: Machine.scratch)
        #expect(machine.call(Hypercall.schedOp, SchedOp.shutdown, Machine.scratch) == 0)
        #expect(machine.call(Hypercall.schedOp, SchedOp.shutdown, Machine.scratch) == 0)
        #expect(machine.host.take().shutdowns == [ShutdownReason(rawValue: UInt8(reason))])
        #expect(machine.domain.vcpus[0].shouldLeave())
        #expect(machine.domain.vcpus[0].step(machine.cpus[0]) == .stopped)
    }

    @Test("A shutdown code that was latched wins over the reason given later")
    func latchedCode() throws {
        let machine = try Machine()
        machine.put(UInt32(3), at: Machine.scratch)
        #expect(machine.call(Hypercall.schedOp, SchedOp.shutdownCode, Machine.scratch) == 0)
        machine.domain.shutdown(.powerOff)
        #expect(machine.domain.shutdownReason == .crash)
    }

    @Test("A triple fault reboots, a crash names its cause")
    func faults() throws {
        let machine = try Machine()
        machine.cpus[0].exits = [.tripleFault]
        #expect(machine.domain.vcpus[0].step(machine.cpus[0]) == .stopped)
        #expect(machine.domain.shutdownReason == .reboot)
        let other = try Machine()
        other.cpus[0].exits = [.crashed("no memory to fetch from")]
        #expect(other.domain.vcpus[0].step(other.cpus[0]) == .stopped)
        let record = other.host.take()
        #expect(record.shutdowns == [.crash] && record.crashes == ["vCPU 0: no memory to fetch from"])
    }

    @Test("A paused domain does not run, however often it was paused")
    func pause() throws {
        let machine = try Machine()
        let vcpu = machine.domain.vcpus[0]
        machine.domain.pause()
        machine.domain.pause()
        #expect(vcpu.shouldLeave() && vcpu.step(machine.cpus[0]) == .wait)
        machine.domain.unpause()
        #expect(!vcpu.isRunnable)
        machine.domain.unpause()
        #expect(machine.host.take().woken.contains(0))
        #expect(vcpu.step(machine.cpus[0]) == .again)
    }

    @Test("The run state area follows the vCPU", arguments: [true, false])
    func runstate(is64Bit: Bool) throws {
        let machine = try Machine(is64Bit: is64Bit)
        #expect(machine.setParameter(0, 1) == 0)
        let area = Machine.scratch + 0x200
        machine.putWord(area, at: Machine.scratch)
        machine.put(UInt32(0), at: Machine.scratch + 4)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.registerRunstateArea, 0, Machine.scratch) == 0)
        let vcpu = machine.domain.vcpus[0]
        machine.cpus[0].exits = [.halted]
        machine.cpus[0].onRun = {
            #expect(machine.get(area, as: UInt32.self) == RunstateLayout.running)
            machine.host.advance(700)
        }
        #expect(vcpu.step(machine.cpus[0]) == .wait)
        #expect(machine.get(area, as: UInt32.self) == RunstateLayout.blocked)
        let times = area + (is64Bit ? 16 : 12)
        #expect(machine.get(times, as: UInt64.self) == 700)
        machine.host.advance(300)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.getRunstateInfo, 0, Machine.scratch + 0x300) == 0)
        let info = Machine.scratch + 0x300 + (is64Bit ? 16 : 12)
        #expect(machine.get(info + 16, as: UInt64.self) == 300)
        #expect(machine.get(area + (is64Bit ? 8 : 4), as: UInt64.self) >> 63 == 0)
    }

    @Test("Areas by physical address exist from 4.18 on")
    func physicalAreas() throws {
        #expect(try Machine().call(Hypercall.vcpuOp, 14, 0, Machine.scratch) == XenError.notImplemented.result)
        var configuration = Machine.configuration()
        configuration.version = .v4_20
        let machine = try Machine(configuration)
        machine.put(UInt64(0x30_0040), at: Machine.scratch)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.registerTimePhysArea, 0, Machine.scratch) == 0)
        #expect(machine.get(0x30_0058, as: UInt32.self) == 0xc537_a69a)
        machine.put(UInt64(0x30_0080), at: Machine.scratch)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.registerRunstatePhysArea, 0, Machine.scratch) == 0)
        machine.cpus[0].exits = [.halted]
        #expect(machine.domain.vcpus[0].step(machine.cpus[0]) == .wait)
        #expect(machine.get(0x30_0080, as: UInt32.self) == RunstateLayout.blocked)
        machine.put(UInt64(0x30_0fff), at: Machine.scratch)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.registerTimePhysArea, 0, Machine.scratch) == XenError.noSuchAddress.result)
        // A record that only fits in its 32-bit form is left alone once the guest is a 64-bit one.
        machine.cpus[0].is64Bit = false
        machine.put(UInt64(0x30_0fd4), at: Machine.scratch)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.registerRunstatePhysArea, 0, Machine.scratch) == 0)
        machine.cpus[0].is64Bit = true
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.sendNMI, 0, 0) == 0)
        #expect(machine.domain.vcpus[0].step(machine.cpus[0]) == .again)
        machine.put(UInt64.max, at: Machine.scratch)
        #expect(machine.call(Hypercall.vcpuOp, VCPUOp.registerRunstatePhysArea, 0, Machine.scratch) == 0)
    }
}
