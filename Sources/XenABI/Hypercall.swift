/// Hypercall numbers (`public/xen.h`).
public enum Hypercall {
    public static let setTrapTable = 0
    public static let mmuUpdate = 1
    public static let platformOp = 7
    public static let memoryOp = 12
    public static let multicall = 13
    public static let setTimerOp = 15
    public static let xenVersion = 17
    public static let consoleIO = 18
    public static let grantTableOp = 20
    public static let vmAssist = 21
    public static let iret = 23
    public static let vcpuOp = 24
    public static let mmuExtendedOp = 26
    public static let xsmOp = 27
    public static let schedOp = 29
    public static let eventChannelOp = 32
    public static let physdevOp = 33
    public static let hvmOp = 34
    public static let sysctl = 35
    public static let domctl = 36
    public static let argoOp = 39
    public static let xenpmuOp = 40
    public static let deviceModelOp = 41
    public static let hypfsOp = 42
    /// `__HYPERVISOR_arch_1`, which x86 uses to continue a domctl.
    public static let pagingDomctlContinuation = 49

    /// Slots of the hypercall page; each is 32 bytes.
    public static let pageSlotCount = 128
    public static let pageSlotSize = 32
    /// First argument that asks a device-model operation for more buffers than exist.
    public static let deviceModelBufferLimit = 3
}

/// Domain numbers with a meaning of their own (`public/xen.h`).
public enum DomainID {
    /// The caller's own domain.
    public static let current: UInt16 = 0x7ff0
    /// The domain that runs the backends.
    public static let control: UInt16 = 0
}

/// XENVER_* commands (`public/version.h`).
public enum VersionOp {
    public static let version: UInt64 = 0
    public static let extraVersion: UInt64 = 1
    public static let compileInfo: UInt64 = 2
    public static let capabilities: UInt64 = 3
    public static let changeset: UInt64 = 4
    public static let platformParameters: UInt64 = 5
    public static let getFeatures: UInt64 = 6
    public static let pageSize: UInt64 = 7
    public static let guestHandle: UInt64 = 8
    public static let commandLine: UInt64 = 9
    public static let buildID: UInt64 = 10
    /// Last command of later versions (XENVER_extraversion2 ... XENVER_commandline2).
    public static let last: UInt64 = 14
}

/// Bits of XENVER_get_features, submap 0 (`public/features.h`).
public enum XenFeature {
    public static let writablePageTables: UInt32 = 1 << 0
    public static let autoTranslatedPhysmap: UInt32 = 1 << 2
    public static let hvmCallbackVector: UInt32 = 1 << 8
    public static let hvmSafePVClock: UInt32 = 1 << 9
    public static let hvmPIRQs: UInt32 = 1 << 10
    public static let memoryOpVNode: UInt32 = 1 << 13
    public static let notDirectMapped: UInt32 = 1 << 16
    public static let runstatePhysArea: UInt32 = 1 << 18
    public static let vcpuTimePhysArea: UInt32 = 1 << 19
    public static let deviceModelMSIXAllWrites: UInt32 = 1 << 20
}

/// VMASST_* of `vm_assist`.
public enum VMAssist {
    public static let enable: UInt64 = 0
    public static let disable: UInt64 = 1
    public static let runstateUpdateFlag: UInt64 = 5
}

/// SCHEDOP_* commands and shutdown reasons (`public/sched.h`).
public enum SchedOp {
    public static let yield: UInt64 = 0
    public static let block: UInt64 = 1
    public static let shutdown: UInt64 = 2
    public static let poll: UInt64 = 3
    public static let remoteShutdown: UInt64 = 4
    public static let shutdownCode: UInt64 = 5
    public static let watchdog: UInt64 = 6
    public static let pinOverride: UInt64 = 7
    /// Ports one poll may name.
    public static let pollPortLimit: UInt32 = 128
}

/// Why a domain shut down: the number the guest gave. Numbers without a name here are legal too.
public struct ShutdownReason: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let powerOff = ShutdownReason(rawValue: 0)
    public static let reboot = ShutdownReason(rawValue: 1)
    public static let suspend = ShutdownReason(rawValue: 2)
    public static let crash = ShutdownReason(rawValue: 3)
    public static let watchdog = ShutdownReason(rawValue: 4)
    public static let softReset = ShutdownReason(rawValue: 5)
}

/// VCPUOP_* commands (`public/vcpu.h`).
public enum VCPUOp {
    public static let initialise: UInt64 = 0
    public static let up: UInt64 = 1
    public static let down: UInt64 = 2
    public static let isUp: UInt64 = 3
    public static let getRunstateInfo: UInt64 = 4
    public static let registerRunstateArea: UInt64 = 5
    public static let setPeriodicTimer: UInt64 = 6
    public static let stopPeriodicTimer: UInt64 = 7
    public static let setSingleshotTimer: UInt64 = 8
    public static let stopSingleshotTimer: UInt64 = 9
    public static let registerVCPUInfo: UInt64 = 10
    public static let sendNMI: UInt64 = 11
    public static let getPhysicalID: UInt64 = 12
    public static let registerTimeArea: UInt64 = 13
    public static let registerRunstatePhysArea: UInt64 = 14
    public static let registerTimePhysArea: UInt64 = 15
    /// Shortest period of VCPUOP_set_periodic_timer, in nanoseconds.
    public static let minimumPeriod: UInt64 = 1_000_000
}

/// PHYSDEVOP_* commands a guest without interrupt sources can name (`public/physdev.h`).
public enum PhysdevOp {
    public static let mapPIRQ: UInt64 = 13
    public static let unmapPIRQ: UInt64 = 14
}
