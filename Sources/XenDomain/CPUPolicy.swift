public import X86
import XenABI

/// What CPUID answers: a table built once from the features an engine states.
///
/// The values outside the feature registers are those of the captured reference, an AMD machine. What differs from it is
/// listed with its reason beside the tests.
public struct CPUPolicy: Sendable {
    public enum Vendor: Sendable {
        case amd, intel

        /// EBX, ECX, EDX of leaf 0.
        var signature: (ebx: UInt32, ecx: UInt32, edx: UInt32) {
            switch self {
            case .amd: (0x6874_7541, 0x444d_4163, 0x6974_6e65)
            case .intel: (0x756e_6547, 0x6c65_746e, 0x4965_6e69)
            }
        }
    }

    /// What the software engines implement.
    public static let softwareFeatures: CPUFeatures = [
        .fpu, .vme, .de, .pse, .tsc, .msr, .pae, .mce, .cx8, .apic, .sep, .mtrr, .pge, .mca, .cmov, .pat, .pse36, .clflush, .mmx,
        .fxsr, .sse, .sse2, .sse3, .pclmulqdq, .ssse3, .cx16, .pcid, .sse41, .sse42, .x2apic, .movbe, .popcnt, .aes, .xsave,
        .rdrand, .hypervisor, .fsgsbase, .tscAdjust, .bmi1, .smep, .bmi2, .erms, .invpcid, .rdseed, .adx, .smap, .clflushopt,
        .clwb, .sha, .umip, .rdpid, .fsrm, .xsaveopt, .syscall, .nx, .mmxext, .page1GB, .rdtscp, .longMode, .lahf, .cr8Legacy,
        .abm, .prefetchW, .invariantTSC,
    ]

    struct Key: Hashable {
        let leaf: UInt32
        let subleaf: UInt32
    }

    static let lastBasicLeaf: UInt32 = 0xd
    /// Bits of leaf 1 EDX that AMD repeats in 0x80000001 EDX.
    static let repeatedFeatures: UInt32 = 0x0183_f3ff

    var table: [Key: CPUIDResult] = [:]
    /// What was asked for and is not so, register by register.
    var unmet: [CPUIDRequest] = []

    init(_ configuration: DomainConfiguration, tscKHz: UInt32) {
        var features = configuration.cpuFeatures
        // Topology, not an instruction: threads per package are shown, as the reference does.
        features.insert(.htt)
        features.insert(.hypervisor)
        if !configuration.features.contains(.hasLAPIC) {
            features.remove(.apic)
            features.remove(.x2apic)
        }
        if !configuration.hasInvariantTSC { features.remove(.invariantTSC) }
        features.restrict(to: configuration.cpuidRequests)
        addBasic(configuration, features)
        addExtended(configuration, features)
        addXen(configuration, features, tscKHz)
        apply(configuration.cpuidRequests)
    }

    /// The answer for one vCPU.
    func cpuid(leaf: UInt32, subleaf: UInt32, vcpu: Int, isAPICEnabled: Bool) -> CPUIDResult {
        guard isShown(leaf) else { return CPUIDResult() }
        var result = table[Key(leaf: leaf, subleaf: hasSubleaves(leaf) ? subleaf : 0)] ?? CPUIDResult()
        let identifier = UInt32(truncatingIfNeeded: vcpu * 2)
        switch leaf {
        case 1:
            result.ebx |= identifier << 24
            if !isAPICEnabled { result.edx &= ~(1 << 9) }
        case 0xb where subleaf < 2: result.edx = identifier
        case XenCPUID.base + 4: result.ebx = UInt32(truncatingIfNeeded: vcpu)
        default: break
        }
        return result
    }

    func hasSubleaves(_ leaf: UInt32) -> Bool {
        switch leaf {
        case 4, 7, 0xb, 0xd, 0xf, 0x10, 0x14, XenCPUID.base + 3, 0x8000_001d: true
        default: false
        }
    }

    /// The leaf that heads a range says how far the range goes; above that there is nothing, as on AMD's processors.
    private func isShown(_ leaf: UInt32) -> Bool {
        let head = leaf & 0xc000_0000
        return leaf == head || leaf <= table[Key(leaf: head, subleaf: 0)]?.eax ?? 0
    }

