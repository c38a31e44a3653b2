import ArgumentParser
import Martlet

/// Asks guests to reboot.
struct Reboot: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask a guest to reboot.",
        discussion: "What follows is decided by on_reboot= in its configuration. -w waits until the guest starts over or is gone.")

    @OptionGroup var request: ShutdownRequest

    func run() throws { try request.perform(.reboot, announcement: "Rebooting domain") }
}
