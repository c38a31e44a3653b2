import ArgumentParser
import Martlet

/// Finds the verb a word stands for. As with xl, any prefix will do that fits only one.
enum Verbs {
    /// Those of this program, in the order of its help.
    static let commands: [any ParsableCommand.Type] = [
        Create.self, Run.self, Check.self, Inspect.self, ConfigUpdate.self, List.self, VMList.self, Console.self, Shutdown.self,
        Reboot.self,
        Destroy.self, Pause.self, Unpause.self, Rename.self, DomID.self, DomName.self, Uptime.self, Top.self, MemSet.self, MemMax.self,
        VCPUList.self, VCPUSet.self, VCPUPin.self, BlockAttach.self, BlockList.self, BlockDetach.self, BlockResize.self, NetworkAttach.self,
        NetworkList.self, NetworkDetach.self, SysRq.self, TriggerEvent.self, DumpCore.self, DebugKeys.self, Dmesg.self, Info.self,
        Claims.self, Sharing.self, CPUPoolList.self,
    ]

    static let implemented = commands.map { $0._commandName } + ["help"]

    /// Those that -N works with.
    static let dryRunnable: Set<String> = ["create", "config-update", "vcpu-pin", "block-attach", "network-attach"]

    /// The full name of a verb.
    ///
    /// - Throws: an error for a word that fits none or several, and for one of xl's that is missing here.
    static func resolve(_ word: String) throws(OperatorError) -> String {
        let all = implemented + MissingVerbs.all.flatMap(\.names)
        let matches = all.contains(word) ? [word] : all.filter { $0.hasPrefix(word) }
        guard let verb = matches.first, matches.count == 1 else {
            let remedy = "`\(Invocation.current.programName) help' lists the commands"
            guard !matches.isEmpty else { throw OperatorError("command not implemented: \(word)", remedy: remedy) }
            throw OperatorError("command \(word) is ambiguous: \(matches.joined(separator: ", "))", remedy: "write more of its name")
        }
        if let missing = MissingVerbs.named(verb) {
            throw OperatorError("command not implemented: \(verb): \(missing.reason)", remedy: missing.instead)
        }
        return verb
    }
}
