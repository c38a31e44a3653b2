import ArgumentParser
import Martlet

/// Tells the domain ID of a name.
struct DomID: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "domid", abstract: "Print the domain ID of a guest.")

    @Flag(help: "Print an object as JSON.") var json = false
    @Argument(help: "Name.") var name: String

    func run() throws {
        let domainID = Guests.isHost(name) ? 0 : try Guests.find(name).domainID
        let object = JSONValue.object([.init("domid", .integer(Int64(domainID))), .init("name", .string(name))])
        print(json ? object.text : "\(domainID)")
    }
}
