import Testing
import XenABI
import XenDomain

@Suite("Upcalls") struct UpcallTests {
    private func setVector(_ machine: Machine, vcpu: UInt32, _ vector: UInt8) -> Int64 {
        machine.put(vcpu, at: Machine.scratch)
        machine.put(UInt32(vector), at: Machine.scratch + 4)
        return machine.call(Hypercall.hvmOp, HVMOp.setEventChannelUpcallVector, Machine.scratch)
    }

    private func enableAPIC(_ vcpu: VCPU) { #expect(vcpu.writeMSR(0x1b, 0xfee0_0d00) && vcpu.writeMSR(0x80f, 0x1ff)) }

    @Test("Only vectors are routed; an interrupt line is stored and changes nothing", arguments: [1, 9, 0x0100_0000_0000_0018] as [UInt64])
    func lines(value: UInt64) throws {
        let machine = try Machine()
        #expect(machine.setParameter(HVMParameter.callbackIRQ, value) == 0)
        machine.domain.notify(1)
        #expect(machine.domain.parameter(HVMParameter.callbackIRQ) == value)
        #expect(!machine.domain.vcpus[0].hasPendingInterrupt())
        #expect(machine.setParameter(HVMParameter.callbackIRQ, 2 << 56 | 0xf3) == 0)
        #expect(machine.setParameter(HVMParameter.callbackIRQ, value) == 0)
        #expect(machine.domain.vcpus[0].acknowledgeInterrupt() == 0xf3)
    }

    @Test("A vector of its own reaches the vCPU through its APIC, as an edge")
    func perVCPU() throws {
        let machine = try Machine()
        let vcpu = machine.domain.vcpus[0]
        machine.mapSharedInfo()
        enableAPIC(vcpu)
        #expect(setVector(machine, vcpu: 0, 0xf3) == 0)
        #expect(machine.setParameter(HVMParameter.callbackIRQ, 1) == 0)
        machine.domain.notify(1)
        #expect(vcpu.hasPendingInterrupt())
        #expect(vcpu.acknowledgeInterrupt() == 0xf3)
        #expect(!vcpu.hasPendingInterrupt())
        machine.put(UInt64(0), at: 0x104008)
        machine.put(UInt8(0), at: 0x104000)
        machine.domain.notify(2)
        // In service until the guest completes it.
        #expect(!vcpu.hasPendingInterrupt())
        #expect(vcpu.writeMSR(0x80b, 0))
        #expect(vcpu.acknowledgeInterrupt() == 0xf3)
    }

    @Test("A vector that is set late is raised at once for what is pending")
    func late() throws {
        let machine = try Machine()
        enableAPIC(machine.domain.vcpus[0])
        machine.domain.notify(1)
        #expect(setVector(machine, vcpu: 0, 0x40) == 0)
        #expect(machine.domain.vcpus[0].acknowledgeInterrupt() == 0x40)
    }

    @Test(
        "Vectors of exceptions and absent vCPUs are refused",
        arguments: [(UInt32(0), UInt8(0x0f), XenError.invalidArgument), (1, 0x40, .noEntry)])
    func refused(vcpu: UInt32, vector: UInt8, error: XenError) throws {
        #expect(setVector(try Machine(), vcpu: vcpu, vector) == error.result)
    }

    @Test("A registered vcpu_info takes over contents and gets everything raised once", arguments: [true, false])
    func register(is64Bit: Bool) throws {
        let machine = try Machine(is64Bit: is64Bit)
        machine.mapSharedInfo()
        #expect(machine.setParameter(HVMParameter.callbackIRQ, 2 << 56 | 0xf3) == 0)
        func register(_ gfn: UInt64, _ offset: UInt32) -> Int64 {
            machine.put(gfn, at: Machine.scratch)
            machine.put(UInt64(offset), at: Machine.scratch + 8)
            return machine.call(Hypercall.vcpuOp, VCPUOp.registerVCPUInfo, 0, Machine.scratch)
        }
        #expect(register(0x300, 4040) == XenError.invalidArgument.result)
        #expect(register(0x99999, 0) == XenError.invalidArgument.result)
        #expect(register(0x300, 0x40) == 0)
        #expect(machine.get(0x300040, as: UInt8.self) == 1)
        #expect(machine.get(0x300040 + (is64Bit ? 8 : 4), as: UInt32.self) == .max)
        #expect(machine.get(0x300078, as: UInt32.self) == 0xc537_a69a)
        #expect(machine.domain.vcpus[0].hasPendingInterrupt())
        machine.put(UInt8(0), at: 0x300040)
        machine.domain.notify(1)
        #expect(machine.get(0x104000, as: UInt8.self) == 0)
        machine.put(UInt32(0), at: 0x300040 + (is64Bit ? 8 : 4))
        machine.domain.notify(2)
        #expect(machine.get(0x300040, as: UInt8.self) == 1)
        #expect(register(0x300, 0x80) == XenError.invalidArgument.result)
    }

    @Test("Later versions tell a second vcpu_info and a bad offset apart")
    func newerVersion() throws {
        var configuration = Machine.configuration()
        configuration.version = .v4_20
        let machine = try Machine(configuration)
        func register(_ gfn: UInt64, _ offset: UInt32) -> Int64 {
            machine.put(gfn, at: Machine.scratch)
            machine.put(UInt64(offset), at: Machine.scratch + 8)
            return machine.call(Hypercall.vcpuOp, VCPUOp.registerVCPUInfo, 0, Machine.scratch)
        }
        #expect(register(0x300, 4040) == XenError.noSuchAddress.result)
        #expect(register(0x300, 3) == XenError.noSuchAddress.result)
        #expect(register(0x300, 0) == 0)
        #expect(register(0x300, 0) == XenError.busy.result)
    }
}
