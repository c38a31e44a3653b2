import ArgumentParser
import Martlet

/// Sets where vCPUs may run.
struct VCPUPin: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vcpu-pin", abstract: "Set which of the host's processors a vCPU may use.",
        discussion: "Lists are like 0-3,5,^1 or node:0 or all; - leaves one as it is. The soft list is where it should run if it can.")

    @Flag(name: .shortAndLong, help: ArgumentHelp(visibility: .hidden)) var force = false
    @Flag(help: ArgumentHelp(visibility: .hidden)) var ignoreGlobalAffinityMasks = false
    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: ArgumentHelp("A vCPU's number, or all.", valueName: "vcpu | all")) var vcpu: String
    @Argument(help: "Processors it may use.") var hard: String
    @Argument(help: "Processors it should use.") var soft: String?

    func run() throws {
        let guest = try Guests.find(domain)
        let topology = HostTopology.current
        let hardList = try list(hard, topology)
        let softList = try list(soft ?? "-", topology)
        let numbers = try vcpu == "all" ? Array(0..<guest.currentDescription().maxVCPUs) : [number()]
        if Invocation.current.isDryRun {
            let all = topology.processors.map(\.number)
            func text(_ list: [Int]?) -> String { list.map { CPUList.text($0, of: all) } ?? "unchanged" }
            return print("vcpu \(vcpu): hard \(text(hardList)), soft \(text(softList))")
        }
        for number in numbers { try guest.setAffinity(vcpu: number, hard: hardList, soft: softList) }
    }

    /// Nil for "-"; "all" as the list of all.
    private func list(_ text: String, _ topology: HostTopology) throws -> [Int]? {
        text == "-" ? nil : try CPUList.parse(text, topology: topology) ?? topology.processors.map(\.number)
    }

    private func number() throws(OperatorError) -> Int {
        guard let number = Int(vcpu), number >= 0 else {
            throw OperatorError("\"\(vcpu)\" is no vCPU", remedy: "give its number, or all")
        }
        return number
    }
}
