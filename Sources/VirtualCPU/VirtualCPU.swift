public import GuestMemory
public import X86

/// Why an engine stopped running a vCPU.
public enum VirtualCPUExit: Equatable, Sendable {
    /// The guest executed HLT; call `run` again once something woke it.
    case halted
    /// `VirtualCPUEnvironment.shouldLeave` asked for it at an instruction boundary.
    case left
    /// A fault while a double fault was delivered.
    case tripleFault
    /// The guest cannot go on for a reason the architecture does not know, such as fetching from no memory.
    case crashed(String)
}

/// What a vCPU reaches outside of itself. Called on the vCPU's own thread, between or inside instructions; may block only
/// as long as a device access takes.
public protocol VirtualCPUEnvironment: AnyObject {
    /// IN: the value in the low `byteCount` (1, 2, 4) bytes; all ones where no device answers.
    func readPort(_ port: UInt16, byteCount: Int) -> UInt32
    func writePort(_ port: UInt16, byteCount: Int, value: UInt32)
    /// A read of a physical address that no RAM backs; `byteCount` is 1, 2, 4 or 8. All ones where nothing answers.
    func readPhysical(_ address: GuestPhysicalAddress, byteCount: Int) -> UInt64
    func writePhysical(_ address: GuestPhysicalAddress, byteCount: Int, value: UInt64)
    /// RDMSR of a register the engine does not keep itself; nil is #GP(0).
    func readMSR(_ index: UInt32) -> UInt64?
    /// WRMSR of a register the engine does not keep itself; false is #GP(0).
    func writeMSR(_ index: UInt32, _ value: UInt64) -> Bool
    /// CPUID as the guest shall see it, before the engine folds in what its own state decides (OSXSAVE, XSAVE sizes).
    func cpuid(leaf: UInt32, subleaf: UInt32) -> CPUIDResult
    /// VMCALL or VMMCALL, at any privilege level. The handler reads and writes the registers of `cpu`; the instruction
    /// retires when it returns.
    func hypercall(_ cpu: any VirtualCPU)
    /// True while an external interrupt waits; asked at instruction boundaries after `requestAttention`.
    func hasPendingInterrupt() -> Bool
    /// The vector to deliver now, with the acknowledgement its source needs; nil when the request went away.
    func acknowledgeInterrupt() -> UInt8?
    /// True when `run` shall return `.left`.
    func shouldLeave() -> Bool
    /// True once for each non-maskable interrupt to deliver.
    func takeNMI() -> Bool
    /// RDTSC, in ticks of the frequency that CPUID states.
    func readTSC() -> UInt64
}

/// One vCPU as every engine presents it. All calls but `requestAttention` belong to the vCPU's own thread.
public protocol VirtualCPU: AnyObject {
    /// Number of the vCPU in its domain, from 0.
    var index: Int { get }
    /// Guest instructions retired since creation; 0 where the engine cannot count.
    var instructionCount: UInt64 { get }
    /// Runs the guest until something for the caller happens.
    func run() -> VirtualCPUExit
    /// Makes the engine look at interrupts, TLB requests and `shouldLeave` at its next instruction boundary. Any thread.
    func requestAttention()
    /// Drops every cached translation at the next instruction boundary, after guest-physical memory changed. Any thread.
    func requestTLBFlush()

    /// The whole state, in and out. Setting it resets nothing else.
    var registerState: RegisterState { get set }
    /// What `registerState` lacks: 512 bytes as FXSAVE64 stores x87, MMX and SSE registers; nil where the engine has none.
    var floatingPointImage: [UInt8]? { get }
    func general(_ register: GPR) -> UInt64
    func setGeneral(_ register: GPR, _ value: UInt64)
    /// True when the vCPU is in 64-bit mode now (EFER.LMA and CS.L): which hypercall ABI its caller uses.
    var is64Bit: Bool { get }
    /// Current privilege level, 0 to 3.
    var privilegeLevel: Int { get }
    /// True when RFLAGS.IF is set.
    var interruptsEnabled: Bool { get }

    /// Copies from the guest's current linear address space with supervisor rights (no SMAP, no SMEP).
    /// Returns false, with an unspecified part of `buffer` written, when any byte is not mapped to RAM.
    func readLinear(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool
    /// Copies into the guest's current linear address space; false when any byte is not mapped writable to RAM, with an
    /// unspecified part written.
    func writeLinear(_ address: UInt64, from buffer: UnsafeRawBufferPointer) -> Bool
}

extension VirtualCPU {
    public var floatingPointImage: [UInt8]? { nil }
}
