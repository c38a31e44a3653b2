import ArgumentParser
import Martlet

/// Tells how many pages guests share: none.
struct Sharing: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the memory guests share with each other (none).")

    @Argument(help: "Name or domain ID; all when left out.") var domain: String?

    func run() throws {
        let rows = try Guests.select(domain.map { [$0] } ?? []).map { $0.map(GuestListing.Row.init) ?? GuestListing.host }
        print(GuestListing(rows: rows).sharingText, terminator: "")
    }
}
