/// One key of xl.cfg: what it is, and what this version does with it.
public struct KnownKey: Equatable, Sendable {
    public var name: String
    public var group: Group
    /// The shape of its value.
    public var shape: Shape
    /// What holds without it, in words or as it would be written.
    public var defaultText: String
    /// The types of guest for which xl reads it.
    public var readers: Readers
    public var treatment: Treatment
    /// A value as it may be written.
    public var sample: String
    /// Where libxl's JSON shows the value, with dots between the members; nil when it shows nowhere for a PVH guest.
    public var member: String?
    /// What it says, for the manual page.
    public var summary: String

    public enum Shape: Equatable, Sendable {
        case string, integer, boolean, list, stringOrList, integerOrString
    }

    public struct Readers: OptionSet, Sendable {
        public var rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let pv = Readers(rawValue: 1)
        public static let hvm = Readers(rawValue: 2)
        public static let pvh = Readers(rawValue: 4)
        /// Not by today's xl, but by an older one, or by Martlet alone.
        public static let nobody: Readers = []
        public static let all: Readers = [.pv, .hvm, .pvh]
    }

    public enum Treatment: Equatable, Sendable {
        /// Read and obeyed.
        case honoured
        /// The value changes nothing for a PVH guest here, and the reason says why; told only to those who ask (-v).
        case noEffect(String)
        /// The guest starts without what it asks for, and a warning says why.
        case warned(String)
        /// Anything but an empty, zero or harmless value keeps the guest from starting.
        case refused(cause: String, remedy: String, harmless: [String] = [], exitCode: Int32 = ConfigDiagnostic.failed)
    }

    /// The sections of the manual page.
    public enum Group: String, CaseIterable, Sendable {
        case identity = "Name and type"
        case boot = "What is booted"
        case memory = "Memory"
        case processors = "Processors"
        case ending = "What happens at the end"
        case time = "Time"
        case platform = "Platform"
        case devices = "Devices"
        case host = "Parts of the host"
        case management = "Management"
        case deviceModel = "Device models"
        case emulated = "Emulated machines (type=\"hvm\")"
        case foreign = "Other architectures and older versions"
    }

    /// The row of a key; nil for a key xl does not know.
    public static func named(_ name: String) -> KnownKey? { byName[name] }

    /// Every key, in the order of the manual page.
    public static let all: [KnownKey] = general + processors + platform + devices + deviceModel + emulated + foreign

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}

// MARK: - How rows are written

extension KnownKey {
    static func honoured(
        _ group: Group, _ name: String, _ shape: Shape, _ defaultText: String, _ sample: String, in member: String? = nil,
        for readers: Readers = .all, _ summary: String
    ) -> KnownKey {
        KnownKey(
            name: name, group: group, shape: shape, defaultText: defaultText, readers: readers, treatment: .honoured, sample: sample,
            member: member, summary: summary)
    }

    static func noEffect(
        _ group: Group, _ name: String, _ shape: Shape, _ defaultText: String, _ sample: String? = nil, in member: String? = nil,
        for readers: Readers = .all, because reason: String, _ summary: String
    ) -> KnownKey {
        KnownKey(
            name: name, group: group, shape: shape, defaultText: defaultText, readers: readers, treatment: .noEffect(reason),
            sample: sample ?? Self.sample(shape), member: member, summary: summary)
    }

    static func warned(
        _ group: Group, _ name: String, _ shape: Shape, _ defaultText: String, _ sample: String, in member: String? = nil,
        for readers: Readers = .all, because reason: String, _ summary: String
    ) -> KnownKey {
        KnownKey(
            name: name, group: group, shape: shape, defaultText: defaultText, readers: readers, treatment: .warned(reason), sample: sample,
            member: member, summary: summary)
    }

    static func refused(
        _ group: Group, _ name: String, _ shape: Shape, _ sample: String, in member: String? = nil, for readers: Readers = .all,
        _ cause: String, _ remedy: String = "remove the key", harmless: [String] = [], exitCode: Int32 = ConfigDiagnostic.failed,
        _ summary: String
    ) -> KnownKey {
        KnownKey(
            name: name, group: group, shape: shape, defaultText: shape == .boolean ? "0" : "none", readers: readers,
            treatment: .refused(cause: cause, remedy: remedy, harmless: harmless, exitCode: exitCode), sample: sample, member: member,
            summary: summary)
    }

    private static func sample(_ shape: Shape) -> String {
        switch shape {
        case .string, .stringOrList: "\"x\""
        case .integer, .boolean, .integerOrString: "1"
        case .list: "[ \"x\" ]"
        }
    }
}
