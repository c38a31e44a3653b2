import ArgumentParser
import Martlet

/// Shows what the guests' hypervisors have printed.
struct Dmesg: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the hypervisor's log of all guests.",
        discussion: "Each guest has a hypervisor of its own; theirs come in the order of domain IDs.")

    @Flag(name: [.customShort("c"), .customLong("clear")], help: "Empty the log afterwards.") var clears = false
    @Argument(help: "Name or domain ID; all guests when left out.") var domain: String?

    func run() throws {
        let guests = try domain.map { [try Guests.find($0)] } ?? Guests.registry().guests()
        for guest in guests { print(try guest.hypervisorLog(clears: clears), terminator: "") }
    }
}
