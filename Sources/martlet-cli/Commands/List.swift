import ArgumentParser
import Martlet

/// Lists guests.
struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List guests and their state.",
        discussion: """
            The letters of a state: r running, b blocked (waiting for events), p paused, s shut down and kept, then the reason \
            (r reboot, s suspend, c crash, w watchdog, S soft reset), d dying. Mem is in MiB, Time(s) what all vCPUs have run.
            """)

    @Flag(name: .shortAndLong, help: "Print the configurations as JSON, as libxl does.") var long = false
    @Flag(name: .shortAndLong, help: "Add UUIDs and shutdown reasons.") var verbose = false
    @Flag(name: [.customShort("Z"), .customLong("context")], help: "Add security labels (there are none).") var context = false
    @Flag(name: [.customShort("c"), .customLong("cpupool")], help: "Add the pool of processors.") var pool = false
    @Flag(name: [.customShort("n"), .customLong("numa")], help: "Add the processors a guest may use.") var numa = false
    @Flag(help: "Print the lines as JSON.") var json = false
    @Argument(help: "Name or domain ID; all when left out.") var domain: [String] = []

    func run() throws {
        guard domain.count < 2 else {
            throw OperatorError("list takes one guest, or none for all: \(domain.joined(separator: " "))", remedy: "name one")
        }
        let selection = try Guests.select(domain)
        if long { return try printConfigurations(selection) }
        let rows = selection.map { $0.map(GuestListing.Row.init) ?? GuestListing.host }
        let listing = GuestListing(rows: rows, processors: HostTopology.current.processors.map(\.number))
        var extras: GuestListing.Extras = []
        if verbose { extras.insert(.uuid) }
        if context { extras.insert(.label) }
        if pool { extras.insert(.pool) }
        if numa { extras.insert(.affinity) }
        print(json ? listing.json.text + "\n" : listing.text(extras), terminator: "")
    }

    private func printConfigurations(_ selection: [Guest?]) throws {
        var listing = ConfigurationListing()
        for guest in selection {
            let configuration = try guest.map { try $0.configurationJSON() } ?? GuestListing.hostConfigurationJSON
            listing.append(domainID: guest?.domainID ?? 0, configuration: configuration)
        }
        print(listing.text, terminator: "")
    }
}
