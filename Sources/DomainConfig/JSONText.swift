/// JSON with members in a chosen order, printed the way libxl prints it.
public indirect enum JSONText: Equatable, Sendable {
    case string(String)
    case number(Int64)
    /// JSON's own true and false; libxl writes most of its booleans as strings.
    case literal(Bool)
    case null
    case array([JSONText])
    case object([(String, JSONText)])

    public static func == (a: JSONText, b: JSONText) -> Bool { a.text() == b.text() }

    /// The text of a string, the value of a number; nil for others.
    public var string: String? { if case .string(let text) = self { text } else { nil } }
    public var number: Int64? { if case .number(let value) = self { value } else { nil } }

    /// A boolean in libxl's spelling or JSON's; nil for others, "<default>" among them.
    var boolean: Bool? {
        switch self {
        case .literal(let value): value
        case .string("True"): true
        case .string("False"): false
        default: nil
        }
    }

    /// A member of an object; nil for other values and for members that are not there.
    public subscript(name: String) -> JSONText? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.0 == name }?.1
    }

    /// libxl's way to write a boolean.
    static func boolean(_ value: Bool) -> JSONText { .string(value ? "True" : "False") }

    /// Indented by four spaces; an empty object spans three lines.
    public func text(indent: Int = 0) -> String {
        let inner = String(repeating: " ", count: indent + 4)
        let outer = String(repeating: " ", count: indent)
        switch self {
        case .string(let text): return Self.quote(text)
        case .number(let value): return "\(value)"
        case .literal(let value): return "\(value)"
        case .null: return "null"
        case .array(let elements):
            let lines = elements.map { inner + $0.text(indent: indent + 4) }
            return "[\n" + lines.joined(separator: ",\n") + "\n\(outer)]"
        case .object(let members):
            let lines = members.map { "\(inner)\(Self.quote($0.0)): " + $0.1.text(indent: indent + 4) }
            return "{\n" + lines.joined(separator: ",\n") + "\n\(outer)}"
        }
    }

    private static func quote(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            case "\u{8}": quoted += "\\b"
            case "\u{c}": quoted += "\\f"
            case let control where control.value < 32:
                let digits = String(control.value, radix: 16, uppercase: true)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
