import X86

/// What an operator asks of one CPUID register (`cpuid=`).
public struct CPUIDRequest: Equatable, Sendable {
    public enum Register: Int, CaseIterable, Sendable { case eax, ebx, ecx, edx }

    public var leaf: UInt32
    /// 0 for a leaf without subleaves.
    public var subleaf: UInt32
    public var register: Register
    /// The bits something is asked of.
    public var mask: UInt32
    /// What they are to be; zero outside the mask.
    public var value: UInt32

    public init(leaf: UInt32, subleaf: UInt32 = 0, register: Register, mask: UInt32, value: UInt32) {
        self.leaf = leaf
        self.subleaf = subleaf
        self.register = register
        self.mask = mask
        self.value = value & mask
    }

    /// A register with the request fulfilled in the bits of `allowed`.
    func applied(to old: UInt32, allowed: UInt32 = .max) -> UInt32 { old & ~(mask & allowed) | value & allowed }
}

extension CPUFeature.Word {
    /// The feature register that CPUID shows in this place; nil where there is none.
    init?(leaf: UInt32, subleaf: UInt32, register: CPUIDRequest.Register) {
        switch (leaf, subleaf, register) {
        case (1, _, .ecx): self = .leaf1ECX
        case (1, _, .edx): self = .leaf1EDX
        case (7, 0, .ebx): self = .leaf7EBX
        case (7, 0, .ecx): self = .leaf7ECX
        case (7, 0, .edx): self = .leaf7EDX
        case (0xd, 1, .eax): self = .leafD1EAX
        case (0x8000_0001, _, .ecx): self = .extended1ECX
        case (0x8000_0001, _, .edx): self = .extended1EDX
        case (0x8000_0007, _, .edx): self = .extended7EDX
        case (0x8000_0008, _, .ebx): self = .extended8EBX
        default: return nil
        }
    }
}

extension CPUFeatures {
    /// Takes away what requests ask to be off, and with it what cannot be without. Nothing is added: the features given are what the
    /// engine has.
    mutating func restrict(to requests: [CPUIDRequest]) {
        for request in requests {
            guard let word = CPUFeature.Word(leaf: request.leaf, subleaf: request.subleaf, register: request.register) else { continue }
            self[word] &= ~request.mask | request.value
        }
        removeOrphans()
    }

    /// A feature stays only where everything it builds on is there. The table is in the order of building, so one pass is enough.
    private mutating func removeOrphans() {
        for (feature, dependents) in Self.dependents where !contains(feature) {
            for dependent in dependents { remove(dependent) }
        }
    }

    /// What builds on a feature: its registers, its instructions or its mode (SDM vol. 1, chapters 9 to 14; APM vol. 3, appendix D).
    private static let dependents: [(CPUFeature, [CPUFeature])] = [
        (.fpu, [.mmx, .fxsr]), (.fxsr, [.sse, .ffxsr]), (.mmx, [.sse, .mmxext]), (.sse, [.sse2]),
        (.sse2, [.sse3, .longMode, .aes, .pclmulqdq, .sha]), (.sse3, [.ssse3]), (.ssse3, [.sse41]), (.sse41, [.sse42]),
        (.pse, [.pse36]), (.pae, [.longMode, .nx]), (.longMode, [.cx16, .pcid, .page1GB, .lahf]),
        (.apic, [.x2apic, .tscDeadline]), (.tsc, [.tscAdjust, .tscDeadline, .rdtscp, .invariantTSC]), (.rdtscp, [.rdpid]),
        (.xsave, [.xsaveopt, .xsavec, .xgetbv1, .avx]), (.clflush, [.clflushopt, .clwb]), (.mce, [.mca]),
    ]
}

extension Domain {
    /// What `cpuidRequests` ask for and the guest is not shown: features the engine lacks or that build on absent ones, and what a guest
    /// of Xen always has. Only the bits in question are in the masks.
    public var unmetCPUIDRequests: [CPUIDRequest] { policy.unmet }
}
