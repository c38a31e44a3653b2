import ArgumentParser

/// The root of the command line.
struct RootCommand: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: Invocation.current.programName,
            abstract: "Runs unmodified Xen PVH guests, without Xen, without root.",
            usage: "\(Invocation.current.programName) [-vfNtT] <command> [arguments]",
            discussion: """
                Any unambiguous prefix of a command will do. Before the command: -v tells more, -N only shows what would be done, -T puts \
                the time before every message, -f forces, -t is taken for xl's sake. `help exit-codes' lists the exit codes.
                """,
            version: "martlet 0.1.0; guests see Xen 4.20",
            subcommands: Verbs.commands)
    }
}
