import Foundation
import Testing

extension GuestTests {
    /// A Debian system that lives five times; see ``DebianLives``.
    @Suite(
        "Debian, life after life", .serialized,
        .enabled(if: DebianImage.kexecObstacle == nil || Installation.isRequired, Comment(rawValue: DebianImage.kexecObstacle ?? "")))
    struct DebianLivesTests {
        private var lives: DebianLives { get throws { try DebianLives.result.get() } }

        /// What every life has to be like.
        private func expectWhole(_ life: DebianLives.Life) {
            #expect(life.state.word == "running")
            #expect(life.data.word == "written by the first")
            #expect(life.processors.word == "2")
            #expect(life.address.text.contains(" inet 10.0.2.15/24 "), "\(life.address.text)")
            #expect(life.ping.text.contains(" 0% packet loss"), "\(life.ping.text)")
            let complaints = ["Call Trace:", "BUG:", "WARNING: CPU", "I/O error", "unchecked MSR access"]
            #expect(life.log.lines.filter { line in complaints.contains { line.contains($0) } }.isEmpty)
        }

        /// The disk cannot be had by anybody else between two lives.
        private func expectHeld(_ life: DebianLives.Life) {
            #expect(life.attempts > 5)
            #expect(life.surprises.isEmpty)
        }

        @Test("A kernel started by kexec goes on in the same domain: PVH as before, both vCPUs, disk and network begin anew")
        func kexec() throws {
            let (first, life) = (try lives.first, try lives.afterKexec.get())
            #expect(!first.commandLine.text.contains("acpi_rsdp="))
            #expect(life.commandLine.text.contains("acpi_rsdp=0x"))
            #expect(life.domainID == first.domainID)
            #expect(life.log.text.contains("Booting paravirtualized kernel on Xen PVH"))
            #expect(life.log.text.contains("xen:events: Using FIFO-based ABI"))
            #expect(try lives.log.contains("Action for shutdown reason code 5 is soft-reset"))
            expectWhole(life)
            expectHeld(life)
        }

        @Test("A watchdog nobody feeds ends the guest, and on_watchdog decides")
        func watchdog() throws {
            let (first, life) = (try lives.first, try lives.afterWatchdog.get())
            #expect(try lives.log.contains("Action for shutdown reason code 4 is restart"))
            #expect(life.domainID != first.domainID)
            #expect(!life.commandLine.text.contains("acpi_rsdp="))
            expectWhole(life)
            expectHeld(life)
        }

        @Test("A kernel that panics leaves its registers in the log and a core, and is started anew with its data")
        func panic() throws {
            let (lives, life) = (try lives, try lives.afterPanic.get())
            #expect(lives.log.contains("Action for shutdown reason code 3 is coredump-restart"))
            let registers = lives.log.split(separator: "\n").filter { $0.contains(": rip=0xffffffff") }
            #expect((1...2).contains(registers.count), "the vCPU that panicked, and the other one unless it has been taken down before")
            #expect(Array(lives.core.prefix(5)) == [0x7f, 0x45, 0x4c, 0x46, 2])
            #expect(!lives.log.contains("core dump failed"))
            expectWhole(life)
            expectHeld(life)
        }

        @Test("A guest that reboots is started anew with its disk, its network and its data")
        func reboot() throws {
            let life = try lives.afterReboot.get()
            #expect(try lives.log.contains("Action for shutdown reason code 1 is restart"))
            expectWhole(life)
            expectHeld(life)
        }

        @Test("After all that it powers off, leaves a clean file system, and nothing else")
        func end() throws {
            let end = try lives.end.get()
            #expect(end.run.code == 0, "\(end.run.errors)\n\(end.run.output.suffix(1000))")
            #expect(end.check.code == 0, "\(end.check.output)\(end.check.errors)")
            #expect(end.remains.isEmpty)
            #expect(try lives.log.ranges(of: "to die [pid").count == 5)
        }
    }
}
