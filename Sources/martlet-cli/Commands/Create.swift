import ArgumentParser
import Martlet

/// Creates a guest from a configuration.
struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Create a guest from a configuration file.",
        discussion: """
            The guest runs in a process of its own; this command returns as soon as it runs, unless -c or -F is given. Words of the \
            form key=value override the file. With -c, Ctrl-] leaves the console and the guest goes on.
            """)

    @Flag(name: .customShort("c"), help: "Attach the console, and wait for the guest's end.") var console = false
    @Flag(name: .customShort("p"), help: "Leave the guest paused.") var paused = false
    @Flag(name: [.customShort("n"), .customLong("dryrun")], help: "Print the resulting configuration as JSON, and create nothing.")
    var dryRun = false
    @Flag(name: .shortAndLong, help: "Do not say which file is read.") var quiet = false
    @Flag(name: .customShort("F"), help: "Stay in the foreground until the guest's end.") var foreground = false
    @Option(name: [.customShort("f"), .customLong("defconfig")], help: ArgumentHelp("The configuration file.", valueName: "file"))
    var configFile: String?
    @OptionGroup var starting: StartOptions

    @Flag(name: .customShort("d"), help: ArgumentHelp(visibility: .hidden)) var debug = false
    @Flag(name: .customShort("e"), help: ArgumentHelp(visibility: .hidden)) var noMonitor = false
    @Flag(name: [.customShort("V"), .customLong("vncviewer")], help: ArgumentHelp(visibility: .hidden)) var vncViewer = false
    @Flag(name: [.customShort("A"), .customLong("vncviewer-autopass")], help: ArgumentHelp(visibility: .hidden)) var vncPass = false
    @Flag(help: ArgumentHelp(visibility: .hidden)) var ignoreGlobalAffinityMasks = false

    @Argument(help: ArgumentHelp("The configuration file, and key=value words.", valueName: "file | key=value")) var words: [String] = []

    func run() throws {
        let configuration = try ConfigurationWords(words, option: configFile)
        let file = try configuration.read()
        if !quiet { Report.line("Parsing config from \(configuration.file)") }
        let isDryRun = dryRun || Invocation.current.isDryRun
        let domain = try file.judged(isDryRun: isDryRun)
        if isDryRun {
            return print(domain.json(uuid: RandomUUID.make()).text() + "\n")  // xl ends its JSON with an empty line
        }
        try starting.start(domain, attachment: console ? .console : foreground ? .foreground : .none, isPaused: paused, isQuiet: quiet)
    }
}
