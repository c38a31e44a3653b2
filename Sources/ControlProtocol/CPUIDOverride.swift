/// What `cpuid=` asks of the registers of one CPUID leaf, as libxl's JSON has it.
public struct CPUIDOverride: Codable, Equatable, Sendable {
    public var leaf: UInt32
    /// nil for a leaf without subleaves.
    public var subleaf: UInt32?
    /// 32 characters each, for the highest bit first: `0` and `1` ask for that value; `x`, `k` and `s` leave the engine's own. nil leaves
    /// the whole register.
    public var eax, ebx, ecx, edx: String?

    public init(leaf: UInt32, subleaf: UInt32? = nil, eax: String? = nil, ebx: String? = nil, ecx: String? = nil, edx: String? = nil) {
        self.leaf = leaf
        self.subleaf = subleaf
        self.eax = eax
        self.ebx = ebx
        self.ecx = ecx
        self.edx = edx
    }

    /// EAX to EDX.
    public var registers: [String?] { [eax, ebx, ecx, edx] }
}
