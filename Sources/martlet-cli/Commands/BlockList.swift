import ArgumentParser
import Martlet

/// Lists disks of guests.
struct BlockList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "block-list", abstract: "List the disks of guests.", discussion: "State 4 is connected. -1: not connected yet.")

    @Flag(help: "Print the lines as JSON, with counters.") var json = false
    @Argument(help: "Names or domain IDs.") var domains: [String]

    func run() throws {
        let listings = try Guests.select(domains).compactMap { try $0.map { try DeviceListing($0) } }
        if json { return print(JSONValue.array(listings.flatMap { $0.json("vbd") }).text) }
        print(DeviceListing.blockHeading + listings.map(\.blockLines).joined(), terminator: "")
    }
}
