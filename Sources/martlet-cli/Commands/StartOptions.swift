import ArgumentParser
import Martlet

/// What `create` and `run` share: the options of the guest's process, and its start.
struct StartOptions: ParsableArguments {
    @OptionGroup var engine: EngineOption
    @Option(help: ArgumentHelp("Destroy the guest after so many seconds; exit code 124.", valueName: "seconds")) var timeout: UInt32?

    /// What this program does once the guest runs.
    enum Attachment { case none, console, foreground }

    /// Creates a guest and lets it run.
    ///
    /// - Throws: an error when it cannot be created or started; nothing of it stays then.
    func start(_ domain: DomainDescription, attachment: Attachment, isPaused: Bool, isQuiet: Bool) throws {
        var options = CreationOptions()
        options.engine = try engine.choice()
        guard timeout != 0 else {
            throw OperatorError("--timeout=0: the guest would never run", remedy: "give at least one second", code: .usage)
        }
        options.timeoutSeconds = timeout
        options.showsBootloader = attachment == .console
        let environment = Environment.current
        do throws(OperatorError) {
            _ = try environment.usableLogDirectory()
        } catch {
            Report.warn(error)
        }
        let registry = try GuestRegistry(directory: environment.runtimeDirectory)
        let isTalking = options.showsBootloader && domain.bootloader != nil
        let isShown = !isTalking && Palette.isTerminal(2)
        let created = try Progress.during("Building the guest", isShown: isShown) { () throws(OperatorError) in
            try GuestCreation(registry: registry, environment: environment).create(domain, options: options)
        }
        for warning in created.warnings { Report.print(warning) }
        do {
            try run(created.entry, attachment, isPaused, isQuiet)
        } catch let error as OperatorError {
            try? created.entry.destroy()
            throw error
        }
    }

    private func run(_ guest: Guest, _ attachment: Attachment, _ isPaused: Bool, _ isQuiet: Bool) throws {
        guard attachment != .none else {
            if !isPaused { try guest.unpause() }
            return
        }
        // The guest's process keeps the time itself. This is for a process that hangs.
        let patience = timeout.map { Int64($0) * 1000 + 10_000 }
        var session = try ConsoleSession.connect(guest, withConsole: attachment == .console, timeoutMilliseconds: patience)
        if attachment == .console, !isQuiet { Report.announceConsole(of: guest.description.name) }
        let ending = try session.run { () throws(OperatorError) in if !isPaused { try guest.unpause() } }
        try SessionEnding.finish(ending, of: guest)
    }
}
