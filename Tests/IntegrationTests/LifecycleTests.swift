import Foundation
import Glibc
import Testing

extension GuestTests {
    @Suite("The life of a guest") struct LifecycleTests {
        @Test("A detached guest is listed, shows its console to who comes later, refuses a second of its name, idles and is destroyed")
        func detached() throws {
            let workshop = try Workshop()
            let file = try workshop.configuration()
            let created = try workshop.martlet("create", "--timeout=600", file, seconds: 60)
            #expect(created.code == 0, "\(created.errors)")

            let list = try workshop.martlet("list", seconds: 20)
            #expect(list.code == 0)
            #expect(list.lines.contains { $0.hasPrefix("linux ") && $0.contains(" 256 ") }, "\(list.output)")

            let second = try workshop.martlet("create", file, seconds: 60)
            #expect(second.code == 3)
            #expect(second.errors.contains("\"linux\""), "\(second.errors)")

            let console = try workshop.start(["console", "linux"])
            #expect(console.wait(for: "/ # "), "no prompt: \(console.output.suffix(2000))")
            console.hangUp()
            #expect(try console.finish(seconds: 20).code == 128 + SIGHUP)
            #expect(workshop.guestProcesses.count == 1, "the guest goes on without its console")
            try checkIdle(workshop)

            let again = try workshop.martlet("console", "linux", input: "echo \"again $((6 * 7))\"\npoweroff -f\n", seconds: 120)
            #expect(again.output.contains("again 42"), "\(again.output)")
            #expect(again.code == 0, "\(again.errors)")
            #expect(workshop.remains().isEmpty)
        }

        /// Processor time of the guest's process over ten seconds in which nobody asks anything of it.
        private func checkIdle(_ workshop: Workshop) throws {
            let process = try #require(workshop.guestProcesses.first)
            sleep(3)
            let before = try ticks(of: process)
            sleep(10)
            let share = Double(try ticks(of: process) - before) / Double(sysconf(Int32(_SC_CLK_TCK))) / 10
            #expect(share < 0.01, "an idle guest used \(share * 100) % of a core")
        }

        /// User and system time in clock ticks: fields 14 and 15 of proc(5)'s stat, counted behind the name in parentheses.
        private func ticks(of process: Int32) throws -> Int {
            let text = try String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
            let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
            return try #require(Int(fields[12])) + (try #require(Int(fields[13])))
        }

        @Test("destroy ends a guest at once, whatever state it is in", arguments: [true, false])
        func destroy(isPaused: Bool) throws {
            let workshop = try Workshop()
            let created = try workshop.martlet("create", isPaused ? "-p" : "-q", "--timeout=300", try workshop.configuration(), seconds: 60)
            #expect(created.code == 0, "\(created.errors)")
            #expect(workshop.guestProcesses.count == 1)
            let destroyed = try workshop.martlet("destroy", "linux", seconds: 30)
            #expect(destroyed.code == 0, "\(destroyed.errors)")
            #expect(workshop.remains().isEmpty)
            #expect(try workshop.martlet("destroy", "linux", seconds: 30).code == 1)
        }

        @Test("--timeout ends a guest that goes on, with code 124")
        func timeout() throws {
            let workshop = try Workshop()
            let run = try workshop.martlet("create", "-c", "--timeout=2", try workshop.configuration(), seconds: 60)
            #expect(run.code == 124)
            #expect(run.errors.contains("time"), "\(run.errors)")
            #expect(workshop.remains().isEmpty)
        }

        @Test("A guest process that is killed leaves nothing in the way of the next guest of its name")
        func killed() throws {
            let workshop = try Workshop()
            let file = try workshop.configuration()
            #expect(try workshop.martlet("create", "-p", "--timeout=300", file, seconds: 60).code == 0)
            for process in workshop.guestProcesses { kill(process, SIGKILL) }
            let again = try workshop.martlet("create", "-p", "--timeout=300", file, seconds: 60)
            #expect(again.code == 0, "\(again.errors)")
            #expect(try workshop.martlet("destroy", "linux", seconds: 30).code == 0)
            #expect(workshop.remains().isEmpty)
        }
    }
}
