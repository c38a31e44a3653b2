/// What a domain may do with a node.
public struct Access: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let read = Access(rawValue: 1)
    public static let write = Access(rawValue: 2)

    /// The letter on the wire: `n`, `r`, `w` or `b`.
    var letter: Character { ["n", "r", "w", "b"][Int(rawValue & 3)] }

    init?(letter: UInt8) {
        switch letter {
        case UInt8(ascii: "n"): self = []
        case UInt8(ascii: "r"): self = .read
        case UInt8(ascii: "w"): self = .write
        case UInt8(ascii: "b"): self = [.read, .write]
        default: return nil
        }
    }
}

/// Who may do what with a node. The first entry names the owner, who may do everything, and what every domain may do that
/// no later entry names. Domain 0 may do everything everywhere.
public struct Permissions: Hashable, Sendable, CustomStringConvertible {
    public struct Entry: Hashable, Sendable, CustomStringConvertible {
        public var domain: UInt16
        public var access: Access
        public var description: String { "\(access.letter)\(domain)" }
    }

    /// Never empty.
    public private(set) var entries: [Entry]

    public init(owner: UInt16, others: Access = [], _ exceptions: [(domain: UInt16, access: Access)] = []) {
        entries = [Entry(domain: owner, access: others)]
        for (domain, access) in exceptions { entries.append(Entry(domain: domain, access: access)) }
    }

    /// Parses entries such as `n0`, `r5`.
    ///
    /// - Throws: ``StoreError/invalidArgument`` when there is none or one is malformed.
    init(words: some Sequence<ArraySlice<UInt8>>) throws(StoreError) {
        entries = []
        for word in words {
            guard let letter = word.first, let access = Access(letter: letter), let domain = decimal(word.dropFirst(), as: UInt16.self)
            else {
                throw .invalidArgument
            }
            entries.append(Entry(domain: domain, access: access))
        }
        guard !entries.isEmpty else { throw .invalidArgument }
    }

    public internal(set) var owner: UInt16 {
        get { entries[0].domain }
        set { entries[0].domain = newValue }
    }

    public func access(of domain: UInt16) -> Access {
        if domain == 0 || domain == owner { return [.read, .write] }
        for entry in entries.dropFirst() where entry.domain == domain { return entry.access }
        return entries[0].access
    }

    /// As `xenstore-ls -p` prints it: `n0,r1`.
    public var description: String { entries.map(\.description).joined(separator: ",") }
}

/// The domain a request comes from, and the one it may stand in for (SET_TARGET).
struct Requester: Sendable {
    var domain: UInt16
    var target: UInt16?

    var isPrivileged: Bool { domain == 0 }

    func may(_ access: Access, _ permissions: Permissions) -> Bool {
        if permissions.access(of: domain).isSuperset(of: access) { return true }
        guard let target else { return false }
        return permissions.access(of: target).isSuperset(of: access)
    }

    func owns(_ permissions: Permissions) -> Bool {
        isPrivileged || permissions.owner == domain || permissions.owner == target
    }
}

/// Strict decimal: digits only, no sign, in range; nil otherwise.
func decimal<Number: FixedWidthInteger>(_ digits: ArraySlice<UInt8>, as: Number.Type) -> Number? {
    guard let first = digits.first, first >= UInt8(ascii: "0"), first <= UInt8(ascii: "9"), digits.count <= 20 else { return nil }
    return Number(String(decoding: digits, as: UTF8.self))
}
