import ArgumentParser
import Martlet

/// Prints state into the hypervisor's log.
struct DebugKeys: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "debug-keys", abstract: "Print the state of guests into the hypervisor's log, by Xen's keys.",
        discussion: "`martlet dmesg' shows what came of it. Among the keys: q domains, e event channels, g grants, h help.")

    @Argument(help: "One or more keys.") var keys: String
    @Argument(help: "Name or domain ID; all guests when left out.") var domain: String?

    func run() throws {
        let guests = try domain.map { [try Guests.find($0)] } ?? Guests.registry().guests()
        for guest in guests { try guest.debugKeys(keys) }
    }
}
