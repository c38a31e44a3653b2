import ControlProtocol
import Glibc
import HostIO
import Machine
import Testing

/// What Xen's own toolstack did with guests that end for each reason: the log of its monitor, and the guest in `xl list` afterwards.
@Suite("Reasons to shut down, compared with xl") struct ShutdownReasonTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var reason: String
        var key: String?
        var action: EndAction?
        /// Xen's lines, without the one that names the process.
        var lines: [String]
        /// The letters of a guest that stays.
        var letters: String?

        var testDescription: String { "\(reason) \(key ?? "") \(action?.rawValue ?? "")" }
    }

    private static func ended(_ code: Int, _ action: String) -> [String] {
        [
            "Domain 7 has shut down, reason code \(code) 0x\(code)", "Action for shutdown reason code \(code) is \(action)",
            "Domain 7 needs to be cleaned up: destroying the domain", "Done. Exiting now",
        ]
    }

    private static func kept(_ code: Int) -> [String] {
        [
            "Domain 7 has shut down, reason code \(code) 0x\(code)", "Action for shutdown reason code \(code) is preserve",
            "Done. Exiting now",
        ]
    }

    static let cases = [
        Case(reason: "0", lines: ended(0, "destroy")),
        Case(reason: "1", key: "on_reboot", action: .destroy, lines: ended(1, "destroy")),
        Case(
            reason: "2", lines: ["Domain 7 has shut down, reason code 2 0x2", "Domain has suspended.", "Done. Exiting now"],
            letters: "---ss-"),
        Case(reason: "3", lines: ended(3, "destroy")),
        Case(reason: "3", key: "on_crash", action: .preserve, lines: kept(3), letters: "---sc-"),
        Case(reason: "4", lines: ended(4, "destroy")),
        Case(reason: "4", key: "on_watchdog", action: .preserve, lines: kept(4), letters: "---sw-"),
        Case(reason: "5", key: "on_soft_reset", action: .destroy, lines: ended(5, "destroy")),
        Case(
            reason: "6",
            lines: [
                "Domain 7 has shut down, reason code 6 0x6", "Unknown shutdown reason code 6. Destroying domain.",
                "Action for shutdown reason code 6 is destroy", "Domain 7 needs to be cleaned up: destroying the domain",
                "Done. Exiting now",
            ]),
        Case(reason: "T", key: "on_reboot", action: .destroy, lines: ended(1, "destroy")),
        Case(reason: "T", key: "on_reboot", action: .preserve, lines: kept(1), letters: "---sr-"),
        Case(reason: "H", lines: ended(0, "destroy")),
        Case(reason: "L", lines: [], letters: "r-----"),
        Case(reason: "B", lines: [], letters: "-b----"),
        Case(reason: "0", key: "on_poweroff", action: .preserve, lines: kept(0), letters: "---s--"),
        Case(reason: "1", key: "on_reboot", action: .preserve, lines: kept(1), letters: "---sr-"),
    ]

    /// A kernel of a few bytes that ends as the capture's did: T by a triple fault, H by HLT with interrupts off; L loops, B blocks.
    static func kernel(_ reason: String) -> [UInt8] {
        var program = TinyProgram()
        switch reason {
        case "T": program.tripleFault()
        case "H": program.add(0xf4)
        case "L": program.add(0xeb, 0xfe)
        case "B": program.call(29, 1, argument: [0])
        default: program.shutDown(UInt32(reason) ?? 0)
        }
        return program.bytes
    }

    static func set(_ description: inout GuestDescription, _ key: String?, _ action: EndAction?) {
        guard let key, let action else { return }
        switch key {
        case "on_poweroff": description.onPoweroff = action
        case "on_reboot": description.onReboot = action
        case "on_crash": description.onCrash = action
        case "on_watchdog": description.onWatchdog = action
        case "on_soft_reset": description.onSoftReset = action
        default: Issue.record("there is no key \(key)")
        }
    }

    /// The lines of a log that are xl's, without time and without the one that names the process.
    static func lines(_ log: String) -> [String] {
        let starts = ["Domain ", "Unknown ", "Action ", "Done. ", "Preserving ", "Domain has "]
        return log.split(separator: "\n").map { String($0.dropFirst(25)) }.filter { line in starts.contains { line.hasPrefix($0) } }
    }

    @Test("The log says what xl's says, and the guest stays or goes as with xl", arguments: cases)
    func reason(example: Case) throws {
        var guest = try TestGuest(code: Self.kernel(example.reason))
        Self.set(&guest.description, example.key, example.action)
        let running = try guest.start()
        #expect(guest.log.contains("Waiting for domain tiny (domid 7) to die [pid \(getpid())]"))
        #expect(try running.ask(.unpause) == .ok)
        guard let letters = example.letters else {
            let code = UInt8(example.reason) ?? (example.reason == "T" ? 1 : 0)
            #expect(running.join() == .shutdown(reason: ShutdownReason(rawValue: code)))
            #expect(Self.lines(guest.log) == example.lines)
            return
        }
        #expect(try eventually { try running.status.state.letters == letters })
        #expect(Self.lines(guest.log) == example.lines)
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
        #expect(Self.lines(guest.log) == example.lines + ["Domain 7 has been destroyed."])
    }

    @Test("A core is written where the configuration says before the guest goes", arguments: [false, true])
    func coreDump(fails: Bool) throws {
        var guest = try TestGuest(code: Self.kernel("3"))
        guest.description.onCrash = .coredumpDestroy
        guest.description.coreDumpPath = fails ? "/nowhere/core" : "\(guest.scratch.path)/core"
        let running = try guest.start()
        #expect(try running.ask(.unpause) == .ok)
        #expect(running.join() == .shutdown(reason: .crash))
        #expect(Scratch.text("\(guest.scratch.path)/core").hasPrefix("\u{7f}ELF") == !fails)
        #expect(guest.log.contains("core dump failed") == fails)
        #expect(Self.lines(guest.log) == Self.ended(3, "coredump-destroy"))
    }

    @Test("A guest that stops again and again at once is given up")
    func endlessRestart() throws {
        let guest = try TestGuest(code: Self.kernel("T"))
        let running = try guest.start()
        #expect(try running.ask(.unpause) == .ok)
        #expect(running.join() == .shutdown(reason: .reboot))
        #expect(Self.lines(guest.log).count { $0 == "Done. Rebooting now" } == 4)
        #expect(guest.log.contains("it is not started again"))
    }
}
