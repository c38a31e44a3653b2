import ArgumentParser
import ControlProtocol
import DomainConfig
import Toolstack

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
    @Option(help: "The CPU engine: \(EngineChoice.allCases.map(\.rawValue).joined(separator: " or ")).") var engine = "auto"
    @Option(help: ArgumentHelp("Destroy the guest after so many seconds; exit code 124.", valueName: "seconds")) var timeout: UInt32?

    @Flag(name: .customShort("d"), help: ArgumentHelp(visibility: .hidden)) var debug = false
    @Flag(name: .customShort("e"), help: ArgumentHelp(visibility: .hidden)) var noMonitor = false
    @Flag(name: [.customShort("V"), .customLong("vncviewer")], help: ArgumentHelp(visibility: .hidden)) var vncViewer = false
    @Flag(name: [.customShort("A"), .customLong("vncviewer-autopass")], help: ArgumentHelp(visibility: .hidden)) var vncPass = false
    @Flag(help: ArgumentHelp(visibility: .hidden)) var ignoreGlobalAffinityMasks = false

    @Argument(help: ArgumentHelp("The configuration file, and key=value words.", valueName: "file | key=value")) var words: [String] = []

    func run() throws {
        let domain = try readConfiguration()
        if dryRun || Invocation.current.isDryRun {
            // xl ends its JSON with an empty line.
            print(domain.json(uuid: RandomUUID.make()).text() + "\n")
            return
        }
        var options = CreationOptions()
        options.engine = try chooseEngine()
        guard timeout != 0 else {
            throw OperatorError("--timeout=0: the guest would never run", remedy: "give at least one second", code: .usage)
        }
        options.timeoutSeconds = timeout
        let environment = Environment.current
        let registry = try GuestRegistry(directory: environment.runtimeDirectory)
        let guest = try GuestCreation(registry: registry, environment: environment).create(domain, options: options)
        do {
            try start(guest)
        } catch let error as OperatorError {
            try? guest.entry.destroy()
            throw error
        }
    }

    private func start(_ guest: CreatedGuest) throws {
        guard console || foreground else {
            if !paused { try guest.entry.unpause() }
            return
        }
        // The guest's process keeps the time itself. This is for a process that hangs.
        let patience = timeout.map { Int64($0) * 1000 + 10_000 }
        var session = try ConsoleSession.connect(guest.entry, withConsole: console, timeoutMilliseconds: patience)
        if console, !quiet { Report.announceConsole(of: guest.entry.description.name) }
        let ending = try session.run { () throws(OperatorError) in if !paused { try guest.entry.unpause() } }
        try SessionEnding.finish(ending, of: guest.entry)
    }

    private func readConfiguration() throws -> DomainDescription {
        let overrides = words.filter { $0.contains("=") }
        let files = words.filter { !$0.contains("=") } + (configFile.map { [$0] } ?? [])
        guard let file = files.first else {
            throw OperatorError(
                "no configuration file is named", remedy: "name one, or /dev/null to give all keys as key=value", code: .invalid)
        }
        guard files.count == 1 else {
            throw OperatorError("more than one configuration file: \(files.joined(separator: ", "))", remedy: "name one", code: .usage)
        }
        let content: [UInt8]
        do throws(SystemError) {
            content = try Files.read(file)
        } catch {
            throw OperatorError(
                "Failed to read config file: \(file): \(SystemError.text(error.errno))", remedy: "check the path", code: .creationFailed)
        }
        if !quiet { Report.line("Parsing config from \(file)") }
        return try judge(DomainDescription.readOnThisHost(content, source: file, overrides: overrides, probeKernel: KernelFile.probe))
    }

    /// Prints what there is to say about a configuration.
    private func judge(_ result: (description: DomainDescription?, diagnostics: [ConfigDiagnostic])) throws -> DomainDescription {
        for diagnostic in result.diagnostics { Report.print(diagnostic) }
        let isDryRun = dryRun || Invocation.current.isDryRun
        guard let description = result.description else { throw Outcome(code: .failure) }
        if !isDryRun, let refusal = result.diagnostics.first(where: { $0.severity == .refusal }) {
            throw Outcome(code: ExitCode(rawValue: refusal.exitCode) ?? .failure)
        }
        return description
    }

    private func chooseEngine() throws(OperatorError) -> EngineChoice {
        if let choice = EngineChoice(rawValue: engine) { return choice }
        let names = EngineChoice.allCases.map(\.rawValue).joined(separator: ", ")
        throw OperatorError("--engine=\(engine): there is no such engine", remedy: "the engines are: \(names)", code: .usage)
    }
}

/// What is said, and with which code the program ends, when a session with a guest is over.
enum SessionEnding {
    static func finish(_ ending: ConsoleSession.Ending, of entry: GuestRegistry.Entry) throws {
        let name = "the guest \"\(entry.description.name)\""
        let log = entry.description.logPath.map { "see \($0)" } ?? ""
        switch ending {
        case .detached: return
        case .signalled(let number): throw KilledBySignal(number: number)
        case .lost:
            throw OperatorError("the process of \(name) ended without a word", remedy: log, code: .guestProcessLost)
        case .deadline:
            try entry.destroy()
            throw OperatorError("\(name) was destroyed after its time had run out", code: .timeout)
        case .ended(.timeout):
            throw OperatorError("\(name) was destroyed after its time had run out", code: .timeout)
        case .ended(.destroyed):
            Report.line("\(name) was destroyed")
        case .ended(.failed(let message)):
            throw OperatorError("\(name) could not go on: \(message)", remedy: log, code: .guestCrashed)
        case .ended(.shutdown(let reason)):
            guard reason == .crash || reason == .watchdog else { return }
            throw OperatorError("\(name) ended by \(reason.word)", remedy: log, code: .guestCrashed)
        }
    }
}
