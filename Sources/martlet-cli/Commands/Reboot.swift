import ArgumentParser
import Martlet

/// Asks guests to reboot.
struct Reboot: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask a guest to reboot.",
        discussion: """
            This command returns once the guest's kernel has taken the request up, and fails when it does not within a minute. What \
            follows is decided by on_reboot= in its configuration. -w waits until the guest starts over or is gone.
            """)

    @OptionGroup var request: ShutdownRequest

    func run() throws { try request.perform(.reboot, announcement: "Rebooting domain") }
}
