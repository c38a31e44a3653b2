import ArgumentParser
import Martlet

/// Sets how much memory a guest may have at most.
struct MemMax: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mem-max", abstract: "Set how much memory a guest may ever have.",
        discussion: "A number of MiB, or with a unit: b, k, m, g, t.")

    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: "MiB, or a number with a unit.") var memory: String

    func run() throws { try Guests.find(domain).setMaxMemory(kib: MemorySize.kib(memory)) }
}
