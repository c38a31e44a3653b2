import ArgumentParser
import Martlet

/// Lets a paused guest run.
struct Unpause: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let a paused guest run.")

    @Argument(help: "Name or domain ID.") var domain: String

    func run() throws { try Guests.find(domain).unpause() }
}
