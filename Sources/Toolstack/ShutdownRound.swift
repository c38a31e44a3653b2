public import ControlProtocol
internal import Glibc

/// Guests that are asked to shut down or to reboot, until each has taken the request up.
///
/// The request stands in `control/shutdown` of the guest's xenstore; its kernel empties that node when it follows, which may be long before
/// the guest's end. All are asked first and then waited for together, so that a deaf guest does not keep others from being asked.
///
/// Reference: Xen `docs/misc/xenstore-paths.pandoc`, `~/control/shutdown`.
public struct ShutdownRound {
    /// How long a guest may take, as with xl.
    public static let patienceMilliseconds = 60_000

    private let mode: ShutdownMode
    private let fallsBack: Bool
    private let patienceMilliseconds: Int
    private let report: (String) -> Void
    private var waiting: [Guest] = []
    /// By domain ID: the guests that did not follow, and why.
    public private(set) var failures: [(guest: Guest, error: OperatorError)] = []

    /// - Parameters:
    ///   - mode: `poweroff` or `reboot`.
    ///   - fallsBack: a guest that cannot follow, or does not in time, is reset in place of a reboot. For a power-off there is no such thing.
    ///   - report: gets a line for what somebody who waits should know.
    public init(
        _ mode: ShutdownMode, fallsBack: Bool = false, patienceMilliseconds: Int = ShutdownRound.patienceMilliseconds,
        report: @escaping (String) -> Void = { _ in }
    ) {
        self.mode = mode
        self.fallsBack = fallsBack
        self.patienceMilliseconds = patienceMilliseconds
        self.report = report
    }

    /// Asks one guest. An error is one of the ``failures``.
    public mutating func ask(_ guest: Guest) {
        do throws(OperatorError) {
            let before = try guest.status()
            let obeys = before.shutdownFeatures?.contains(mode) ?? true
            if fallsBack, !obeys { return try fallBack(guest, "it has not said that it follows requests") }
            try guest.shutdown(mode)
            guard !before.state.paused else { throw isPaused(guest) }
            if !obeys {
                report("\(name(guest)) has not said (control/feature-\(mode.rawValue)) that it follows requests. Waiting all the same")
            }
            waiting.append(guest)
        } catch {
            failures.append((guest, error))
        }
    }

    /// Waits until every guest that was asked has acknowledged, or ``patienceMilliseconds`` have passed.
    public mutating func wait() {
        var waited = 0
        while true {
            waiting.removeAll { $0.hasAcknowledgedShutdown }
            if waiting.isEmpty || waited >= patienceMilliseconds { break }
            let pause = min(200, 5 + waited / 8)
            usleep(UInt32(pause) * 1000)
            waited += pause
        }
        for guest in waiting { giveUp(guest) }
        waiting = []
    }

    private mutating func giveUp(_ guest: Guest) {
        do throws(OperatorError) {
            guard fallsBack else { throw isDeaf(guest) }
            try fallBack(guest, "it has not acknowledged the request")
        } catch {
            failures.append((guest, error))
        }
    }

    /// What takes the place of a request the guest's kernel does not follow.
    private func fallBack(_ guest: Guest, _ why: String) throws(OperatorError) {
        guard mode == .reboot else {
            throw OperatorError(
                "\(name(guest)) cannot be made to power off: \(why), and a PVH guest has no ACPI power button to press instead",
                remedy: "`martlet destroy \(guest.domainID)' ends it without asking")
        }
        report("\(name(guest)) is reset: \(why)")
        try guest.trigger(.reset)
    }

    private func name(_ guest: Guest) -> String { "Domain \(guest.domainID)" }

    private func isDeaf(_ guest: Guest) -> OperatorError {
        let what = mode == .reboot ? "reboot" : "shut down"
        let force = mode == .reboot ? "`martlet reboot -F \(guest.domainID)' resets it" : "`martlet destroy \(guest.domainID)' ends it"
        return OperatorError(
            "\(name(guest)) (\"\(guest.description.name)\") has not acknowledged the request to \(what) within "
                + "\(patienceMilliseconds / 1000) s; the request stays",
            remedy: "its console shows what it does; \(force) without asking")
    }

    private func isPaused(_ guest: Guest) -> OperatorError {
        OperatorError(
            "\(name(guest)) (\"\(guest.description.name)\") is paused: it can follow the request once it runs",
            remedy: "`martlet unpause \(guest.domainID)' lets it run")
    }
}

extension GuestRegistry.Entry {
    /// Whether the guest has taken up what ``shutdown(_:)`` asked for: its kernel has emptied `control/shutdown`, or the guest has shut down,
    /// starts over or is gone already.
    public var hasAcknowledgedShutdown: Bool {
        // Of one that has moved to another domain ID the directory is gone, too.
        guard let status = try? status(timeoutMilliseconds: 1000) else { return (try? GuestLock.isHeld(directory: directory)) != true }
        return status.shutdownRequest == nil || status.domainID != domainID
    }
}
