import ArgumentParser
import Martlet

/// Tells about the host.
struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Tell about the host, and about the Xen its guests see.",
        discussion: "Memory is in MiB. With a name, such as xen_version, only that value.")

    @Flag(name: [.customShort("n"), .customLong("numa")], help: "Add the tables of processors and NUMA nodes.") var numa = false
    @Flag(help: "Print everything as JSON.") var json = false
    @Argument(help: "The name of one value.") var name: String?

    func run() throws {
        let information = HostInformation.current
        guard let name else {
            return print(json ? information.json.text + "\n" : information.text(numa: numa), terminator: "")
        }
        guard let value = information[name] else {
            throw OperatorError("info has no \"\(name)\"", remedy: "it has: \(information.fields.map(\.name).joined(separator: ", "))")
        }
        print(json ? JSONValue.object([.init(name, .string(value))]).text : value)
    }
}
