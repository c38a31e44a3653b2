import Martlet

/// What stands before the verb: the program's name and xl's global options.
struct Invocation: Sendable {
    /// "martlet", or "xl" when called by that name.
    var programName = "martlet"
    var isVerbose = false
    var isDryRun = false

    /// That of this run, for the commands.
    @TaskLocal static var current = Invocation()

    /// Takes program name and global options off the front; the rest starts with the verb.
    ///
    /// - Throws: an error for an option that does not exist.
    static func parse(_ arguments: [String]) throws(OperatorError) -> (Invocation, rest: [String]) {
        var invocation = Invocation()
        if arguments.first?.split(separator: "/").last == "xl" { invocation.programName = "xl" }
        var rest = arguments.dropFirst()
        while let word = rest.first, word.hasPrefix("-"), !word.hasPrefix("--"), word != "-h" {
            for letter in word.dropFirst() { try invocation.apply(letter) }
            rest.removeFirst()
        }
        return (invocation, Array(rest))
    }

    private mutating func apply(_ letter: Character) throws(OperatorError) {
        switch letter {
        case "v": isVerbose = true
        case "N": isDryRun = true
        case "f", "t", "T": break  // Force, carriage returns and time stamps: nothing here differs by them.
        default:
            throw OperatorError(
                "option `\(letter)' not supported", remedy: "before the command, these are: -v -N -f -t -T; see `\(programName) help'",
                code: .usage)
        }
    }
}
