/// Why bytes are not the JSON this package reads.
public struct JSONError: Error, Equatable, Sendable {
    /// Counted from 1.
    public var line: Int
    public var cause: String
}

extension JSONText {
    /// Objects and arrays may nest this deep.
    public static let maximumDepth = 64

    /// Reads one JSON value (RFC 8259), with nothing but blanks around it. Numbers are integers of 64 bits; no member stands twice.
    ///
    /// - Throws: what is wrong, with its line.
    public init(parsing bytes: [UInt8]) throws(JSONError) {
        var parser = JSONParser(bytes)
        self = try parser.document()
    }
}

private struct JSONParser {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(JSONError) -> JSONText {
        let value = try value(depth: 0)
        skipBlanks()
        guard position == bytes.count else { throw error("something follows the value") }
        return value
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private func error(_ cause: String) -> JSONError {
        JSONError(line: bytes[..<position].count { $0 == UInt8(ascii: "\n") } + 1, cause: cause)
    }

    private mutating func skipBlanks() {
        while let byte = current, byte == 32 || (9...10).contains(byte) || byte == 13 { position += 1 }
    }

    /// Takes a byte if it is next, blanks aside.
    private mutating func take(_ byte: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard current == UInt8(ascii: byte) else { return false }
        position += 1
        return true
    }

    private mutating func value(depth: Int) throws(JSONError) -> JSONText {
        guard depth <= JSONText.maximumDepth else { throw error("values are nested deeper than \(JSONText.maximumDepth)") }
        skipBlanks()
        switch current {
        case UInt8(ascii: "{"): return try object(depth: depth + 1)
        case UInt8(ascii: "["): return try array(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try string())
        case let byte? where "-0123456789".utf8.contains(byte): return .number(try number())
        default: return try word()
        }
    }

    private mutating func object(depth: Int) throws(JSONError) -> JSONText {
        position += 1
        var members: [(String, JSONText)] = []
        var names: Set<String> = []
        if take("}") { return .object([]) }
        repeat {
            skipBlanks()
            guard current == UInt8(ascii: "\"") else { throw error("a member's name is expected") }
            let name = try string()
            guard take(":") else { throw error("a colon is expected after \"\(name)\"") }
            guard names.insert(name).inserted else { throw error("the member \"\(name)\" stands twice") }
            members.append((name, try value(depth: depth)))
        } while take(",")
        guard take("}") else { throw error("a comma or } is expected") }
        return .object(members)
    }

    private mutating func array(depth: Int) throws(JSONError) -> JSONText {
        position += 1
        var elements: [JSONText] = []
        if take("]") { return .array([]) }
        repeat { elements.append(try value(depth: depth)) } while take(",")
        guard take("]") else { throw error("a comma or ] is expected") }
        return .array(elements)
    }

    private mutating func number() throws(JSONError) -> Int64 {
        let start = position
        while let byte = current, "+-.0123456789eE".utf8.contains(byte) { position += 1 }
        let text = String(decoding: bytes[start..<position], as: UTF8.self)
        let digits = text.hasPrefix("-") ? text.dropFirst() : text[...]
        guard let value = Int64(text), digits.utf8.allSatisfy({ "0123456789".utf8.contains($0) }), digits == "0" || !digits.hasPrefix("0")
        else {
            throw error("\(text) is not an integer of 64 bits")
        }
        return value
    }

    private mutating func word() throws(JSONError) -> JSONText {
        for (text, value) in [("true", JSONText.literal(true)), ("false", .literal(false)), ("null", .null)]
        where bytes[position...].starts(with: text.utf8) {
            position += text.utf8.count
            return value
        }
        throw error(current == nil ? "the text ends early" : "a value is expected")
    }
}

// MARK: - Strings

extension JSONParser {
    private mutating func string() throws(JSONError) -> String {
        position += 1
        var content: [UInt8] = []
        while let byte = current, byte != UInt8(ascii: "\"") {
            guard byte >= 32 else { throw error("a control character in a string") }
            position += 1
            if byte == UInt8(ascii: "\\") { content += try escape() } else { content.append(byte) }
        }
        guard current != nil else { throw error("a string is not closed") }
        position += 1
        guard let text = String(validating: content, as: UTF8.self) else { throw error("a string that is not UTF-8") }
        return text
    }

    private mutating func escape() throws(JSONError) -> [UInt8] {
        guard let byte = current else { throw error("a string is not closed") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [8]
        case UInt8(ascii: "f"): return [12]
        case UInt8(ascii: "n"): return [10]
        case UInt8(ascii: "r"): return [13]
        case UInt8(ascii: "t"): return [9]
        case UInt8(ascii: "u"): return Array(String(Character(try scalar())).utf8)
        default: throw error("an escape that JSON does not have")
        }
    }

    /// The four digits behind \u, and those of a second half.
    private mutating func scalar() throws(JSONError) -> Unicode.Scalar {
        let first = try hexadecimal()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard (0xd800..<0xdc00).contains(first), bytes[position...].starts(with: "\\u".utf8) else { throw error("half a character") }
        position += 2
        let second = try hexadecimal()
        guard (0xdc00..<0xe000).contains(second), let scalar = Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00)) else {
            throw error("half a character")
        }
        return scalar
    }

    private mutating func hexadecimal() throws(JSONError) -> UInt32 {
        let digits = bytes[position...].prefix(4)
        guard digits.count == 4, digits.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit && $0 < 128 }),
            let value = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw error("\\u needs four hexadecimal digits") }
        position += 4
        return value
    }
}
