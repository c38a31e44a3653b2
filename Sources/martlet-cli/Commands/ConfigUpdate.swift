import ArgumentParser
import Martlet

/// Replaces the configuration a restart uses.
struct ConfigUpdate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config-update", abstract: "Replace the configuration that the next restart of a guest uses.",
        discussion:
            "The guest that runs does not change; its name, UUID and logs stay. Attached devices and other live changes are replaced, too.")

    @Flag(name: .customShort("d"), help: ArgumentHelp(visibility: .hidden)) var debug = false
    @Option(name: [.customShort("f"), .customLong("defconfig")], help: ArgumentHelp("The configuration file.", valueName: "file"))
    var configFile: String?
    @Argument(help: "Name or domain ID.") var domain: String?
    @Argument(help: ArgumentHelp("The configuration file, and key=value words.", valueName: "file | key=value")) var words: [String] = []

    func run() throws {
        guard let domain else { throw OperatorError("no guest is named", remedy: "name it in front of the configuration file") }
        let guest = try Guests.find(domain)
        let configuration = try ConfigurationWords(words, option: configFile).read().judged(isDryRun: Invocation.current.isDryRun)
        if Invocation.current.isDryRun {
            return print(configuration.json(uuid: guest.description.uuid).text() + "\n")
        }
        try GuestCreation(registry: Guests.registry(), environment: .current).update(guest, with: configuration)
    }
}
