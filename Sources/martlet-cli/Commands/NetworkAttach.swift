import ArgumentParser
import Martlet

/// Gives a running guest a network interface.
struct NetworkAttach: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "network-attach", abstract: "Give a running guest another network interface.",
        discussion: """
            The interface is described as in vif=[ … ] of a configuration: mac=, bridge=, ip=, script=, vifname=, rate=, model=, mtu=. \
            Without any, all defaults.
            """)

    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: ArgumentHelp("The interface.", valueName: "key=value")) var specification: [String] = []

    func run() throws {
        let guest = try Guests.find(domain)
        let network = try ConfigurationFile.network(specification.joined(separator: ","))
        guard !Invocation.current.isDryRun else { return print("vif: \(network.configurationJSON)") }
        try guest.attach(network)
    }
}
