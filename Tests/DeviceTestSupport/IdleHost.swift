public import GuestMemory
public import VirtualCPU
public import X86
public import XenABI
public import XenDomain

/// A host for a domain whose vCPUs never run.
public final class IdleHost: DomainHost {
    public init() {}
    public let tscFrequencyKHz: UInt32 = 1_000_000
    public let wallClockBase: UInt64 = 0
    public func now() -> UInt64 { 1 }
    public func readTSC() -> UInt64 { 1 }
    public func wake(vcpu: Int) {}
    public func timersChanged() {}
    public func startVCPU(_ index: Int) {}
    public func shutdown(_ reason: ShutdownReason) {}
    public func crashed(_ message: String) {}
    public func hypervisorLog(_ byte: UInt8) {}
}

/// A vCPU that makes hypercalls for a test: linear addresses are physical ones.
public final class CallingCPU: VirtualCPU {
    public let memory: GuestMemory
    public var registerState = RegisterState()
    public let index = 0
    public let is64Bit = true
    public let privilegeLevel = 0
    public let interruptsEnabled = false
    public let instructionCount: UInt64 = 0

    public init(_ memory: GuestMemory) { self.memory = memory }

    public func run() -> VirtualCPUExit { .left }
    public func requestAttention() {}
    public func requestTLBFlush() {}
    public func general(_ register: GPR) -> UInt64 { registerState[register] }
    public func setGeneral(_ register: GPR, _ value: UInt64) { registerState[register] = value }

    public func readLinear(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        do { unsafe try memory.read(GuestPhysicalAddress(address), into: buffer) } catch { return false }
        return true
    }

    public func writeLinear(_ address: UInt64, from buffer: UnsafeRawBufferPointer) -> Bool {
        do { unsafe try memory.write(GuestPhysicalAddress(address), from: buffer) } catch { return false }
        return true
    }
}