    private mutating func set(_ leaf: UInt32, _ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: UInt32, subleaf: UInt32 = 0) {
        table[Key(leaf: leaf, subleaf: subleaf)] = CPUIDResult(eax: a, ebx: b, ecx: c, edx: d)
    }

    private mutating func addBasic(_ configuration: DomainConfiguration, _ features: CPUFeatures) {
        let vendor = configuration.cpuVendor.signature
        set(0, Self.lastBasicLeaf, vendor.ebx, vendor.ecx, vendor.edx)
        // 8 * 8 bytes per cache line, two logical processors per package.
        set(1, configuration.cpuSignature, 0x0002_0800, features[.leaf1ECX], features[.leaf1EDX])
        set(7, 0, features[.leaf7EBX], features[.leaf7ECX], features[.leaf7EDX])
        set(0xb, 0, 0, 1, 0, subleaf: 1)
        if features.contains(.xsave) {
            set(0xd, 3, 576, 576, 0)
            set(0xd, features[.leafD1EAX], 0, 0, 0, subleaf: 1)
        }
    }

    private mutating func addExtended(_ configuration: DomainConfiguration, _ features: CPUFeatures) {
        let vendor = configuration.cpuVendor.signature
        let last: UInt32 = configuration.cpuVendor == .amd ? 0x8000_001e : 0x8000_0008
        set(0x8000_0000, last, vendor.ebx, vendor.ecx, vendor.edx)
        let repeated = configuration.cpuVendor == .amd ? features[.leaf1EDX] & Self.repeatedFeatures : 0
        set(0x8000_0001, configuration.cpuSignature, 0, features[.extended1ECX], features[.extended1EDX] | repeated)
        addBrand(configuration.cpuBrand)
        // Sizes of TLBs and caches as the reference shows them.
        set(0x8000_0005, 0x01ff_01ff, 0x01ff_01ff, 0x2008_0140, 0x4004_0140)
        set(0x8000_0006, 0, 0x4200_4200, 0x0200_6140, 0x0040_8140)
        set(0x8000_0007, 0, 0, 0, features[.extended7EDX])
        // 40 physical and 48 linear address bits; two threads.
        set(0x8000_0008, 0x3028, features[.extended8EBX], 1, 0)
    }

    private mutating func addBrand(_ brand: String) {
        var text = [UInt8](brand.utf8.prefix(47))
        text += [UInt8](repeating: 0, count: 48 - text.count)
        func word(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(text[at + $1]) << UInt32($1 * 8) } }
        for index in 0..<3 {
            let at = index * 16
            set(0x8000_0002 + UInt32(index), word(at), word(at + 4), word(at + 8), word(at + 12))
        }
    }

    private mutating func addXen(_ configuration: DomainConfiguration, _ features: CPUFeatures, _ tscKHz: UInt32) {
        let signature = XenCPUID.signature
        let scale = TimeScale(ticksPerSecond: UInt64(tscKHz) * 1000)
        set(XenCPUID.base, XenCPUID.base + XenCPUID.lastOffset, signature.ebx, signature.ecx, signature.edx)
        set(XenCPUID.base + 1, UInt32(configuration.version.major) << 16 | UInt32(configuration.version.minor), 0, 0, 0)
        set(XenCPUID.base + 2, 1, XenCPUID.hypercallPageMSR, 0, 0)
        var flags: UInt32 = configuration.tscMode == .alwaysEmulated ? XenCPUID.tscEmulated : 0
        if configuration.hasInvariantTSC { flags |= XenCPUID.hostTSCReliable }
        if features.contains(.rdtscp) { flags |= XenCPUID.hasRDTSCP }
        set(XenCPUID.base + 3, flags, configuration.tscMode.rawValue, tscKHz, 1)
        set(XenCPUID.base + 3, 0, 0, scale.multiplier, UInt32(bitPattern: Int32(scale.shift)), subleaf: 1)
        set(XenCPUID.base + 3, tscKHz, 0, 0, 0, subleaf: 2)
        let identity = XenCPUID.iommuMappings | XenCPUID.vcpuIDPresent | XenCPUID.domainIDPresent
        let upcall = configuration.features.contains(.hasLAPIC) ? XenCPUID.upcallVector : 0
        set(XenCPUID.base + 4, identity | upcall, 0, UInt32(configuration.domainID), 0)
    }
}
