import ArgumentParser
import Martlet

/// Lists vCPUs.
struct VCPUList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vcpu-list", abstract: "List the vCPUs of guests.",
        discussion: "States: r running, b blocked, p paused or offline. CPU is the host's processor it ran on last.")

    @Flag(help: "Print the lines as JSON.") var json = false
    @Argument(help: "Names or domain IDs; all when left out.") var domains: [String] = []

    func run() throws {
        let topology = HostTopology.current
        var rows: [VCPUListing.Row] = []
        for guest in try Guests.select(domains) {
            rows += try guest.map { try VCPUListing.rows(of: $0) } ?? VCPUListing.hostRows(topology)
        }
        let listing = VCPUListing(rows: rows, processors: topology.processors.map(\.number))
        print(json ? listing.json.text + "\n" : listing.text, terminator: "")
    }
}
