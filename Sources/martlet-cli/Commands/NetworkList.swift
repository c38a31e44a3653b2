import ArgumentParser
import Martlet

/// Lists network interfaces of guests.
struct NetworkList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network-list", abstract: "List the network interfaces of guests.",
        discussion: "State 4 is connected. -1: not connected yet, or more than one event channel.")

    @Flag(help: "Print the lines as JSON, with counters.") var json = false
    @Argument(help: "Names or domain IDs.") var domains: [String]

    func run() throws {
        let listings = try Guests.select(domains).compactMap { try $0.map { try DeviceListing($0) } }
        if json { return print(JSONValue.array(listings.flatMap { $0.json("vif") }).text) }
        print(DeviceListing.networkHeading + listings.map(\.networkLines).joined(), terminator: "")
    }
}
