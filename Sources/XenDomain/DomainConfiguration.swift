import LocalAPIC
public import X86
public import XenABI

/// The hypervisor version a guest is shown, and what goes with it.
public struct XenVersion: Equatable, Sendable {
    public var major: UInt16
    public var minor: UInt16
    /// What follows "major.minor", such as ".1".
    public var extra: String

    public init(major: UInt16, minor: UInt16, extra: String) {
        self.major = major
        self.minor = minor
        self.extra = extra
    }

    public static let v4_17 = XenVersion(major: 4, minor: 17, extra: ".7")
    public static let v4_20 = XenVersion(major: 4, minor: 20, extra: ".0")

    /// True when this version is at least `major.minor`.
    public func isAtLeast(_ major: UInt16, _ minor: UInt16) -> Bool { (self.major, self.minor) >= (major, minor) }
}

/// How the guest's TSC is provided (`tsc_mode`); the number is shown in CPUID.
public enum TSCMode: UInt32, Sendable {
    case automatic = 0
    case alwaysEmulated = 1
    case native = 2
}

/// Everything that is decided about a domain before it exists.
public struct DomainConfiguration: Sendable {
    public var features: FeatureSet = .pvh
    /// The number the guest sees in CPUID and xenstore; 1 to 0x7fef.
    public var domainID: UInt16 = 1
    /// The domain's UUID, 16 bytes in text order.
    public var uuid = InlineArray<16, UInt8>(repeating: 0)
    /// vCPUs the domain has, online or not; 1 to 128.
    public var vcpuCount = 1
    public var version = XenVersion.v4_20
    /// The map the guest was told in its start info; XENMEM_memory_map answers the same.
    public var memoryMap: [MemoryMapEntry]
    /// Pages the domain may own, without those of the hypervisor. Default: RAM of the map and 1 MiB.
    public var maximumPages: Int
    /// Pages the guest owns at the start, touched or not. Default: all pages the map names, counted once.
    public var initialPages: Int
    /// Frames of the map beyond `initialPages`: the guest sees more memory than it is to own, and is expected to give so many back
    /// before it has touched all it owns. The frames of the map wait for their first touch then, with a stock of so many fewer pages.
    public var demandPages = 0
    /// Frames the grant table may grow to; 1 to 65535.
    public var maximumGrantFrames = 64
    /// Highest event channel port; 2 to 131071: the store and the console need one each.
    public var maximumEventChannels = 1023
    /// What XENMEM_maximum_ram_page answers. Default: the last page of the domain's pool.
    public var maximumMachineFrame: UInt64?
    public var tscMode = TSCMode.automatic
    /// True when `DomainHost.readTSC` never stops and runs at one rate on all vCPUs.
    public var hasInvariantTSC = true
    /// Unknown MSRs read zero and ignore writes instead of raising #GP (`msr_relaxed`).
    public var isMSRRelaxed = false
    public var storeFrame: UInt64? = 0xfeffc
    public var consoleFrame: UInt64? = 0xfefff
    /// Toolstack-set HVM parameters beyond those that follow from the members above, by index.
    public var parameters: [Int: UInt64] = [
        HVMParameter.ioreqPFN: 0xfeffd, HVMParameter.bufferedIOReqPFN: 0xfeffb, HVMParameter.timerMode: 1,
        HVMParameter.identityPageTable: 0xfeff_e000, HVMParameter.pagingRingPFN: 0xfeff8,
        HVMParameter.monitorRingPFN: 0xfeff9, HVMParameter.sharingRingPFN: 0xfeffa,
    ]
    /// What the engine implements; the guest's CPUID shows this and no more.
    public var cpuFeatures = CPUPolicy.softwareFeatures
    public var cpuVendor = CPUPolicy.Vendor.amd
    /// What CPUID is to say instead (`cpuid=`), later ones over earlier ones; see ``Domain/unmetCPUIDRequests``.
    public var cpuidRequests: [CPUIDRequest] = []
    /// At most 47 bytes of ASCII.
    public var cpuBrand = "Martlet Virtual CPU"
    /// Family, model and stepping as leaf 1 EAX shows them.
    public var cpuSignature: UInt32 = 0x0080_0f12

    public init(memoryMap: [MemoryMapEntry]) {
        self.memoryMap = memoryMap
        let ram = Self.ramPages(memoryMap)
        maximumPages = ram + 256
        initialPages = ram + Self.otherPages(memoryMap)
    }

    /// Pages of host memory a pool needs for this domain: what the guest may own and what the hypervisor adds.
    public var poolPageCount: Int { maximumPages + demandPages + 1 + maximumGrantFrames }

    /// What `HVM_PARAM_TIMER_MODE` means for a periodic timer of the APIC.
    var missedTicks: MissedTicks {
        switch parameters[HVMParameter.timerMode] {
        case 0: .delayed
        case 2: .dropped
        case 3: .merged
        default: .delivered
        }
    }

    /// True when the TSC of a vCPU stands while the vCPU's time is held. As in Xen a native TSC does not, and the time of `vcpu_time_info`
    /// never does: the timers of vcpu_op are set in it.
    var holdsTSC: Bool { missedTicks == .delayed && tscMode != .native }

    static func ramPages(_ map: [MemoryMapEntry]) -> Int {
        map.filter { $0.type == .ram }.reduce(0) { $0 + Int(truncatingIfNeeded: $1.size >> 12) }
    }

    /// Pages of the entries that are not RAM and do not lie in RAM.
    static func otherPages(_ map: [MemoryMapEntry]) -> Int {
        let ram = map.filter { $0.type == .ram }
        return map.filter { $0.type != .ram }.reduce(0) { sum, entry in
            let first = entry.address >> 12
            let last = (entry.address &+ entry.size &+ 0xfff) >> 12
            let inRAM = ram.contains { entry.address >= $0.address && entry.address &- $0.address < $0.size }
            return inRAM || last < first ? sum : sum + Int(truncatingIfNeeded: last - first)
        }
    }
}

/// Why a domain cannot be created.
public enum DomainError: Error, Equatable, Sendable {
    /// The feature set is neither of the two sanctioned ones.
    case unsanctionedFeatures(FeatureSet)
    /// A member of the configuration lies outside its range.
    case outOfRange(String)
    /// The pool has no page left for the hypervisor's own frames.
    case noMemory
}
