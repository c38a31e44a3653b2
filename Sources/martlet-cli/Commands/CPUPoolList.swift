import ArgumentParser
import Martlet

/// Lists the pools of processors: one.
struct CPUPoolList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cpupool-list", abstract: "List the pools of processors: one, with all of them.")

    @Flag(name: [.customShort("c"), .customLong("cpus")], help: "List the processors instead of counting them.") var showsProcessors = false
    @Flag(help: "Print the pool as JSON.") var json = false
    @Argument(help: "Name of a pool.") var pool: String?

    func run() throws {
        if let pool, pool != PoolListing.name {
            throw OperatorError("there is no pool \"\(pool)\"", remedy: "the only one is \(PoolListing.name)")
        }
        let listing = PoolListing(
            processors: HostTopology.current.processors.map(\.number), domainCount: try Guests.registry().guests().count + 1)
        print(json ? listing.json.text + "\n" : showsProcessors ? listing.processorText : listing.text, terminator: "")
    }
}
