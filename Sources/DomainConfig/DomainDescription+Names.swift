extension DomainDescription {
    /// What keeps a text from being the name of a guest: names stand in paths and on terminals.
    ///
    /// - Returns: nil for a good name; else what it is, and what to write instead.
    public static func problem(ofName name: String) -> SpecificationError? {
        if name == "Domain-0" {
            return SpecificationError("\"Domain-0\", the name of the host", remedy: "choose another name")
        }
        guard !name.isEmpty, name.utf8.count <= 200, !name.unicodeScalars.contains(where: isForbidden) else {
            return SpecificationError(
                "\"\(name.prefix(60))\", which cannot be the name of a guest", remedy: "use 1 to 200 printable characters without /")
        }
        return nil
    }

    private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 32 || (127...159).contains(scalar.value) || scalar == "/"
    }

    /// 32 hexadecimal digits as 8-4-4-4-12.
    static func isUUID(_ text: String) -> Bool {
        let groups = text.split(separator: "-", omittingEmptySubsequences: false)
        let isHex = text.utf8.allSatisfy { $0 == UInt8(ascii: "-") || $0 < 128 && Character(UnicodeScalar($0)).isHexDigit }
        return isHex && groups.map(\.utf8.count) == [8, 4, 4, 4, 12]
    }
}

extension DomainType {
    /// libxl's number (`libxl_domain_type`).
    public var number: Int32 {
        switch self {
        case .hvm: 1
        case .pv: 2
        case .pvh: 3
        }
    }

    /// libxl's number for a domain that is none of these.
    public static let invalidNumber: Int32 = -1

    /// - Returns: nil for a number that stands for no type.
    public init?(number: Int32) {
        guard let type = [DomainType.hvm, .pv, .pvh].first(where: { $0.number == number }) else { return nil }
        self = type
    }

    /// The name that goes with a number: "hvm", "pv", "pvh", else "invalid".
    public static func name(ofNumber number: Int32) -> String { DomainType(number: number)?.rawValue ?? "invalid" }
}
