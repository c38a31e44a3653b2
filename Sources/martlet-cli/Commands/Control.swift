import ArgumentParser
import Martlet

/// Ends a guest at once.
struct Destroy: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "End a guest at once, without asking it.")

    @Flag(name: .customShort("f"), help: ArgumentHelp(visibility: .hidden)) var force = false
    @Argument(help: "Name or domain ID.") var domain: String

    func run() throws { try Guests.find(domain).destroy() }
}

struct Pause: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Stop a guest's vCPUs until unpause.")

    @Argument(help: "Name or domain ID.") var domain: String

    func run() throws { try Guests.find(domain).pause() }
}

struct Unpause: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let a paused guest run.")

    @Argument(help: "Name or domain ID.") var domain: String

    func run() throws { try Guests.find(domain).unpause() }
}

/// Asks guests to shut down.
struct Shutdown: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Ask a guest to shut itself down.")

    @OptionGroup var request: ShutdownRequest

    func run() throws { try request.perform(.poweroff, announcement: "Shutting down domain") }
}

struct Reboot: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Ask a guest to reboot.")

    @OptionGroup var request: ShutdownRequest

    func run() throws { try request.perform(.reboot, announcement: "Rebooting domain") }
}

/// What `shutdown` and `reboot` share.
struct ShutdownRequest: ParsableArguments {
    @Flag(name: .customShort("a"), help: "All guests.") var all = false
    @Flag(name: .customShort("w"), help: "Wait for the guest's end.") var waits = false
    @Flag(name: .customShort("F"), help: ArgumentHelp(visibility: .hidden)) var fallback = false
    @Argument(help: "Name or domain ID.") var domain: String?

    func perform(_ mode: ShutdownMode, announcement: String) throws {
        guard all || domain != nil else {
            throw OperatorError("no guest is named", remedy: "name one, or give -a for all")
        }
        let entries = try domain.map { [try Guests.find($0)] } ?? Guests.registry().guests()
        for entry in entries { try ask(entry, mode, announcement) }
    }

    private func ask(_ entry: GuestRegistry.Entry, _ mode: ShutdownMode, _ announcement: String) throws {
        Report.line("\(announcement) \(entry.domainID)")
        guard waits else { return try entry.shutdown(mode) }
        // Waiting starts before asking, so that no end is missed.
        var session = try ConsoleSession.connect(entry, withConsole: false)
        let ending = try session.run { () throws(OperatorError) in try entry.shutdown(mode) }
        try SessionEnding.finish(ending, of: entry)
    }
}

struct DomID: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "domid", abstract: "Print the domain ID of a guest.")

    @Argument(help: "Name.") var name: String

    func run() throws { print(name == "Domain-0" ? 0 : try Guests.find(name).domainID) }
}

struct DomName: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "domname", abstract: "Print the name of a guest.")

    @Argument(help: "Domain ID.") var domainID: String

    func run() throws { print(domainID == "0" ? "Domain-0" : try Guests.find(domainID).description.name) }
}
