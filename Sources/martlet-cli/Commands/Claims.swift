import ArgumentParser
import Martlet

/// Tells how much memory is set aside for guests that are being built: none.
struct Claims: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List memory that is claimed but not given yet (none).")

    func run() throws {
        let rows = try Guests.select([]).map { $0.map(GuestListing.Row.init) ?? GuestListing.host }
        print(GuestListing(rows: rows).text(.claims), terminator: "")
    }
}
