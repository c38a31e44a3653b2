import ArgumentParser

/// The list of commands in the layout of `xl help`: four lines of heading, then one line per command that starts with one space.
enum CommandList {
    private static let width = 19

    static var text: String {
        let name = Invocation.current.programName
        return """
            Usage \(name) [-vfNtT] <subcommand> [args]

            \(name) full list of subcommands:

            \(Verbs.commands.map(row).joined(separator: "\n"))
            """
    }

    /// A name that is too long for its column has a line of its own.
    private static func row(_ command: any ParsableCommand.Type) -> String {
        let name = command._commandName
        let padding = String(repeating: " ", count: max(0, width - name.count))
        let separator = name.count > width ? "\n" + String(repeating: " ", count: width + 2) : ""
        return " \(name)\(padding) \(separator)\(command.configuration.abstract)"
    }
}
