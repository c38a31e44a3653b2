import ArgumentParser
import Martlet

/// Ends a guest at once.
struct Destroy: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "End a guest at once, without asking it.")

    @Flag(name: .customShort("f"), help: ArgumentHelp(visibility: .hidden)) var force = false
    @Argument(help: "Name or domain ID.") var domain: String

    func run() throws { try Guests.find(domain).destroy() }
}
