import ArgumentParser
import Glibc
import Martlet

/// The program from its arguments to its exit code. Errors are printed here and nowhere else.
struct Launcher {
    var arguments: [String]

    func run() -> Int32 {
        do {
            let (invocation, rest) = try Invocation.parse(arguments)
            return try Invocation.$current.withValue(invocation) { try run(rest) }
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
            print(RootCommand.helpMessage())
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
            print(RootCommand.helpMessage())
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

    /// Help and version go to standard output; what cannot be understood is an error of usage.
    private func printParserMessage(_ error: any Error) -> Int32 {
        if RootCommand.exitCode(for: error).isSuccess {
            print(RootCommand.fullMessage(for: error))
            return 0
        }
        let verb = arguments.dropFirst().first { !$0.hasPrefix("-") } ?? ""
        let help = "\(arguments.first?.split(separator: "/").last ?? "martlet") help \(verb)"
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
