import GuestMemory
import VirtualCPU
import X86
import XenABI
import XenDomain

/// A host for a domain whose vCPUs never run.
final class IdleHost: DomainHost {
    let tscFrequencyKHz: UInt32 = 1_000_000
    let wallClockBase: UInt64 = 0
    func now() -> UInt64 { 1 }
    func readTSC() -> UInt64 { 1 }
    func wake(vcpu: Int) {}
    func timersChanged() {}
    func startVCPU(_ index: Int) {}
    func shutdown(_ reason: ShutdownReason) {}
    func crashed(_ message: String) {}
    func hypervisorLog(_ byte: UInt8) {}
}

/// A vCPU that makes hypercalls for a test: linear addresses are physical ones.
final class CallingCPU: VirtualCPU {
    let memory: GuestMemory
    var registerState = RegisterState()
    let index = 0
    let is64Bit = true
    let privilegeLevel = 0
    let interruptsEnabled = false
    let instructionCount: UInt64 = 0

    init(_ memory: GuestMemory) { self.memory = memory }

    func run() -> VirtualCPUExit { .left }
    func requestAttention() {}
    func requestTLBFlush() {}
    func general(_ register: GPR) -> UInt64 { registerState[register] }
    func setGeneral(_ register: GPR, _ value: UInt64) { registerState[register] = value }

    func readLinear(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        do { unsafe try memory.read(GuestPhysicalAddress(address), into: buffer) } catch { return false }
        return true
    }

    func writeLinear(_ address: UInt64, from buffer: UnsafeRawBufferPointer) -> Bool {
        do { unsafe try memory.write(GuestPhysicalAddress(address), from: buffer) } catch { return false }
        return true
    }
}
