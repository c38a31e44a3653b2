/// Everything the process of one guest needs to build and run it.
///
/// The toolstack writes it as `guest.json` into the guest's runtime directory; the guest process reads it once and never
/// looks at the configuration file. All paths are absolute. All sizes are KiB (1024 bytes).
public struct GuestDescription: Codable, Equatable, Sendable {
    /// The layout of this structure. A guest process refuses any other.
    public static let currentVersion = 1
    /// Name of the file inside the guest's runtime directory.
    public static let fileName = "guest.json"

    public var version = Self.currentVersion
    /// 1...32751; 0 is the control domain, 32752 (`DOMID_FIRST_RESERVED` is 0x7ff0) and up are reserved.
    public var domainID: UInt16
    public var name: String
    /// 36 characters, lower-case hexadecimal in 8-4-4-4-12 groups.
    public var uuid: String
    public var type: GuestType = .pvh

    /// The kernel image, as named by `kernel=`.
    public var kernelPath: String
    /// Module 0 of the start info, if any.
    public var ramdiskPath: String?
    /// Handed to the kernel as it stands; empty when there is none.
    public var commandLine = ""

    /// The boot loader that finds kernel and RAM disk before each life; see ``boot``.
    public var bootloader: BootloaderDescription?

    /// RAM at the start (`memory=`), at most `maxMemoryKiB`.
    public var memoryKiB: UInt64
    /// RAM the guest may ever have (`maxmem=`).
    public var maxMemoryKiB: UInt64
    /// vCPUs 0..<vcpus are online at the start; 1...maxVCPUs.
    public var vcpus: Int
    /// 1...128.
    public var maxVCPUs: Int

    public var engine: EngineChoice = .auto
    /// A local APIC is shown to the guest.
    public var apic = true
    /// ACPI tables are built. (A PVH guest of Xen always has them; `acpi=0` is honoured all the same.)
    public var acpi = true
    public var nestedHVM = false
    public var timerMode: TimerMode = .noDelayForMissedTicks
    public var tscMode: TSCMode = .default
    /// What CPUID is to say instead of what the engine says, later ones over earlier ones.
    public var cpuid: [CPUIDOverride]?
    /// Unknown MSRs read as 0 instead of raising #GP.
    public var msrRelaxed = false
    /// Frames the guest's grant table may grow to.
    public var maxGrantFrames: UInt32 = 64
    /// 1 or 2.
    public var maxGrantVersion: UInt32 = 2
    /// Highest event-channel port the guest may use.
    public var maxEventChannels: UInt32 = 1023

    public var disks: [DiskDescription] = []
    public var networks: [NetworkDescription] = []

    public var onPoweroff: EndAction = .destroy
    public var onReboot: EndAction = .restart
    public var onWatchdog: EndAction = .destroy
    public var onCrash: EndAction = .destroy
    public var onSoftReset: EndAction = .softReset

    /// The host's processors each vCPU may run on, by vCPU; an empty list, or none for a vCPU, stands for all.
    public var hardAffinity: [[Int]]?
    /// The host's processors each vCPU should run on, in the same form. It is shown, and has no effect.
    public var softAffinity: [[Int]]?

    /// The version the hypervisor reports.
    public var xenVersion = XenVersion()
    /// The wall clock shows local time instead of UTC.
    public var localtime = false
    /// Seconds added to the wall clock.
    public var rtcTimeOffsetSeconds: Int64 = 0

    /// The guest is destroyed after this many seconds of wall time; nil: never.
    public var timeoutSeconds: UInt32?
    /// Log of the guest process, appended to; nil: no log.
    public var logPath: String?
    /// Where `coredump-destroy` and `coredump-restart` put the core, in place of an earlier one; nil: NAME.core beside the log.
    public var coreDumpPath: String?
    /// Everything the guest writes to its console, appended; nil: no log.
    public var consoleLogPath: String?

    public init(
        domainID: UInt16, name: String, uuid: String, kernelPath: String, memoryKiB: UInt64, maxMemoryKiB: UInt64? = nil,
        vcpus: Int = 1, maxVCPUs: Int? = nil
    ) {
        self.domainID = domainID
        self.name = name
        self.uuid = uuid
        self.kernelPath = kernelPath
        self.memoryKiB = memoryKiB
        self.maxMemoryKiB = maxMemoryKiB ?? memoryKiB
        self.vcpus = vcpus
        self.maxVCPUs = maxVCPUs ?? vcpus
    }
}

extension GuestDescription {
    /// The host's processors a vCPU may run on; nil for all.
    public func hardAffinity(of vcpu: Int) -> [Int]? { Self.entry(hardAffinity, vcpu) }
    /// The host's processors a vCPU should run on; nil for all.
    public func softAffinity(of vcpu: Int) -> [Int]? { Self.entry(softAffinity, vcpu) }

    /// Notes where a vCPU may and should run; nil for all.
    public mutating func setAffinity(of vcpu: Int, hard: [Int]?, soft: [Int]?) {
        hardAffinity = Self.replacing(hardAffinity, vcpu, hard)
        softAffinity = Self.replacing(softAffinity, vcpu, soft)
    }

    private static func entry(_ table: [[Int]]?, _ vcpu: Int) -> [Int]? {
        guard let table, table.indices.contains(vcpu), !table[vcpu].isEmpty else { return nil }
        return table[vcpu]
    }

    private static func replacing(_ table: [[Int]]?, _ vcpu: Int, _ processors: [Int]?) -> [[Int]]? {
        var table = table ?? []
        while table.count <= vcpu { table.append([]) }
        table[vcpu] = processors ?? []
        return table.allSatisfy(\.isEmpty) ? nil : table
    }
}

/// The kinds of guest this version runs.
public enum GuestType: String, Codable, Sendable { case pvh }

/// Which CPU engine runs the guest.
public enum EngineChoice: String, Codable, CaseIterable, Sendable {
    /// The fastest one this machine and this version offer.
    case auto
    case interpreter

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let word = try container.decode(String.self)
        guard let choice = Self(rawValue: word) else {
            let known = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "there is no engine \"\(word)\"; there are \(known)")
        }
        self = choice
    }
}

/// `timer_mode=`: what happens to timer ticks a guest missed. Raw values are Xen's (`HVMPTM_*`).
public enum TimerMode: Int, Codable, Sendable {
    case delayForMissedTicks = 0
    case noDelayForMissedTicks = 1
    case noMissedTicksPending = 2
    case oneMissedTickPending = 3
}

/// `tsc_mode=`. Raw values are Xen's (`TSC_MODE_*`).
public enum TSCMode: Int, Codable, Sendable {
    case `default` = 0
    case alwaysEmulate = 1
    case native = 2
}

/// What happens when the guest ends for a given reason; the raw values are xl's words.
public enum EndAction: String, Codable, CaseIterable, Sendable {
    case destroy
    case restart
    case renameRestart = "rename-restart"
    case preserve
    case coredumpDestroy = "coredump-destroy"
    case coredumpRestart = "coredump-restart"
    case softReset = "soft-reset"
}

/// The version of Xen a guest is told it runs on.
public struct XenVersion: Codable, Equatable, Sendable {
    public var major: UInt16
    public var minor: UInt16
    /// Shown after the minor number, for instance ".0"; at most 15 bytes are visible to the guest.
    public var extra: String

    public init(major: UInt16 = 4, minor: UInt16 = 20, extra: String = ".0") {
        self.major = major
        self.minor = minor
        self.extra = extra
    }
}
