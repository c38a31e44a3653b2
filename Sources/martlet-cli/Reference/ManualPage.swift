import Martlet

/// The sections of the manual page that the program knows best, in mdoc(7).
enum ManualPage {
    static func sections(_ reference: CommandReference) -> String {
        var lines = [".Sh OPTIONS", "These stand before the command.", ".Bl -tag -width Ds -compact"]
        for option in GlobalOptions.all { lines += [".It Fl \(option.spelling.dropFirst())"] + sentences(option.meaning) }
        lines += [".El", ".Sh COMMANDS", ".Bl -tag -width Ds"]
        let commands = reference.verbs.map(section).joined()
        let codes = ExitCodes.meanings.flatMap { [".It \($0.code.rawValue)"] + sentences($0.meaning.capitalisedSentence) }
        let ending = [".El", ".Sh EXIT STATUS", ".Bl -tag -width Ds -compact"] + codes + [".El"]
        return lines.joined(separator: "\n") + "\n" + commands + ending.joined(separator: "\n") + "\n"
    }

    private static func section(_ verb: CommandReference.Command) -> String {
        var lines = [".It Xo", ".Cm \(verb.commandName)"]
        lines += verb.options.map { ".Op \(spelling($0, isShort: true))" }
        lines += verb.words.map(word)
        lines += [".Xc"] + sentences(verb.abstract)
        if let discussion = verb.discussion, !discussion.isEmpty { lines += sentences(discussion) }
        if !verb.options.isEmpty {
            lines.append(".Bl -tag -width Ds -compact")
            for option in verb.options { lines += [".It \(spelling(option, isShort: false))"] + sentences(option.abstract) }
            lines.append(".El")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func spelling(_ option: CommandReference.Argument, isShort: Bool) -> String {
        let value = option.takesValue ? " Ar \(escaped(option.valueName ?? "value"))" : ""
        let names = isShort ? Array(option.spellings.prefix(1)) : option.spellings
        return names.map { "Fl \(escaped(String($0.dropFirst())))" }.joined(separator: " , ") + value
    }

    private static func word(_ argument: CommandReference.Argument) -> String {
        let name = "Ar \(escaped(argument.valueName ?? ""))" + (argument.isRepeating ? " ..." : "")
        return argument.isOptional ? ".Op \(name)" : ".\(name)"
    }

    /// A sentence a line, as mdoc has it.
    private static func sentences(_ text: String?) -> [String] {
        guard let text else { return [] }
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ") {
            // Sources of manual pages have at most 80 columns.
            if line.utf8.count + word.utf8.count > 74 {
                lines.append(line)
                line = ""
            }
            line += (line.isEmpty ? "" : " ") + escaped(String(word))
            if word.last == ".", word.count > 2 {
                lines.append(line)
                line = ""
            }
        }
        if !line.isEmpty { lines.append(line) }
        return lines.map { $0.first == "." || $0.first == "'" ? "\\&" + $0 : $0 }
    }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.map { scalar in
            switch scalar {
            case "\\": "\\e"
            case "-": "\\-"
            case "…": "..."
            case "|": "\\*(Ba"
            case _ where scalar.value > 126:
                "\\[u" + String(repeating: "0", count: max(0, 4 - String(scalar.value, radix: 16).count))
                    + String(scalar.value, radix: 16, uppercase: true) + "]"
            default: String(scalar)
            }
        }.joined()
    }
}

extension String {
    fileprivate var capitalisedSentence: String { prefix(1).uppercased() + dropFirst() + "." }
}
