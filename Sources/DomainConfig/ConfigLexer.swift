/// Cuts the bytes of a configuration into tokens (xl.cfg(5), "CONFIG FILE SYNTAX").
struct ConfigLexer {
    private let bytes: [UInt8]
    private var position = 0
    private var line = 1

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func next() -> PlacedToken {
        skipBlanksAndComment()
        let start = position
        let startLine = line
        let token = scan()
        return PlacedToken(token: token, line: startLine, text: text(from: start))
    }

    /// Goes on at the start of the next line, or at the end.
    mutating func skipLine() {
        while let byte = current, byte != UInt8(ascii: "\n") { position += 1 }
        if current != nil {
            position += 1
            line += 1
        }
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func skipBlanksAndComment() {
        while let byte = current, byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") { position += 1 }
        guard current == UInt8(ascii: "#") else { return }
        while let byte = current, byte != UInt8(ascii: "\n") { position += 1 }
    }

    private mutating func scan() -> ConfigToken {
        guard let byte = current else { return .end }
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"): return .name(take(while: Self.continuesName))
        case UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(take(while: Self.continuesNumber))
        case UInt8(ascii: "\""), UInt8(ascii: "'"): return scanString(quote: byte)
        default: break
        }
        position += 1
        switch byte {
        case UInt8(ascii: "\n"):
            line += 1
            return .newline
        case UInt8(ascii: ";"): return .semicolon
        case UInt8(ascii: ","): return .comma
        case UInt8(ascii: "["): return .openList
        case UInt8(ascii: "]"): return .closeList
        case UInt8(ascii: "="): return .assign
        case UInt8(ascii: "+") where current == UInt8(ascii: "="):
            position += 1
            return .append
        default:
            skipWord()
            return .bad(Self.misplaced(byte))
        }
    }

    private mutating func take(while belongs: (UInt8) -> Bool) -> String {
        let start = position
        while let byte = current, belongs(byte) { position += 1 }
        return text(from: start)
    }

    /// The rest of a word no token can be made of.
    private mutating func skipWord() {
        while let byte = current, !" \t\n,;]".utf8.contains(byte) { position += 1 }
    }

    private func text(from start: Int) -> String {
        String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private static func continuesName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."): true
        default: false
        }
    }

    private static func continuesNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "x"): true
        default: false
        }
    }

    private static func misplaced(_ byte: UInt8) -> LexicalError {
        switch byte {
        case UInt8(ascii: "\r"):
            LexicalError(message: "a carriage return", remedy: "the file has DOS line ends; convert it, for instance with dos2unix")
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ":"):
            LexicalError(
                message: "no such word in this grammar",
                remedy: "expressions are not supported; quote text, and write numbers as plain integers")
        case UInt8(ascii: "A")...UInt8(ascii: "Z"):
            LexicalError(
                message: "no such word in this grammar",
                remedy: "keys are lower case, text stands in quotes, booleans are 0 or 1, and numbers carry no unit")
        case UInt8(ascii: "\\"):
            LexicalError(
                message: "no such word in this grammar", remedy: "lines cannot be continued with a backslash; only lists may span lines")
        default:
            LexicalError(message: "no such word in this grammar", remedy: "a statement is: key = \"text\", key = number or key = [ list ]")
        }
    }
}

// MARK: - Strings

extension ConfigLexer {
    private mutating func scanString(quote: UInt8) -> ConfigToken {
        position += 1
        var content: [UInt8] = []
        while let byte = current, byte != UInt8(ascii: "\n") {
            position += 1
            if byte == quote { return Self.checked(content) }
            if byte != UInt8(ascii: "\\") {
                content.append(byte)
                continue
            }
            do throws(LexicalError) {
                content.append(try scanEscape())
            } catch {
                skipString(quote)
                return .bad(error)
            }
        }
        return .bad(LexicalError(message: "the string is not closed on its line", remedy: "end it with \(Character(UnicodeScalar(quote)))"))
    }

    private mutating func scanEscape() throws(LexicalError) -> UInt8 {
        guard let byte = current, byte != UInt8(ascii: "\n") else { throw LexicalError(message: "a backslash ends the line") }
        position += 1
        switch byte {
        case UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "\""): return byte
        case UInt8(ascii: "a"): return 7
        case UInt8(ascii: "b"): return 8
        case UInt8(ascii: "t"): return 9
        case UInt8(ascii: "n"): return 10
        case UInt8(ascii: "v"): return 11
        case UInt8(ascii: "f"): return 12
        case UInt8(ascii: "r"): return 13
        case UInt8(ascii: "x"): return try scanDigits(radix: 16, atLeast: 2, atMost: 2)
        case UInt8(ascii: "0")...UInt8(ascii: "7"):
            position -= 1
            return try scanDigits(radix: 8, atLeast: 1, atMost: 3)
        default:
            throw LexicalError(
                message: "no escape `\\\(Character(UnicodeScalar(byte)))'", remedy: "write a backslash as \\\\")
        }
    }

    private mutating func scanDigits(radix: Int, atLeast: Int, atMost: Int) throws(LexicalError) -> UInt8 {
        var value = 0
        var count = 0
        while count < atMost, let byte = current, let digit = Character(UnicodeScalar(byte)).hexDigitValue, digit < radix {
            value = value * radix + digit
            position += 1
            count += 1
        }
        guard count >= atLeast else { throw LexicalError(message: "\\x needs two hexadecimal digits") }
        guard value <= 0xff else { throw LexicalError(message: "an escape above \\377") }
        return UInt8(value)
    }

    private mutating func skipString(_ quote: UInt8) {
        while let byte = current, byte != UInt8(ascii: "\n") {
            position += 1
            if byte == quote { return }
        }
    }

    /// Names, paths and command lines end up in C strings and in JSON: neither takes a NUL or bytes that are not UTF-8.
    private static func checked(_ content: [UInt8]) -> ConfigToken {
        guard !content.contains(0) else { return .bad(LexicalError(message: "a NUL character in a string")) }
        guard let text = String(validating: content, as: UTF8.self) else {
            return .bad(LexicalError(message: "a string that is not UTF-8", remedy: "save the file as UTF-8"))
        }
        return .string(text)
    }
}
