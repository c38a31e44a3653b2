/// The grammar of xl.cfg: statements `name = value` and `name += value`, ended by a newline or a semicolon.
///
/// Every line with an error is reported once, and reading goes on at the next line, or behind the list the error is in.
/// Differences from xl 4.17, all of them wider: numeric escapes follow C, and a comment may end the file without a newline.
public struct ConfigParser {
    /// Lists may nest this deep.
    public static let maximumListDepth = 64

    private let source: String
    private let isCommandLine: Bool
    private var lexer: ConfigLexer
    private var token: PlacedToken
    private var settings: ConfigSettings
    private var diagnostics: [ConfigDiagnostic] = []
    /// How many lists are open where the parser stands; an error inside one skips to its end.
    private var listDepth = 0
    /// Where the elements of the outermost list of the current statement start.
    private var elementPlaces: [ConfigPlace] = []

    private init(_ bytes: [UInt8], source: String, isCommandLine: Bool, settings: ConfigSettings) {
        self.source = source
        self.isCommandLine = isCommandLine
        self.settings = settings
        lexer = ConfigLexer(bytes)
        token = lexer.next()
    }

    /// Reads a configuration and the assignments that follow it on the command line.
    ///
    /// - Parameters:
    ///   - bytes: the file's content; nothing is assumed about it.
    ///   - source: the file's name for messages.
    ///   - overrides: `key=value` words, read after the file, so that they win. Beyond xl's grammar a value there that starts
    ///     neither with a quote, nor with `[`, nor with a digit is taken as it stands: shells eat quotes.
    /// - Returns: the settings in force and what is wrong; errors mean that the settings are incomplete.
    public static func parse(
        _ bytes: [UInt8], source: String, overrides: [String] = []
    ) -> (settings: ConfigSettings, diagnostics: [ConfigDiagnostic]) {
        var parser = ConfigParser(bytes, source: source, isCommandLine: false, settings: ConfigSettings())
        parser.parseStatements()
        var settings = parser.settings
        var diagnostics = parser.diagnostics
        for word in overrides {
            let text = quotedOverride(word) ?? word
            var parser = ConfigParser(Array(text.utf8), source: "command line", isCommandLine: true, settings: settings)
            parser.parseStatements()
            settings = parser.settings
            diagnostics += parser.diagnostics
        }
        return (settings, diagnostics)
    }

    private mutating func parseStatements() {
        while token.token != .end {
            do throws(ConfigDiagnostic) {
                try parseStatement()
            } catch {
                diagnostics.append(error)
                recover()
            }
        }
    }

    private mutating func parseStatement() throws(ConfigDiagnostic) {
        switch token.token {
        case .newline, .semicolon: advance()
        case .name(let name): try parseSetting(name)
        default: throw unexpected("a key")
        }
    }

    private mutating func parseSetting(_ name: String) throws(ConfigDiagnostic) {
        let place = place(token.line)
        advance()
        let appends = token.token == .append
        guard appends || token.token == .assign else { throw unexpected("= or +=") }
        advance()
        elementPlaces = []
        let value = try parseValue(depth: 0)
        guard [.newline, .semicolon, .end].contains(token.token) else { throw unexpected("the end of the statement") }
        if appends {
            try settings.append(name, value, at: place, elements: elementPlaces)
        } else {
            settings.assign(name, value, at: place, elements: elementPlaces)
        }
    }

    private mutating func parseValue(depth: Int) throws(ConfigDiagnostic) -> ConfigValue {
        switch token.token {
        case .string(let text), .number(let text):
            advance()
            return .atom(text)
        case .openList:
            return try parseList(depth: depth + 1)
        default:
            throw unexpected("a quoted text, a number or [")
        }
    }

    private mutating func parseList(depth: Int) throws(ConfigDiagnostic) -> ConfigValue {
        let opened = token.line
        listDepth = depth
        guard depth <= Self.maximumListDepth else {
            throw ConfigDiagnostic(.error, at: place(opened), "lists are nested deeper than \(Self.maximumListDepth)")
        }
        advance()
        var elements: [ConfigValue] = []
        skipNewlines()
        while token.token != .closeList {
            guard token.token != .end else { throw unclosed(opened) }
            if depth == 1 { elementPlaces.append(place(token.line)) }
            elements.append(try parseValue(depth: depth))
            listDepth = depth
            skipNewlines()
            if token.token == .comma {
                advance()
                skipNewlines()
            } else if token.token != .closeList {
                throw token.token == .end ? unclosed(opened) : unexpected("a comma or ]")
            }
        }
        advance()
        listDepth = depth - 1
        return .list(elements)
    }

    private mutating func advance() { token = lexer.next() }

    private mutating func skipNewlines() {
        while token.token == .newline { advance() }
    }

    /// Goes on behind an error: on the next line, or on the first line that starts like a statement if a list was open.
    private mutating func recover() {
        if token.token == .end { return }
        let insideList = listDepth > 0
        listDepth = 0
        skipToNextLine()
        while insideList, token.token != .end {
            if case .name = token.token { return }
            skipToNextLine()
        }
    }

    private mutating func skipToNextLine() {
        if token.token != .newline { lexer.skipLine() }
        advance()
    }
}

// MARK: - Errors

extension ConfigParser {
    private func place(_ line: Int) -> ConfigPlace {
        ConfigPlace(source: source, line: isCommandLine ? nil : line)
    }

    private func unexpected(_ expectation: String) -> ConfigDiagnostic {
        let near = "config parsing error near `\(token.text.prefix(40))'"
        if case .bad(let error) = token.token {
            return ConfigDiagnostic(.error, at: place(token.line), "\(near): \(error.message)", remedy: error.remedy)
        }
        if token.token == .newline || token.token == .end {
            return ConfigDiagnostic(.error, at: place(token.line), "the statement ends early, expected \(expectation)", remedy: Self.shape)
        }
        if case .name = token.token, expectation.hasPrefix("a quoted") {
            return ConfigDiagnostic(
                .error, at: place(token.line), "\(near): expected \(expectation)", remedy: "put text in quotes: \"\(token.text)\"")
        }
        return ConfigDiagnostic(.error, at: place(token.line), "\(near): expected \(expectation)", remedy: Self.shape)
    }

    private func unclosed(_ line: Int) -> ConfigDiagnostic {
        ConfigDiagnostic(.error, at: place(line), "the list opened here is not closed", remedy: "end it with ]")
    }

    private static let shape = "a statement is: key = \"text\", key = number or key = [ list ]"

    /// A command-line word `key=text` whose quotes the shell has eaten, as a statement with quotes.
    private static func quotedOverride(_ word: String) -> String? {
        guard let equals = word.firstIndex(of: "=") else { return nil }
        let value = word[word.index(after: equals)...]
        guard let first = value.utf8.first(where: { $0 != UInt8(ascii: " ") }), !"\"'[0123456789".utf8.contains(first) else { return nil }
        var quoted = word[...equals] + "\""
        for character in value {
            switch character {
            case "\"", "\\": quoted += "\\\(character)"
            case "\n": quoted += "\\n"
            default: quoted.append(character)
            }
        }
        return quoted + "\""
    }
}
