import ControlProtocol
import Glibc
import Testing
import Toolstack

@Suite("Asking guests to shut down or reboot") struct ShutdownRoundTests {
    private func guest(_ behaviour: String, _ scratch: Scratch, isPaused: Bool = false) throws -> Guest {
        let config = "name=\"t\"\ntype=\"pvh\"\nkernel=\"/etc/passwd\"\nmemory=64\nextra=\"\(behaviour)\"\n"
        let run = try CommandRun.martlet(
            ["create", "-q"] + (isPaused ? ["-p"] : []) + [scratch.write("t.cfg", config)], in: scratch)
        try #require(run.code == 0, "\(run.errors)")
        return try scratch.registry().find("t")
    }

    private func round(_ mode: ShutdownMode, _ guest: Guest, fallsBack: Bool = false) -> (ShutdownRound, lines: [String]) {
        var lines: [String] = []
        var round = ShutdownRound(mode, fallsBack: fallsBack, patienceMilliseconds: 300) { lines.append($0) }
        round.ask(guest)
        round.wait()
        return (round, lines)
    }

    @Test(
        "A guest that takes the request up, and one that is gone by then, have acknowledged it",
        arguments: [ShutdownMode.poweroff, .reboot])
    func acknowledged(mode: ShutdownMode) throws {
        let scratch = try Scratch()
        let (round, lines) = round(mode, try guest("", scratch))
        #expect(round.failures.isEmpty && lines.isEmpty)
    }

    @Test(
        "A guest that leaves the request where it is fails in time, with what can be done",
        arguments: [
            (ShutdownMode.poweroff, "shut down", "martlet destroy 1"), (.reboot, "reboot", "martlet reboot -F 1"),
        ])
    func unheeding(mode: ShutdownMode, word: String, remedy: String) throws {
        let scratch = try Scratch()
        let guest = try guest("unheeding", scratch)
        let (round, _) = round(mode, guest)
        let error = try #require(round.failures.first?.error)
        #expect(error.cause.hasPrefix("Domain 1 (\"t\") has not acknowledged the request to \(word) within 0 s"))
        #expect(error.remedy.contains(remedy))
        #expect(try guest.status().shutdownRequest == mode.rawValue)
    }

    @Test("With a fallback, a guest that does not take up a reboot is reset; for a power-off there is no fallback")
    func fallback() throws {
        let scratch = try Scratch()
        let guest = try guest("unheeding", scratch)
        let (reboot, lines) = round(.reboot, guest, fallsBack: true)
        #expect(reboot.failures.isEmpty)
        #expect(lines == ["Domain 1 is reset: it has not acknowledged the request"])
        #expect(try guest.status().vcpuTimesNanoseconds == [1_000_000], "it has started over")
        let (poweroff, _) = round(.poweroff, guest, fallsBack: true)
        #expect(poweroff.failures.first?.error.cause.contains("no ACPI power button") == true)
    }

    @Test("What a guest has not said that it can do is told at once, and it is asked all the same")
    func old() throws {
        let scratch = try Scratch()
        let (round, lines) = round(.poweroff, try guest("old", scratch))
        #expect(round.failures.isEmpty)
        #expect(lines == ["Domain 1 has not said (control/feature-poweroff) that it follows requests. Waiting all the same"])
    }

    @Test("A paused guest is not waited for, and has the request for later")
    func paused() throws {
        let scratch = try Scratch()
        let guest = try guest("unheeding", scratch, isPaused: true)
        let (round, _) = round(.poweroff, guest)
        #expect(round.failures.first?.error.remedy == "`martlet unpause 1' lets it run")
        #expect(try guest.status().shutdownRequest == "poweroff")
    }

    @Test("A guest that is gone before it is asked is a failure like the others")
    func mute() throws {
        let scratch = try Scratch()
        let gone = try guest("", scratch)
        try gone.destroy()
        let (round, _) = round(.poweroff, gone)
        #expect(round.failures.first?.error.cause.contains("does not answer") == true)
    }
}

@Suite("shutdown and reboot on the command line") struct ShutdownCommandTests {
    private let config = "name=\"t\"\ntype=\"pvh\"\nkernel=\"/etc/passwd\"\nmemory=64\n"

    private func martlet(_ arguments: [String], _ scratch: Scratch) throws -> CommandRun {
        try CommandRun.martlet(arguments, in: scratch)
    }

    @Test("shutdown -a asks every guest that runs, passes over those kept after their end, and tells of each that cannot follow")
    func shutdownAll() throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", config)
        for words in [["name=kept", "on_poweroff=preserve"], ["name=runs"], ["name=old", "extra=old"]] {
            #expect(try martlet(["create", "-q", file] + words.map { $0.replacing("=", with: "=\"") + "\"" }, scratch).code == 0)
        }
        #expect(try martlet(["shutdown", "kept"], scratch).code == 0)
        #expect(try martlet(["create", "-q", "-p", file, "name=\"stopped\""], scratch).code == 0)
        let run = try martlet(["shutdown", "-a", "-w"], scratch)
        #expect(run.code == 1)
        #expect(
            run.errorLines.map(String.init) == [
                "Shutting down domain 2", "Shutting down domain 3",
                "Domain 3 has not said (control/feature-poweroff) that it follows requests. Waiting all the same",
                "Shutting down domain 4", "Waiting for 2 domains",
                "Domain 2 has shut down (poweroff, reason code 0)", "Domain 3 has shut down (poweroff, reason code 0)",
                "Domain 4 (\"stopped\") is paused: it can follow the request once it runs", "  `martlet unpause 4' lets it run",
            ])
    }

    @Test("shutdown -F of a guest without the means says what is left; reboot -F resets it")
    func shutdownFallback() throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", config)
        #expect(try martlet(["create", "-q", file, "extra=\"old unheeding\""], scratch).code == 0)
        let shutdown = try martlet(["shutdown", "-F", "t"], scratch)
        #expect(shutdown.code == 1)
        #expect(shutdown.errors.contains("no ACPI power button") && shutdown.errors.contains("`martlet destroy 1'"))
        let reboot = try martlet(["reboot", "-F", "-w", "t"], scratch)
        #expect(reboot.code == 0, "\(reboot.errors)")
        #expect(reboot.errors.contains("Domain 1 is reset") && reboot.errors.contains("Domain 1 has started over"))
    }
}
