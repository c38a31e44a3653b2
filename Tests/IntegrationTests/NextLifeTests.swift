import Foundation
import Glibc
import Testing

extension GuestTests {
    @Suite("What becomes of a guest that stops, or is asked to") struct NextLifeTests {
        /// Creates a guest in the background and waits until its shell is there.
        private func create(_ words: String..., in workshop: Workshop) throws {
            let file = try workshop.configuration()
            let created = try workshop.start(["create", "-q", "--timeout=300", file] + words).finish(seconds: 60)
            try #require(created.code == 0, "\(created.errors)")
            try awaitShell("linux", workshop)
        }

        private func awaitShell(_ name: String, _ workshop: Workshop) throws {
            let console = try workshop.start(["console", name], input: try workshop.write("hello", "echo \"up $((6 * 7))\"\n".utf8))
            try #require(console.wait(for: "up 42", seconds: 200), "\(console.output.suffix(2000))")
            console.hangUp()
        }

        /// The rows of `martlet list`, without the host's.
        private func rows(_ workshop: Workshop) throws -> [String] {
            try workshop.martlet("list", seconds: 20).lines.dropFirst(2).map { String($0) }
        }

        @Test("rename-restart: a guest that panicked is kept under another name with its registers in the log, and a new one runs")
        func renameRestart() throws {
            let workshop = try Workshop()
            try create("on_crash=\"rename-restart\"", in: workshop)
            let crash = try workshop.start(["console", "linux"], input: try workshop.write("crash", "echo c > /proc/sysrq-trigger\n".utf8))
            var found: [String] = []
            for _ in 0..<200 {
                found = try rows(workshop)
                if found.count == 2 { break }
                usleep(100_000)
            }
            let dead = try #require(found.first { $0.hasPrefix("linux-20") }, "\(found)\n\(crash.output.suffix(500))")
            #expect(dead.contains("---sc-"))
            #expect(found.contains { $0.hasPrefix("linux ") })
            let log = try String(contentsOfFile: "\(workshop.path)/log/linux.log", encoding: .utf8)
            #expect(log.contains(": rip=0xffffffff") && log.contains("Preserving domain 1 linux with suffix-20"))

            let next = try workshop.martlet("console", "linux", input: "echo \"again $((6 * 7))\"\npoweroff -f\n", seconds: 200)
            #expect(next.output.contains("again 42") && next.code == 0, "\(next.output.suffix(1000))\(next.errors)")
            #expect(try rows(workshop).count == 1)
            #expect(try workshop.martlet("destroy", String(dead.prefix { $0 != " " }), seconds: 30).code == 0)
            #expect(workshop.remains().isEmpty)
        }

        @Test("shutdown and reboot return once the kernel has taken the request up; with -w they wait for what comes of it")
        func acknowledgement() throws {
            let workshop = try Workshop()
            try create(in: workshop)
            let reboot = try workshop.martlet("reboot", "-w", "linux", seconds: 100)
            #expect(reboot.code == 0)
            #expect(reboot.errorLines == ["Rebooting domain 1", "Waiting for 1 domain", "Domain 1 has started over"])
            try awaitShell("linux", workshop)
            let shutdown = try workshop.martlet("shutdown", "-a", seconds: 100)
            #expect(shutdown.code == 0)
            #expect(shutdown.errorLines == ["Shutting down domain 2"])
            #expect(workshop.remains(waitingSeconds: 60).isEmpty)
        }

        @Test("A paused guest has the request for later: it follows as soon as its kernel is up")
        func paused() throws {
            let workshop = try Workshop()
            let file = try workshop.configuration()
            #expect(try workshop.martlet("create", "-p", "--timeout=300", file, "on_reboot=\"destroy\"", seconds: 60).code == 0)
            let reboot = try workshop.martlet("reboot", "linux", seconds: 20)
            #expect(reboot.code == 1)
            #expect(reboot.errorLines.dropFirst().first == "Domain 1 (\"linux\") is paused: it can follow the request once it runs")
            #expect(try workshop.martlet("unpause", "linux", seconds: 20).code == 0)
            #expect(workshop.remains(waitingSeconds: 100).isEmpty)
        }

        @Test("reboot -F resets a guest whose kernel does not listen to requests")
        func deaf() throws {
            let workshop = try Workshop()
            // The kernel does not watch for requests.
            let file = try workshop.configuration(extra: "console=hvc0 initcall_blacklist=xen_setup_shutdown_event")
            #expect(try workshop.martlet("create", "-q", "--timeout=300", file, seconds: 60).code == 0)
            try awaitShell("linux", workshop)
            let reset = try workshop.martlet("reboot", "-F", "-w", "linux", seconds: 100)
            #expect(reset.code == 0, "\(reset.errors)")
            #expect(reset.errors.contains("Domain 1 is reset: it has not said that it follows requests"))
            #expect(reset.errors.contains("Domain 1 has started over"))
            #expect(try workshop.martlet("destroy", "linux", seconds: 30).code == 0)
            #expect(workshop.remains().isEmpty)
        }
    }
}
