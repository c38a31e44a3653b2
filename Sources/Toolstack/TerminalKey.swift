/// What somebody types at a terminal: characters, and the keys that send several bytes (ECMA-48 CSI, and SS3 of a VT100).
enum TerminalKey: Equatable {
    case character(UnicodeScalar)
    case up, down, left, right, pageUp, pageDown, home, end, escape
    /// A key that nobody here knows.
    case other

    /// The keys of some bytes, as one read from a terminal brings them. A sequence that is cut off counts as another key.
    static func keys(_ bytes: [UInt8]) -> [TerminalKey] {
        var keys: [TerminalKey] = []
        var rest = bytes[...]
        while let byte = rest.popFirst() {
            guard byte == 0x1b else {
                keys.append(byte < 0x80 ? .character(UnicodeScalar(byte)) : .other)
                continue
            }
            guard let introducer = rest.first, introducer == UInt8(ascii: "[") || introducer == UInt8(ascii: "O") else {
                keys.append(.escape)
                continue
            }
            rest.removeFirst()
            let parameters = rest.prefix { (0x20..<0x40).contains($0) }
            rest = rest.dropFirst(parameters.count)
            keys.append(sequence(Array(parameters), rest.popFirst()))
        }
        return keys
    }

    private static func sequence(_ parameters: [UInt8], _ last: UInt8?) -> TerminalKey {
        switch (String(decoding: parameters, as: UTF8.self), last.map { UnicodeScalar($0) }) {
        case ("", "A"): .up
        case ("", "B"): .down
        case ("", "C"): .right
        case ("", "D"): .left
        case ("", "H"), ("1", "~"), ("7", "~"): .home
        case ("", "F"), ("4", "~"), ("8", "~"): .end
        case ("5", "~"): .pageUp
        case ("6", "~"): .pageDown
        default: .other
        }
    }
}
