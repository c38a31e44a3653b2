import ArgumentParser
import Martlet

/// Gives a running guest a disk.
struct BlockAttach: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "block-attach", abstract: "Give a running guest another disk.",
        discussion: """
            The disk is described as in disk=[ … ] of a configuration: target, format, name, access. For instance: \
            block-attach web /srv/data.img,raw,xvdb,w
            """)

    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: "The disk, in one word or several.") var specification: [String]

    func run() throws {
        let disk = try ConfigurationFile.disk(specification.joined(separator: ","))
        let guest = try Guests.find(domain)
        guard !Invocation.current.isDryRun else { return print("disk: \(disk.configurationJSON)") }
        try guest.attach(disk)
    }
}
