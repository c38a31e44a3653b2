import ArgumentParser

/// The root of the command line.
struct RootCommand: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: Invocation.current.programName,
            abstract: "Runs unmodified Xen PVH guests, without Xen, without root.",
            usage: "\(Invocation.current.programName) [-vN] <command> [arguments]",
            discussion: "Any unambiguous prefix of a command will do. `help exit-codes' lists the exit codes.",
            version: "martlet 0.1.0; guests see Xen 4.20",
            subcommands: [
                Create.self, Console.self, List.self, Destroy.self, Pause.self, Unpause.self, Shutdown.self, Reboot.self, DomID.self,
                DomName.self, VMList.self, Inspect.self,
            ])
    }
}
