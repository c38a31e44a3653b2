import ArgumentParser
import Martlet

/// Writes a guest's memory to a file.
struct DumpCore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump-core", abstract: "Write a guest's memory and registers to a file, as an ELF core.",
        discussion: "The guest stands still meanwhile and goes on afterwards.")

    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: "The file to make.") var file: String

    func run() throws { try Guests.find(domain).dumpCore(path: file) }
}
