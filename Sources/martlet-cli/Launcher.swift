import ArgumentParser
import Glibc
import Martlet

/// The program from its arguments to its exit code. Errors are printed here and nowhere else.
struct Launcher {
    var arguments: [String]

    func run() -> Int32 {
        do {
            let (invocation, rest) = try Invocation.parse(arguments)
            return Invocation.$current.withValue(invocation) { finish(rest) }
        } catch {
            Report.print(error)
            return error.code.rawValue
        }
    }

    /// What is said of a failure names the program as it was called, so it is said here.
    private func finish(_ words: [String]) -> Int32 {
        do {
            return try run(words)
        } catch let outcome as Outcome {
            return outcome.code.rawValue
        } catch let signal as KilledBySignal {
            return 128 + signal.number
        } catch let error as OperatorError {
            Report.print(error)
            return error.code.rawValue
        } catch {
            return printParserMessage(error)
        }
    }

    private func run(_ words: [String]) throws -> Int32 {
        guard let first = words.first else {
            printCommands()
            return Martlet.ExitCode.failure.rawValue
        }
        var words = words
        if !first.hasPrefix("-") { words[0] = try Verbs.resolve(first) }
        let name = Invocation.current.programName
        if Invocation.current.isDryRun, !Verbs.dryRunnable.contains(words[0]) {
            throw OperatorError(
                "`\(name) \(words[0])' does not implement the -N (dry run) option",
                remedy: "these do: \(Verbs.dryRunnable.sorted().joined(separator: ", "))")
        }
        if words[0] == "help" { return try help(Array(words.dropFirst())) }
        var command = try RootCommand.parseAsRoot(words)
        try command.run()
        return 0
    }

    private func help(_ words: [String]) throws -> Int32 {
        guard let word = words.first else {
            printCommands()
            return 0
        }
        if word == "exit-codes" {
            print(ExitCodes.text, terminator: "")
            return 0
        }
        if let missing = MissingVerbs.named(word) {
            print("\(word): \(missing.reason)\n  \(missing.instead)")
            return 0
        }
        var command = try RootCommand.parseAsRoot([try Verbs.resolve(word), "--help"])
        try command.run()
        return 0
    }

    /// Under xl's name the list has xl's layout, which other programs' completion scripts read.
    private func printCommands() {
        print(Invocation.current.programName == "xl" ? CommandList.text : RootCommand.helpMessage())
    }

    /// Help and version go to standard output; what cannot be understood is an error of usage.
    private func printParserMessage(_ error: any Error) -> Int32 {
        if RootCommand.exitCode(for: error).isSuccess {
            print(RootCommand.fullMessage(for: error))
            return 0
        }
        let verb = arguments.dropFirst().first { !$0.hasPrefix("-") } ?? ""
        let help = "\(Invocation.current.programName) help \(verb)"
        Report.print(OperatorError(RootCommand.message(for: error), remedy: "see `\(help)'", code: .usage))
        return Martlet.ExitCode.usage.rawValue
    }
}

/// Thrown to end with a code when everything has been said.
struct Outcome: Error {
    var code: Martlet.ExitCode
}

/// Thrown to end as if a signal had ended this program.
struct KilledBySignal: Error {
    var number: Int32
}
