/// HVMOP_* commands (`public/hvm/hvm_op.h`).
public enum HVMOp {
    public static let setParameter: UInt64 = 0
    public static let getParameter: UInt64 = 1
    public static let flushTLBs: UInt64 = 5
    public static let pagetableDying: UInt64 = 9
    public static let getTime: UInt64 = 10
    public static let xentrace: UInt64 = 11
    public static let getMemoryType: UInt64 = 15
    public static let setEventChannelUpcallVector: UInt64 = 23
    public static let guestRequestVMEvent: UInt64 = 24
    public static let alternativeP2M: UInt64 = 25
}

/// HVM_PARAM_* indices (`public/hvm/params.h`).
public enum HVMParameter {
    public static let callbackIRQ = 0
    public static let storePFN = 1
    public static let storeEventChannel = 2
    public static let paeEnabled = 4
    public static let ioreqPFN = 5
    public static let bufferedIOReqPFN = 6
    public static let timerMode = 10
    public static let hpetEnabled = 11
    public static let identityPageTable = 12
    public static let acpiSState = 14
    public static let vm86TSS = 15
    public static let vpt = 16
    public static let consolePFN = 17
    public static let consoleEventChannel = 18
    public static let acpiIOPortsLocation = 19
    public static let pagingRingPFN = 27
    public static let monitorRingPFN = 28
    public static let sharingRingPFN = 29
    public static let tripleFaultReason = 31
    public static let vmGenerationIDAddress = 34
    public static let alternativeP2M = 35
    public static let x87FIPWidth = 36
    public static let vm86TSSSized = 37
    public static let mcaCapability = 38
    /// Number of parameters.
    public static let count = 39

    /// How the top byte of `callbackIRQ` reads.
    public static let callbackTypeShift: UInt64 = 56
    public static let callbackTypeVector: UInt64 = 2
}

/// `vcpu_hvm_context`, the argument of VCPUOP_initialise (`public/hvm/hvm_vcpu.h`).
public enum VCPUHVMContext {
    public static let size = 128
    public static let mode32: UInt32 = 0
    public static let mode64: UInt32 = 1
    /// Where the registers start.
    public static let registers = 8
}
