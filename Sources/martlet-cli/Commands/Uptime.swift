import ArgumentParser
import Martlet

/// Tells how long guests have run.
struct Uptime: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Print how long guests have run.")

    @Flag(name: .customShort("s"), help: "In the manner of uptime(1).") var short = false
    @Flag(help: "Print the lines as JSON.") var json = false
    @Argument(help: "Names or domain IDs; all when left out.") var domains: [String] = []

    func run() throws {
        let listing = UptimeListing(rows: try Guests.select(domains).map { try $0.map { try UptimeListing.Row($0) } ?? UptimeListing.host })
        print(json ? listing.json.text + "\n" : short ? listing.shortText() : listing.text, terminator: "")
    }
}
