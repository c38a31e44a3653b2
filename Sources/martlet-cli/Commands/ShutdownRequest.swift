import ArgumentParser
import Martlet

/// What `shutdown` and `reboot` share.
struct ShutdownRequest: ParsableArguments {
    @Flag(name: [.customShort("a"), .customLong("all")], help: "All guests.") var all = false
    @Flag(name: [.customShort("w"), .customLong("wait")], help: "Wait until it has happened.") var waits = false
    @Flag(name: .customShort("F"), help: "Taken for xl's sake: a PVH guest has no ACPI buttons to fall back to.") var fallback = false
    @Argument(help: "Name or domain ID.") var domain: String?

    func perform(_ mode: ShutdownMode, announcement: String) throws {
        guard all || domain != nil else {
            throw OperatorError("no guest is named", remedy: "name one, or give -a for all")
        }
        guard !all || domain == nil else {
            throw OperatorError("-a stands for all guests, and \(domain ?? "") is named besides", remedy: "give one or the other")
        }
        let guests = try domain.map { [try Guests.find($0)] } ?? Guests.registry().guests()
        guard waits else { return try forEach(guests, mode, announcement) }
        try askAndWait(guests, mode, announcement)
    }

    /// All are asked even if one does not answer; the first error is thrown at the end.
    private func forEach(_ guests: [Guest], _ mode: ShutdownMode, _ announcement: String) throws {
        var fault: OperatorError?
        for guest in guests {
            if let warning = guest.domainType().warning { Report.line("warning: \(warning)", Palette.errors.warning) }
            Report.line("\(announcement) \(guest.domainID)")
            do throws(OperatorError) {
                try guest.shutdown(mode)
            } catch {
                fault = fault ?? error
            }
        }
        if let fault { throw fault }
    }

    private func askAndWait(_ guests: [Guest], _ mode: ShutdownMode, _ announcement: String) throws {
        // Watching starts before asking, so that no end is missed.
        let watches = try guests.map { Watch(try EndWatch($0)) }
        try forEach(guests, mode, announcement)
        Report.line("Waiting for \(watches.count) domain\(watches.count == 1 ? "" : "s")")
        for watch in watches { try watch.finish() }
    }

    /// A class, because arrays hold no noncopyable values.
    private final class Watch {
        private var watch: EndWatch

        init(_ watch: consuming EndWatch) { self.watch = watch }

        func finish() throws {
            let name = "Domain \(watch.guest.domainID)"
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
