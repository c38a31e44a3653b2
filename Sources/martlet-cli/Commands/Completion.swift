import ArgumentParser
import Martlet

/// Prints completion scripts.
struct Completion: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the completion script for a shell.",
        discussion: "For one session of bash: source <(martlet completion bash). An installed Martlet has the scripts in their places.")

    @Argument(help: "bash, zsh or fish.") var shell: String

    func run() throws {
        let reference = try CommandReference.current()
        switch shell {
        case "bash": print(BashCompletion.script(reference), terminator: "")
        case "zsh": print(ZshCompletion.script(reference), terminator: "")
        case "fish": print(FishCompletion.script(reference), terminator: "")
        default:
            throw OperatorError("there is no completion for the shell `\(shell)'", remedy: "these have one: bash, zsh, fish", code: .usage)
        }
    }
}

/// Prints the sections of the manual that the program knows; `make man` puts them in their place.
struct Manual: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the sections of the manual page that list options, commands and exit codes.", shouldDisplay: false)

    func run() throws { print(ManualPage.sections(try CommandReference.current()), terminator: "") }
}
