import GuestMemory
import PVRing
import Synchronization
import VirtualCPU
import X86
import XenABI
import XenDomain

/// A vCPU that executes a Swift function instead of instructions; its linear addresses are physical ones.
final class ScriptedCPU: VirtualCPU, @unchecked Sendable {
    typealias Script = @Sendable (ScriptedCPU) -> VirtualCPUExit

    let index: Int
    let memory: GuestMemory
    let environment: any VirtualCPUEnvironment
    var registerState = RegisterState()
    let is64Bit = false
    let privilegeLevel = 0
    let interruptsEnabled = true
    var instructionCount: UInt64 = 0
    private let attention = Atomic<Bool>(false)
    private let script: Script

    init(_ index: Int, _ memory: GuestMemory, _ environment: any VirtualCPUEnvironment, _ script: @escaping Script) {
        self.index = index
        self.memory = memory
        self.environment = environment
        self.script = script
    }

    func run() -> VirtualCPUExit { environment.shouldLeave() ? .left : script(self) }
    func requestAttention() { attention.store(true, ordering: .sequentiallyConsistent) }
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

    // MARK: - what scripts do

    /// Counts instructions until somebody asks for attention.
    func compute() -> VirtualCPUExit {
        while !attention.exchange(false, ordering: .sequentiallyConsistent) { instructionCount &+= 1 }
        return .left
    }

    /// The number the hypervisor calls the guest by (CPUID 0x40000004, ECX).
    var domainID: UInt32 { environment.cpuid(leaf: 0x4000_0004, subleaf: 0).ecx }

    func word(at address: UInt64) -> UInt32 {
        do { return try memory.load(GuestPhysicalAddress(address), as: UInt32.self) } catch {
            preconditionFailure("low memory is populated")
        }
    }

    func store(_ word: UInt32, at address: UInt64) {
        do { try memory.store(GuestPhysicalAddress(address), word) } catch { preconditionFailure("low memory is populated") }
    }

    private static let scratch: UInt64 = 0x8000

    private func call(_ number: Int, _ command: UInt64, argument: UInt32) {
        do { try memory.store(GuestPhysicalAddress(Self.scratch), argument) } catch { preconditionFailure("low memory is populated") }
        setGeneral(.rax, UInt64(number))
        setGeneral(.rbx, command)
        setGeneral(.rcx, Self.scratch)
        environment.hypercall(self)
    }

    /// SCHEDOP_shutdown.
    func shutDown(_ reason: UInt32) -> VirtualCPUExit {
        call(Hypercall.schedOp, SchedOp.shutdown, argument: reason)
        return .left
    }

    /// Writes to the console's ring and raises its port.
    func print(_ text: String) {
        do {
            let ring = ByteRing(try SharedPage(memory, GuestFrameNumber(0xfefff)), .consoleOutput)
            _ = try ring.write(Array(text.utf8)[...])
        } catch { preconditionFailure("the console's page is populated") }
        call(Hypercall.eventChannelOp, EventChannelOp.send, argument: 2)
    }

    /// Writes to the hypervisor's log port.
    func log(_ text: String) {
        for byte in text.utf8 { environment.writePort(0xe9, byteCount: 1, value: UInt32(byte)) }
    }
}
