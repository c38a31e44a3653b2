import ArgumentParser
import Martlet

/// Asks guests to shut down.
struct Shutdown: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask a guest to shut itself down.",
        discussion: """
            The guest's own software does it. This command returns once the guest's kernel has taken the request up, and fails when it \
            does not within a minute. -w waits for the guest's end, or until it stands still when it is preserved.
            """)

    @OptionGroup var request: ShutdownRequest

    func run() throws { try request.perform(.poweroff, announcement: "Shutting down domain") }
}
