extension DiskSpecification {
    /// Reads one disk: positional parameters (target, format, vdev, access), named ones, flags and the deprecated prefixes.
    ///
    /// - Throws: what is wrong. The order of the checks is that of the text.
    public init(parsing text: String) throws(SpecificationError) {
        var parser = DiskParser(text)
        self = try parser.parse()
    }
}

/// Walks over the parameters of one specification.
private struct DiskParser {
    private var rest: Substring
    private var target: String?
    private var vdev: String?
    private var format: DiskSpecification.Format?
    private var isWritable: Bool?
    private var disk = DiskSpecification(target: nil, vdev: "")
    /// After "phy:" and its like there is no format among the positional parameters.
    private var hasPrefix = false

    init(_ text: String) { rest = text[...] }

    mutating func parse() throws(SpecificationError) -> DiskSpecification {
        while skipBlanks() {
            try stripPrefixes()
            try read(nextParameter())
        }
        guard let vdev else { throw SpecificationError("no vdev specified", remedy: Self.example) }
        disk.target = target
        disk.vdev = vdev
        disk.format = format ?? .raw
        disk.isRemovable = disk.isRemovable || disk.isCDROM
        disk.isWritable = !disk.isCDROM && isWritable ?? true
        guard target != nil || disk.isRemovable else {
            throw SpecificationError("no target specified, and the device is not removable", remedy: Self.example)
        }
        return disk
    }

    private static let example = "a disk is written like \"/path/to/image,raw,xvda,rw\""

    /// - Returns: whether anything is left.
    private mutating func skipBlanks() -> Bool {
        rest = rest.drop { $0 == " " || $0 == "\t" || $0.isNewline }
        return !rest.isEmpty
    }

    /// The text up to the next comma; `target=` takes everything.
    private mutating func nextParameter() -> String {
        let comma = rest.hasPrefix("target=") ? nil : rest.firstIndex(of: ",")
        let parameter = String(rest[..<(comma ?? rest.endIndex)])
        rest = comma.map { rest[rest.index(after: $0)...] } ?? ""
        return parameter
    }

    private mutating func read(_ parameter: String) throws(SpecificationError) {
        if try readFlag(parameter) { return }
        guard let equals = parameter.firstIndex(of: "=") else { return try readPositional(parameter) }
        let name = String(parameter[..<equals])
        guard name.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") || Character(UnicodeScalar($0)).isLetter }) else {
            throw SpecificationError(
                "`\(parameter)' holds an equals sign", remedy: "give such a path as the last parameter, with target= in front")
        }
        try readNamed(name, String(parameter[parameter.index(after: equals)...]))
    }
}

// MARK: - Prefixes and flags

extension DiskParser {
    private static let formats: [Substring: DiskSpecification.Format] = ["raw": .raw, "qcow": .qcow, "qcow2": .qcow2, "vhd": .vhd]
    private static let dropped: Set<Substring> = ["file", "phy", "tap", "tap2", "aio", "ioemu", "tapdisk"]
    private static let scripts: Set<Substring> = ["iscsi", "nbd", "enbd", "drbd"]

    /// "phy:", "tap:aio:" and the rest of xend's notation.
    private mutating func stripPrefixes() throws(SpecificationError) {
        while let colon = rest.firstIndex(of: ":") {
            let word = rest[..<colon]
            guard Self.isWord(word) else { return }
            let after = rest[rest.index(after: colon)...]
            if let format = Self.formats[word] {
                self.format = format
            } else if Self.scripts.contains(word) {
                try Self.set(&disk.script, "block-\(word)", "script")
            } else if !Self.dropped.contains(word) {
                guard after.first?.isLowerCaseLetterOrDigit != true else { return }
                throw SpecificationError(
                    "unknown deprecated disk prefix `\(word):'", remedy: "name the image by its path, and its format after a comma")
            }
            hasPrefix = true
            rest = after
        }
    }

    private static func isWord(_ text: Substring) -> Bool {
        text.first?.isLetter == true && text.allSatisfy(\.isLowerCaseLetterOrDigit)
    }

    private mutating func readFlag(_ word: String) throws(SpecificationError) -> Bool {
        switch word {
        case "cdrom": disk.isCDROM = true
        case "removable": disk.isRemovable = true
        case "direct-io-safe": disk.isDirectIOSafe = true
        case "discard": try Self.set(&disk.allowsDiscard, true, "discard")
        case "no-discard": try Self.set(&disk.allowsDiscard, false, "discard")
        case "trusted": try Self.set(&disk.isTrusted, true, "trusted")
        case "untrusted": try Self.set(&disk.isTrusted, false, "trusted")
        case "colo": try Self.set(&disk.isReplicated, true, "colo")
        case "no-colo": try Self.set(&disk.isReplicated, false, "colo")
        default: return false
        }
        return true
    }
}

