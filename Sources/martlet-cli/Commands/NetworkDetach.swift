import ArgumentParser
import Martlet

/// Takes a network interface away from a running guest.
struct NetworkDetach: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network-detach", abstract: "Take a network interface away from a running guest.")

    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: "The interface: its number in network-list, or its MAC address.") var device: String

    func run() throws {
        let guest = try Guests.find(domain)
        try guest.detach(kind: "vif", id: guest.networkHandle(device), forced: Invocation.current.isForced)
    }
}
