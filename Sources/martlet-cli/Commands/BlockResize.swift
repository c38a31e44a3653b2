import ArgumentParser
import Martlet

/// Tells a running guest that a disk has another size.
struct BlockResize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "block-resize", abstract: "Tell a guest the size its disk's image has now.",
        discussion: "Change the image first, for instance with truncate(1); only raw images can change while a guest uses them.")

    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: "The disk, as in block-list or in the configuration.") var device: String

    func run() throws {
        let guest = try Guests.find(domain)
        try guest.resizeDisk(id: guest.diskNumber(device))
    }
}
