import ArgumentParser
import Martlet

/// Lists guests.
struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List guests and their state.")

    @Flag(name: .shortAndLong, help: "Print the configurations as JSON.") var long = false
    @Flag(name: .shortAndLong, help: "Add UUIDs and shutdown reasons.") var verbose = false
    @Argument(help: "Name or domain ID; all when left out.") var domain: String?

    func run() throws {
        let showsHost = domain == nil || domain == "0" || domain == "Domain-0"
        let entries = try domain == nil ? Guests.registry().guests() : showsHost ? [] : [Guests.find(domain ?? "")]
        if long { return try printConfigurations(entries, showsHost: showsHost) }
        let rows = (showsHost ? [GuestListing.host] : []) + entries.map(GuestListing.Row.init)
        print(GuestListing(rows: rows).text(verbose: verbose), terminator: "")
    }

    private func printConfigurations(_ entries: [GuestRegistry.Entry], showsHost: Bool) throws {
        var objects = showsHost ? [ConfigurationListing.object(domainID: 0, configuration: GuestListing.hostConfigurationJSON)] : []
        for entry in entries {
            objects.append(ConfigurationListing.object(domainID: entry.domainID, configuration: try entry.configurationJSON()))
        }
        print(ConfigurationListing.text(objects))
    }
}

/// The layout of `list -l`: an array of domain IDs with their configurations.
enum ConfigurationListing {
    static func object(domainID: UInt16, configuration: String) -> String {
        let lines = configuration.split(separator: "\n", omittingEmptySubsequences: false)
        let trimmed = lines.last == "" ? lines.dropLast() : lines[...]
        let indented = trimmed.enumerated().map { $0 == 0 || $1.isEmpty ? String($1) : "        " + $1 }
        return "    {\n        \"domid\": \(domainID),\n        \"config\": \(indented.joined(separator: "\n"))\n    }"
    }

    static func text(_ objects: [String]) -> String {
        objects.isEmpty ? "[\n\n]" : "[\n" + objects.joined(separator: ",\n") + "\n]"
    }
}

/// Lists guests the way the tools of xend's time did.
struct VMList: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "vm-list", abstract: "List UUIDs, domain IDs and names of guests.")

    func run() throws {
        print("UUID                                  ID    name")
        let host = GuestListing.host
        print(GuestListing.vmLine(uuid: host.uuid, domainID: 0, name: host.name))
        for entry in try Guests.registry().guests() {
            print(GuestListing.vmLine(uuid: entry.description.uuid, domainID: entry.domainID, name: entry.description.name))
        }
    }
}
