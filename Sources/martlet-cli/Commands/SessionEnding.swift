import Martlet

/// What is said, and with which code the program ends, when a session with a guest is over.
enum SessionEnding {
    static func finish(_ ending: ConsoleSession.Ending, of entry: GuestRegistry.Entry) throws {
        let name = "the guest \"\(entry.description.name)\""
        let log = entry.description.logPath.map { "see \($0)" } ?? ""
        if case .ended = ending { leaveNothingBehind(entry) }
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

    /// Who starts this program takes its end for the guest's: systemd would kill what is left, and a script create the next of that name.
    private static func leaveNothingBehind(_ entry: GuestRegistry.Entry) { _ = entry.waitUntilGone(milliseconds: 5000) }
}
