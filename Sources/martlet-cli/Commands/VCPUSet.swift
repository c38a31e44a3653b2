import ArgumentParser
import Martlet

/// Sets how many vCPUs are online.
struct VCPUSet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vcpu-set", abstract: "Set how many of a guest's vCPUs are to be online.",
        discussion: "The guest's kernel takes them up and down; maxvcpus= in its configuration is the limit.")

    @Flag(name: [.customShort("i"), .customLong("ignore-host")], help: "Allow more than the host has processors.") var ignoresHost = false
    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: "How many.") var count: String

    func run() throws {
        let guest = try Guests.find(domain)
        guard let count = Int(count) else {
            throw OperatorError("\"\(count)\" is no number of vCPUs", remedy: "give a number from 1 to maxvcpus=")
        }
        let processors = HostTopology.current.processors.count
        guard ignoresHost || count <= processors else {
            throw OperatorError(
                "\(count) vCPUs are wanted, but the host has \(processors) processor\(processors == 1 ? "" : "s")",
                remedy: "-i lets vCPUs share processors")
        }
        try guest.setVCPUs(count)
    }
}