// MARK: - Parameters

extension DiskParser {
    private mutating func readPositional(_ text: String) throws(SpecificationError) {
        if target == nil {
            target = text
        } else if !hasPrefix, format == nil {
            try setFormat(text)
        } else if vdev == nil {
            try setDeviceName(text)
        } else if isWritable == nil {
            try setAccess(text)
        } else {
            throw SpecificationError(
                "`\(text)' is one positional parameter too many", remedy: "they are target, format, vdev and access, in this order")
        }
    }

    private mutating func readNamed(_ name: String, _ value: String) throws(SpecificationError) {
        switch name {
        case "target":
            // A comma at the very end belongs to the list of parameters.
            try Self.set(&target, value.hasSuffix(",") ? String(value.dropLast()) : value, "target")
        case "format": try setFormat(value)
        case "vdev": try Self.set(&vdev, value, "vdev")
        case "access": try setAccess(value)
        case "devtype": try setDeviceType(value)
        case "backend": try Self.set(&disk.backendDomain, value, "backend")
        case "backendtype": try Self.set(&disk.backend, Self.choice(value, name), name)
        case "specification": try Self.set(&disk.protocolName, Self.choice(value, name), name)
        case "script": try Self.set(&disk.script, value, "script")
        case "grant_usage": try Self.set(&disk.usesGrants, Self.grantUsage(value), name)
        case "colo-host", "colo-port", "colo-export", "active-disk", "hidden-disk": disk.replication[name] = value
        default:
            let names = [
                "target", "format", "vdev", "access", "devtype", "backend", "backendtype", "specification", "script", "grant_usage",
            ]
            let nearest = NearestKey.find(name, among: names)
            throw SpecificationError(
                "unknown parameter `\(name)='",
                remedy: nearest.map { "did you mean `\($0)='?" } ?? "the parameters are " + names.joined(separator: "=, ") + "=")
        }
    }

    private mutating func setFormat(_ text: String) throws(SpecificationError) {
        try Self.set(&format, text.isEmpty ? .raw : Self.choice(text, "format"), "format")
    }

    private mutating func setAccess(_ text: String) throws(SpecificationError) {
        switch text {
        case "w", "rw", "": try Self.set(&isWritable, true, "access")
        case "r", "ro": try Self.set(&isWritable, false, "access")
        default: throw Self.unknown(text, "access", ["rw", "w", "ro", "r"])
        }
    }

    private mutating func setDeviceType(_ text: String) throws(SpecificationError) {
        guard text == "cdrom" || text == "disk" else { throw Self.unknown(text, "devtype", ["disk", "cdrom"]) }
        disk.isCDROM = text == "cdrom"
    }

    /// "hdc:cdrom" is an old way to give the device type.
    private mutating func setDeviceName(_ text: String) throws(SpecificationError) {
        guard let colon = text.lastIndex(of: ":") else {
            vdev = text
            return
        }
        try setDeviceType(String(text[text.index(after: colon)...]))
        vdev = String(text[..<colon])
    }

    private static func grantUsage(_ text: String) throws(SpecificationError) -> Bool {
        guard text == "0" || text == "1" else { throw Self.unknown(text, "grant_usage", ["0", "1"]) }
        return text == "1"
    }

    private static func choice<Word: RawRepresentable<String> & CaseIterable>(
        _ text: String, _ name: String
    ) throws(SpecificationError) -> Word {
        guard let word = Word(rawValue: text) else { throw Self.unknown(text, name, Word.allCases.map(\.rawValue)) }
        return word
    }

    private static func unknown(_ text: String, _ name: String, _ words: [String]) -> SpecificationError {
        SpecificationError("unknown value for \(name): `\(text)'", remedy: "it is one of " + words.joined(separator: ", "))
    }

    private static func set<Value: Equatable>(_ field: inout Value?, _ value: Value, _ name: String) throws(SpecificationError) {
        guard field == nil || field == value else {
            throw SpecificationError("\(name) is given twice, with different values", remedy: "keep one of them")
        }
        field = value
    }
}

extension Character {
    fileprivate var isLowerCaseLetterOrDigit: Bool { ("a"..."z").contains(self) || ("0"..."9").contains(self) }
}
