/// A CPUID feature bit: which of the feature registers, and which bit of it.
public struct CPUFeature: Hashable, Sendable {
    /// The registers that carry features.
    public enum Word: UInt8, CaseIterable, Sendable {
        case leaf1EDX, leaf1ECX, leaf7EBX, leaf7ECX, leaf7EDX, leafD1EAX
        case extended1EDX, extended1ECX, extended7EDX, extended8EBX
    }

    public let word: Word
    public let bit: UInt8

    @inlinable
    public init(_ word: Word, _ bit: UInt8) {
        self.word = word
        self.bit = bit & 31
    }

    // Leaf 1 EDX (SDM vol. 2A, table 3-11).
    public static let fpu = Self(.leaf1EDX, 0), vme = Self(.leaf1EDX, 1), de = Self(.leaf1EDX, 2), pse = Self(.leaf1EDX, 3)
    public static let tsc = Self(.leaf1EDX, 4), msr = Self(.leaf1EDX, 5), pae = Self(.leaf1EDX, 6), mce = Self(.leaf1EDX, 7)
    public static let cx8 = Self(.leaf1EDX, 8), apic = Self(.leaf1EDX, 9), sep = Self(.leaf1EDX, 11), mtrr = Self(.leaf1EDX, 12)
    public static let pge = Self(.leaf1EDX, 13), mca = Self(.leaf1EDX, 14), cmov = Self(.leaf1EDX, 15), pat = Self(.leaf1EDX, 16)
    public static let pse36 = Self(.leaf1EDX, 17), clflush = Self(.leaf1EDX, 19), mmx = Self(.leaf1EDX, 23)
    public static let fxsr = Self(.leaf1EDX, 24), sse = Self(.leaf1EDX, 25), sse2 = Self(.leaf1EDX, 26), htt = Self(.leaf1EDX, 28)
    // Leaf 1 ECX.
    public static let sse3 = Self(.leaf1ECX, 0), pclmulqdq = Self(.leaf1ECX, 1), ssse3 = Self(.leaf1ECX, 9), cx16 = Self(.leaf1ECX, 13)
    public static let pcid = Self(.leaf1ECX, 17), sse41 = Self(.leaf1ECX, 19), sse42 = Self(.leaf1ECX, 20), x2apic = Self(.leaf1ECX, 21)
    public static let movbe = Self(.leaf1ECX, 22), popcnt = Self(.leaf1ECX, 23), tscDeadline = Self(.leaf1ECX, 24)
    public static let aes = Self(.leaf1ECX, 25), xsave = Self(.leaf1ECX, 26), osxsave = Self(.leaf1ECX, 27), avx = Self(.leaf1ECX, 28)
    public static let rdrand = Self(.leaf1ECX, 30), hypervisor = Self(.leaf1ECX, 31)
    // Leaf 7.
    public static let fsgsbase = Self(.leaf7EBX, 0), tscAdjust = Self(.leaf7EBX, 1), bmi1 = Self(.leaf7EBX, 3), smep = Self(.leaf7EBX, 7)
    public static let bmi2 = Self(.leaf7EBX, 8), erms = Self(.leaf7EBX, 9), invpcid = Self(.leaf7EBX, 10), rdseed = Self(.leaf7EBX, 18)
    public static let adx = Self(.leaf7EBX, 19), smap = Self(.leaf7EBX, 20), clflushopt = Self(.leaf7EBX, 23), clwb = Self(.leaf7EBX, 24)
    public static let sha = Self(.leaf7EBX, 29)
    public static let umip = Self(.leaf7ECX, 2), rdpid = Self(.leaf7ECX, 22), fsrm = Self(.leaf7EDX, 4)
    // Leaf 0xd, subleaf 1.
    public static let xsaveopt = Self(.leafD1EAX, 0), xsavec = Self(.leafD1EAX, 1), xgetbv1 = Self(.leafD1EAX, 2)
    // Extended leaves (AMD64 APM vol. 3, appendix E).
    public static let syscall = Self(.extended1EDX, 11), nx = Self(.extended1EDX, 20), mmxext = Self(.extended1EDX, 22)
    public static let ffxsr = Self(.extended1EDX, 25), page1GB = Self(.extended1EDX, 26), rdtscp = Self(.extended1EDX, 27)
    public static let longMode = Self(.extended1EDX, 29)
    public static let lahf = Self(.extended1ECX, 0), cr8Legacy = Self(.extended1ECX, 4), abm = Self(.extended1ECX, 5)
    public static let prefetchW = Self(.extended1ECX, 8)
    public static let invariantTSC = Self(.extended7EDX, 8)
}

/// The features a vCPU shows. Engines state what they implement; the CPUID policy shows no more than that.
public struct CPUFeatures: Equatable, Sendable, ExpressibleByArrayLiteral {
    private var words = [UInt32](repeating: 0, count: CPUFeature.Word.allCases.count)

    public init(_ features: some Sequence<CPUFeature>) {
        for feature in features { insert(feature) }
    }

    public init(arrayLiteral elements: CPUFeature...) { self.init(elements) }

    public mutating func insert(_ feature: CPUFeature) { words[Int(feature.word.rawValue)] |= 1 << UInt32(feature.bit) }
    public mutating func remove(_ feature: CPUFeature) { words[Int(feature.word.rawValue)] &= ~(1 << UInt32(feature.bit)) }
    public func contains(_ feature: CPUFeature) -> Bool { words[Int(feature.word.rawValue)] >> UInt32(feature.bit) & 1 != 0 }
    /// A whole feature register.
    public subscript(_ word: CPUFeature.Word) -> UInt32 {
        get { words[Int(word.rawValue)] }
        set { words[Int(word.rawValue)] = newValue }
    }
}
