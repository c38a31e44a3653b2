import ArgumentParser
import Martlet

/// Tells the name of a domain ID.
struct DomName: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "domname", abstract: "Print the name of a guest.")

    @Argument(help: "Domain ID.") var domainID: String

    func run() throws {
        guard UInt16(domainID) != nil else {
            throw OperatorError("\(domainID) is no domain ID", remedy: "domain IDs are numbers; `martlet list' shows them")
        }
        print(Guests.isHost(domainID) ? "Domain-0" : try Guests.find(domainID).description.name)
    }
}
