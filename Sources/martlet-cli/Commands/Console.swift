import ArgumentParser
import Martlet

/// Attaches to a guest's console.
struct Console: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Attach to a guest's console; Ctrl-] leaves it.")

    @Option(name: .customShort("t"), help: ArgumentHelp("The kind of console: only pv.", valueName: "type")) var kind = "pv"
    @Option(name: .customShort("n"), help: ArgumentHelp("The number of the console: only 0.", valueName: "number")) var number = 0
    @Argument(help: "Name or domain ID.") var domain: String

    func run() throws {
        guard kind == "pv", number == 0 else {
            throw OperatorError("a PVH guest has one console: -t pv -n 0", remedy: "leave -t and -n out", code: .usage)
        }
        let entry = try Guests.find(domain)
        var session = try ConsoleSession.connect(entry, withConsole: true)
        Report.announceConsole(of: entry.description.name)
        try SessionEnding.finish(try session.run(), of: entry)
    }
}
