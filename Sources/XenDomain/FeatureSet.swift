/// What a domain has been given at creation; immutable from then on.
///
/// Code asks for one feature at a time and never for a kind of guest. Only two sets are sanctioned: ``pvh`` and ``hvm``.
public struct FeatureSet: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let hasLAPIC = FeatureSet(rawValue: 1 << 0)
    public static let hasIOAPIC = FeatureSet(rawValue: 1 << 1)
    public static let hasPIC = FeatureSet(rawValue: 1 << 2)
    public static let hasPIT = FeatureSet(rawValue: 1 << 3)
    public static let hasRTC = FeatureSet(rawValue: 1 << 4)
    public static let hasHPET = FeatureSet(rawValue: 1 << 5)
    public static let hasPMTimer = FeatureSet(rawValue: 1 << 6)
    public static let hasPCI = FeatureSet(rawValue: 1 << 7)
    public static let hasIOReqServers = FeatureSet(rawValue: 1 << 8)
    public static let usesPIRQ = FeatureSet(rawValue: 1 << 9)
    public static let hasVGA = FeatureSet(rawValue: 1 << 10)
    /// Number of features defined.
    public static let count = 11

    /// A guest without any emulated platform beyond its local APICs.
    public static let pvh: FeatureSet = [.hasLAPIC]
    /// A guest with the whole emulated PC platform.
    public static let hvm: FeatureSet = [
        .hasLAPIC, .hasIOAPIC, .hasPIC, .hasPIT, .hasRTC, .hasHPET, .hasPMTimer, .hasPCI, .hasIOReqServers, .usesPIRQ, .hasVGA,
    ]
    public static let sanctioned: Set<FeatureSet> = [.pvh, .hvm]

    public var isSanctioned: Bool { Self.sanctioned.contains(self) }
}
