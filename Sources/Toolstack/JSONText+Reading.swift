internal import DomainConfig

extension JSONText {
    /// Reads JSON as libxl writes it: objects, arrays, strings, booleans and whole numbers; members keep their order.
    ///
    /// - Returns: nil for anything else, such as fractions or `null`, and for nesting deeper than 64.
    static func read(_ text: String) -> JSONText? {
        var reader = JSONTextReader(bytes: Array(text.utf8))
        guard let value = reader.value(depth: 0) else { return nil }
        return reader.isAtEnd ? value : nil
    }

    /// The members of an object; nil for other values.
    var members: [(String, JSONText)]? {
        if case .object(let members) = self { members } else { nil }
    }

    subscript(key: String) -> JSONText? { members?.first { $0.0 == key }?.1 }

    var string: String? {
        if case .string(let text) = self { text } else { nil }
    }

    var elements: [JSONText]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The object with a member replaced, removed (nil) or put behind the last of `predecessors` that is there; in front without any.
    func setting(_ key: String, _ value: JSONText?, after predecessors: [String]) -> JSONText {
        guard var members else { return self }
        let present = members.firstIndex { $0.0 == key }
        switch (present, value) {
        case (let index?, let value?): members[index].1 = value
        case (let index?, nil): members.remove(at: index)
        case (nil, let value?):
            let place = members.lastIndex { predecessors.contains($0.0) }
            members.insert((key, value), at: place.map { $0 + 1 } ?? 0)
        case (nil, nil): break
        }
        return .object(members)
    }
}

/// A cursor over JSON text. Every function returns nil at the first byte that does not fit.
private struct JSONTextReader {
    let bytes: [UInt8]
    private var position = 0
    private static let maximumDepth = 64

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool {
        mutating get {
            skipBlanks()
            return position == bytes.count
        }
    }

    mutating func value(depth: Int) -> JSONText? {
        guard depth < Self.maximumDepth else { return nil }
        skipBlanks()
        guard position < bytes.count else { return nil }
        switch bytes[position] {
        case UInt8(ascii: "{"): return object(depth)
        case UInt8(ascii: "["): return array(depth)
        case UInt8(ascii: "\""): return string().map { .string($0) }
        case UInt8(ascii: "t"): return word("true", .literal(true))
        case UInt8(ascii: "f"): return word("false", .literal(false))
        default: return number()
        }
    }

    private mutating func word(_ text: String, _ value: JSONText) -> JSONText? {
        guard bytes[position...].starts(with: text.utf8) else { return nil }
        position += text.utf8.count
        return value
    }

    private mutating func object(_ depth: Int) -> JSONText? {
        var members: [(String, JSONText)] = []
        let complete = list("}") { reader in
            guard let key = reader.string(), reader.take(":"), let value = reader.value(depth: depth + 1) else { return false }
            members.append((key, value))
            return true
        }
        return complete ? .object(members) : nil
    }

    private mutating func array(_ depth: Int) -> JSONText? {
        var elements: [JSONText] = []
        let complete = list("]") { reader in
            guard let value = reader.value(depth: depth + 1) else { return false }
            elements.append(value)
            return true
        }
        return complete ? .array(elements) : nil
    }

    private mutating func list(_ end: UnicodeScalar, _ item: (inout Self) -> Bool) -> Bool {
        position += 1
        if take(end) { return true }
        while true {
            skipBlanks()
            guard item(&self) else { return false }
            if take(",") { continue }
            return take(end)
        }
    }

    private mutating func string() -> String? {
        guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { return nil }
        position += 1
        var content: [UInt8] = []
        while position < bytes.count {
            let byte = bytes[position]
            position += 1
            if byte == UInt8(ascii: "\"") { return String(validating: content, as: UTF8.self) }
            guard byte >= 32 else { return nil }
            if byte != UInt8(ascii: "\\") {
                content.append(byte)
            } else {
                guard let scalar = escape() else { return nil }
                content += Array(String(scalar).utf8)
            }
        }
        return nil
    }

    private mutating func escape() -> UnicodeScalar? {
        guard position < bytes.count else { return nil }
        defer { position += 1 }
        switch UnicodeScalar(bytes[position]) {
        case "n": return "\n"
        case "t": return "\t"
        case "r": return "\r"
        case "b": return "\u{8}"
        case "f": return "\u{c}"
        case "u":
            guard position + 4 < bytes.count else { return nil }
            let digits = String(decoding: bytes[(position + 1)...(position + 4)], as: UTF8.self)
            position += 4
            return UInt32(digits, radix: 16).flatMap(UnicodeScalar.init)
        case let scalar where "\"\\/".unicodeScalars.contains(scalar): return scalar
        default: return nil
        }
    }

    private mutating func number() -> JSONText? {
        let start = position
        if position < bytes.count, bytes[position] == UInt8(ascii: "-") { position += 1 }
        while position < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[position] { position += 1 }
        return Int64(String(decoding: bytes[start..<position], as: UTF8.self)).map { .number($0) }
    }

    private mutating func take(_ scalar: UnicodeScalar) -> Bool {
        skipBlanks()
        guard position < bytes.count, UnicodeScalar(bytes[position]) == scalar else { return false }
        position += 1
        return true
    }

    private mutating func skipBlanks() {
        while position < bytes.count, [32, 9, 10, 13].contains(bytes[position]) { position += 1 }
    }
}
