/// The place of a node: its names from the root down. The root has none.
///
/// A name is made of letters, digits and `- / _ @` without the slash. `@introduceDomain` and `@releaseDomain` are nodes
/// below the root that are written without a slash.
///
/// Reference: Xen `docs/misc/xenstore.txt`, "Node names and permissions".
public struct StorePath: Hashable, Sendable, CustomStringConvertible {
    public static let maximumAbsoluteByteCount = 3072
    public static let maximumRelativeByteCount = 2048

    public let components: [String]

    public static let root = StorePath(components: [])
    public static let introduceDomain = StorePath(components: ["@introduceDomain"])
    public static let releaseDomain = StorePath(components: ["@releaseDomain"])

    init(components: [String]) { self.components = components }

    /// Parses a path as text of our own program.
    ///
    /// - Throws: ``StoreError/invalidArgument`` where the text is no path.
    public init(_ text: String, of domain: UInt16 = 0) throws(StoreError) {
        try self.init(bytes: Array(text.utf8)[...], of: domain)
    }

    /// Parses a path as a client of `domain` sends it; a path without a leading slash lies below `/local/domain/<domain>`.
    ///
    /// - Throws: ``StoreError/invalidArgument`` for an empty name, a slash at the end, a character outside the set or a
    ///   path that is too long.
    init(bytes: ArraySlice<UInt8>, of domain: UInt16) throws(StoreError) {
        guard let first = bytes.first else { throw .invalidArgument }
        if first == UInt8(ascii: "/") {
            guard bytes.count <= Self.maximumAbsoluteByteCount else { throw .invalidArgument }
            components = bytes.count == 1 ? [] : try Self.names(in: bytes.dropFirst(), after: [])
        } else {
            guard bytes.count <= Self.maximumRelativeByteCount else { throw .invalidArgument }
            let isSpecial = first == UInt8(ascii: "@")
            components = try Self.names(in: bytes, after: isSpecial ? [] : ["local", "domain", String(domain)])
            guard !isSpecial || components.count == 1 else { throw .invalidArgument }
        }
    }

    private static func names(in bytes: ArraySlice<UInt8>, after prefix: [String]) throws(StoreError) -> [String] {
        var names = prefix
        names.reserveCapacity(8)
        var start = bytes.startIndex
        for index in bytes.indices {
            let byte = bytes[index]
            guard isAllowed(byte) else { throw .invalidArgument }
            guard byte == UInt8(ascii: "/") else { continue }
            guard index > start else { throw .invalidArgument }
            names.append(String(decoding: bytes[start..<index], as: UTF8.self))
            start = index + 1
        }
        guard start < bytes.endIndex else { throw .invalidArgument }
        names.append(String(decoding: bytes[start...], as: UTF8.self))
        return names
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "@"):
            true
        default: false
        }
    }

    /// Bytes it takes in memory, roughly.
    var footprint: Int { components.reduce(64) { $0 + 16 + $1.utf8.count } }

    /// nil for the root.
    public var parent: StorePath? { components.isEmpty ? nil : StorePath(components: Array(components.dropLast())) }

    public var isSpecial: Bool { components.count == 1 && components[0].utf8.first == UInt8(ascii: "@") }

    /// Whether `self` is `other` or lies below it.
    func isAtOrBelow(_ other: StorePath) -> Bool { components.starts(with: other.components) }

    public var description: String {
        isSpecial ? components[0] : "/" + components.joined(separator: "/")
    }

    /// The path as a client of `domain` writes it when it omits its own home, nil when it lies elsewhere.
    func relative(to domain: UInt16) -> String? {
        guard components.count > 3, components[0] == "local", components[1] == "domain", components[2] == String(domain) else {
            return nil
        }
        return components[3...].joined(separator: "/")
    }
}
