import ArgumentParser
import Martlet

/// Takes a disk away from a running guest.
struct BlockDetach: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "block-detach", abstract: "Take a disk away from a running guest.",
        discussion: "The guest has to let go of it: unmount it first. Named as in block-list (51728) or in the configuration (xvdb).")

    @Flag(name: .shortAndLong, help: "Do not wait for the guest to let go of it.") var force = false
    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: "The disk.") var device: String

    func run() throws {
        let guest = try Guests.find(domain)
        try guest.detach(kind: "vbd", id: guest.diskNumber(device), forced: force || Invocation.current.isForced)
    }
}
