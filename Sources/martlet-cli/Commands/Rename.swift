import ArgumentParser
import Martlet

/// Gives a guest another name.
struct Rename: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give a guest another name.", discussion: "Its logs keep the name they were opened with.")

    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: "The new name.") var newName: String

    func run() throws { _ = try Guests.registry().rename(try Guests.find(domain), to: newName) }
}
