import ArgumentParser
import Martlet

/// Asks guests to shut down.
struct Shutdown: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask a guest to shut itself down.",
        discussion: "The guest's own software does it, when it likes. -w waits for its end, or until it stands still when it is preserved.")

    @OptionGroup var request: ShutdownRequest

    func run() throws { try request.perform(.poweroff, announcement: "Shutting down domain") }
}
