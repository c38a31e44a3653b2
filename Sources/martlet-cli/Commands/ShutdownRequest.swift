import ArgumentParser
import Martlet

/// What `shutdown` and `reboot` share.
struct ShutdownRequest: ParsableArguments {
    @Flag(name: [.customShort("a"), .customLong("all")], help: "All guests.") var all = false
    @Flag(name: [.customShort("w"), .customLong("wait")], help: "Wait until it has happened.") var waits = false
    @Flag(
        name: .customShort("F"),
        help: "Reset a guest that does not follow a request to reboot. For a power-off a PVH guest has no ACPI button to fall back to.")
    var fallback = false
    @Argument(help: "Name or domain ID.") var domain: String?

    func perform(_ mode: ShutdownMode, announcement: String) throws {
        guard all || domain != nil else {
            throw OperatorError("no guest is named", remedy: "name one, or give -a for all")
        }
        guard !all || domain == nil else {
            throw OperatorError("-a stands for all guests, and \(domain ?? "") is named besides", remedy: "give one or the other")
        }
        let guests = try domain.map { [try Guests.find($0)] } ?? Guests.registry().guests().filter { !Self.isKept($0) }
        var faults: [OperatorError] = []
        // Watching starts before asking, so that no end is missed.
        let watches = waits ? Self.watches(guests, &faults) : []
        let round = ask(guests, mode, announcement)
        faults += round.failures.map(\.error)
        let deaf = Set(round.failures.map(\.guest.domainID))
        faults += finish(watches.filter { !deaf.contains($0.domainID) })
        for fault in faults.dropLast() { Report.print(fault) }
        if let fault = faults.last { throw fault }
    }

    /// What has shut down already and is kept has nothing left to do.
    private static func isKept(_ guest: Guest) -> Bool { (try? guest.status())?.state.shutdownReason != nil }

    /// All are asked, and waited for until they acknowledge, even if one does not answer.
    private func ask(_ guests: [Guest], _ mode: ShutdownMode, _ announcement: String) -> ShutdownRound {
        var round = ShutdownRound(mode, fallsBack: fallback) { Report.line($0) }
        for guest in guests {
            if let warning = guest.domainType().warning { Report.line("warning: \(warning)", Palette.errors.warning) }
            Report.line("\(announcement) \(guest.domainID)")
            round.ask(guest)
        }
        Progress.during("Waiting for the guest's acknowledgement") { round.wait() }
        return round
    }

    private static func watches(_ guests: [Guest], _ faults: inout [OperatorError]) -> [Watch] {
        var watches: [Watch] = []
        for guest in guests {
            do throws(OperatorError) { watches.append(Watch(try EndWatch(guest))) } catch { faults.append(error) }
        }
        return watches
    }

    private func finish(_ watches: [Watch]) -> [OperatorError] {
        guard !watches.isEmpty else { return [] }
        Report.line("Waiting for \(watches.count) domain\(watches.count == 1 ? "" : "s")")
        return watches.compactMap { watch in
            do throws(OperatorError) { try watch.finish() } catch { return error }
            return nil
        }
    }

    /// A class, because arrays hold no noncopyable values.
    private final class Watch {
        private var watch: EndWatch

        init(_ watch: consuming EndWatch) { self.watch = watch }

        var domainID: UInt16 { watch.guest.domainID }

        func finish() throws(OperatorError) {
            let name = "Domain \(domainID)"
            switch Progress.during("\(name) shuts down", work: { watch.wait() }) {
            case .ended(.shutdown(let reason)), .preserved(let reason):
                Report.line("\(name) has shut down (\(reason.word), reason code \(reason.rawValue))")
            case .restarted: Report.line("\(name) has started over")
            case .ended(.destroyed): Report.line("\(name) has been destroyed")
            case .ended(.timeout): Report.line("\(name) was destroyed after its time had run out")
            case .ended(.failed(let message)):
                throw OperatorError("\(name) could not go on: \(message)", remedy: "its log tells more", code: .guestCrashed)
            case .lost: throw OperatorError("the process of \(name) ended without a word", code: .guestProcessLost)
            }
        }
    }
}
