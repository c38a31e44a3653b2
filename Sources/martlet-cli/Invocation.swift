import Martlet

/// What stands before the verb: the program's name and xl's global options.
struct Invocation: Sendable {
    /// "martlet", or "xl" when called by that name.
    var programName = "martlet"
    var isVerbose = false
    var isDryRun = false
    var isForced = false
    /// Every line on standard error starts with the time and this process's ID.
    var showsTimes = false

    /// That of this run, for the commands.
    @TaskLocal static var current = Invocation()

    /// Takes program name and global options off the front; the rest starts with the verb.
    ///
    /// - Throws: an error for an option that does not exist, and for the program that came before xl.
    static func parse(_ arguments: [String]) throws(OperatorError) -> (Invocation, rest: [String]) {
        var invocation = Invocation()
        let called = arguments.first?.split(separator: "/").last ?? ""
        if called == "xl" { invocation.programName = "xl" }
        guard called != "xm" else {
            throw OperatorError("xm is gone since Xen 4.5", remedy: "martlet and xl take the same commands and configurations")
        }
        var rest = arguments.dropFirst()
        while let word = rest.first, word.hasPrefix("-"), !word.hasPrefix("--"), word != "-h", word.count > 1 {
            for letter in word.dropFirst() { try invocation.apply(letter) }
            rest.removeFirst()
        }
        return (invocation, Array(rest))
    }

    private mutating func apply(_ letter: Character) throws(OperatorError) {
        switch letter {
        case "v": isVerbose = true
        case "N": isDryRun = true
        case "f": isForced = true
        case "T": showsTimes = true
        case "t": break  // Carriage returns in progress lines: there are none where nobody watches.
        default:
            throw OperatorError(
                "option `\(letter)' not supported", remedy: "before the command, these are: -v -N -f -t -T; see `\(programName) help'")
        }
    }
}
