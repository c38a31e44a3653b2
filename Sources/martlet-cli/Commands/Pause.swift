import ArgumentParser
import Martlet

/// Stops a guest's vCPUs.
struct Pause: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Stop a guest's vCPUs until unpause.")

    @Argument(help: "Name or domain ID.") var domain: String

    func run() throws { try Guests.find(domain).pause() }
}
