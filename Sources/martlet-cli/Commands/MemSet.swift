import ArgumentParser
import Martlet

/// Sets how much memory a guest is to have.
struct MemSet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mem-set", abstract: "Set how much memory a guest is to have now.",
        discussion: "A number of MiB, or with a unit: b, k, m, g, t. The guest's balloon driver follows; `list' shows how far it is.")

    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: "MiB, or a number with a unit.") var memory: String

    func run() throws { try Guests.find(domain).setMemoryTarget(kib: MemorySize.kib(memory)) }
}
