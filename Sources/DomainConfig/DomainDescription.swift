/// The guest a configuration describes, before any default has been filled in: nil means that the configuration is silent.
public struct DomainDescription: Equatable, Sendable {
    public var name: String
    /// Lower-case hexadecimal, 8-4-4-4-12.
    public var uuid: String?
    public var type: DomainType

    /// `memory=` and `maxmem=`, in KiB.
    public var memoryKiB: UInt64?
    public var maxMemoryKiB: UInt64?
    public var vcpus: Int?
    public var maxVCPUs: Int?
    /// `cpus=` and `cpus_soft=`: for each vCPU the host's CPUs its thread may and should run on.
    public var hardAffinity: [[Int]]?
    public var softAffinity: [[Int]]?

    public var kernel: String?
    public var ramdisk: String?
    /// From `cmdline`, or `root` and `extra`.
    public var commandLine: String?

    /// A program of the host that finds the kernel on the guest's disk; with one, `kernel` and `ramdisk` are only told to it.
    public var bootloader: String?
    public var bootloaderArguments: [String] = []
    public var bootloaderUser: String?
    public var restrictsBootloader: Bool?

    public var onPoweroff: Action = .destroy
    public var onReboot: Action = .restart
    public var onWatchdog: Action = .destroy
    public var onCrash: Action = .destroy
    public var onSoftReset: Action = .softReset

    public var apic: Bool?
    public var acpi: Bool?
    public var timerMode: TimerMode?
    public var tscMode: TSCMode?
    public var msrRelaxed: Bool?
    /// `cpuid=`: what CPUID is to say.
    public var cpuid = CPUIDPolicy()
    public var maxGrantFrames: UInt32?
    public var maxGrantVersion: UInt32?
    public var maxEventChannels: UInt32?
    public var localtime: Bool?
    public var rtcTimeOffsetSeconds: Int64?

    /// Where each key stands, for messages about it later.
    public var places: [String: ConfigPlace] = [:]
    public var disks: [Placed<DiskSpecification>] = []
    public var networks: [Placed<NetworkSpecification>] = []
    /// What is only shown.
    public var inert = InertSettings()

    /// A guest of which nothing else is said.
    public init(name: String, type: DomainType) {
        self.name = name
        self.type = type
    }

    /// What happens when the guest ends; the raw values are xl.cfg's words.
    public enum Action: String, CaseIterable, Sendable {
        case destroy, restart, preserve
        case renameRestart = "rename-restart"
        case coredumpDestroy = "coredump-destroy"
        case coredumpRestart = "coredump-restart"
        case softReset = "soft-reset"
    }

    /// Missed timer ticks; raw values are Xen's numbers (`HVMPTM_*`).
    public enum TimerMode: Int, CaseIterable, Sendable {
        case delayForMissedTicks, noDelayForMissedTicks, noMissedTicksPending, oneMissedTickPending
    }

    /// Raw values are Xen's numbers (`TSC_MODE_*`). The last one has been removed from Xen.
    public enum TSCMode: Int, CaseIterable, Sendable {
        case `default`, alwaysEmulate, native, nativeParavirt
    }
}

/// A device with the place of its specification, for messages about it later.
public struct Placed<Device: Equatable & Sendable>: Equatable, Sendable {
    public var device: Device
    /// nil when it comes from JSON or from the command line of a verb.
    public var place: ConfigPlace?

    public init(_ device: Device, at place: ConfigPlace?) {
        self.device = device
        self.place = place
    }
}

// MARK: - Defaults

extension DomainDescription {
    /// RAM a guest gets when neither `memory` nor `maxmem` is given, in MiB.
    public static let defaultMemoryMiB: UInt64 = 32

    /// RAM at the start, in KiB.
    public var effectiveMemoryKiB: UInt64 { memoryKiB ?? maxMemoryKiB ?? Self.defaultMemoryMiB * 1024 }
    /// RAM the guest may ever have, in KiB; never less than it starts with.
    public var effectiveMaxMemoryKiB: UInt64 { max(effectiveMemoryKiB, maxMemoryKiB ?? 0) }
    /// vCPUs online at the start. Without `vcpus` that is one, whatever `maxvcpus` says; 0 counts as absent.
    public var effectiveVCPUs: Int { max(1, vcpus ?? 1) }
    public var effectiveMaxVCPUs: Int { max(effectiveVCPUs, maxVCPUs ?? 1) }

    /// Memory Xen sets aside to track the guest's page tables, in KiB: `shadow_memory`, else 1 MiB for each vCPU and 4 KiB for each MiB
    /// of RAM, 8 KiB without nested paging.
    public var effectiveShadowMemoryKiB: UInt64 {
        if case .number(let given)? = inert.build["shadow_memkb"] { return UInt64(clamping: given) }
        let perMiB: UInt64 = inert.creation["hap"] == .boolean(false) ? 2 : 1
        return 4 * (256 * UInt64(effectiveMaxVCPUs) + perMiB * (effectiveMaxMemoryKiB / 1024))
    }
}

/// What is known of a kernel when no `type=` says which kind of guest it is for.
public enum KernelProbe: Equatable, Sendable {
    case carriesPVHEntry
    /// The sentence says what the image is instead.
    case noPVHEntry(String)
    /// The sentence says why.
    case unreadable(String)
}
