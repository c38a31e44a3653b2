import ArgumentParser
import Martlet

/// Lists guests the way the tools of xend's time did.
struct VMList: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "vm-list", abstract: "List UUIDs, domain IDs and names of guests.")

    @Flag(help: "Print the lines as JSON.") var json = false

    func run() throws {
        let listing = GuestListing(rows: try Guests.select([]).map { $0.map(GuestListing.Row.init) ?? GuestListing.host })
        let short = listing.rows.map { row in
            JSONValue.object([
                .init("uuid", .string(row.uuid)), .init("domid", .integer(Int64(row.domainID))), .init("name", .string(row.name)),
            ])
        }
        print(json ? JSONValue.array(short).text + "\n" : listing.uuidText, terminator: "")
    }
}
