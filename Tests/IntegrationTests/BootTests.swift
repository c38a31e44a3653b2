import Foundation
import Testing

extension GuestTests {
    /// One boot that several tests look at.
    @Suite("A boot of Debian's kernel") struct BootTests {
        /// Boots once for all tests of this suite: what is typed is there before the shell is.
        private static let boot = Result { () throws -> Run in
            let workshop = try Workshop()
            let typed = """
                echo begin-uname; uname -r; echo end-uname
                echo begin-hypervisor; cat /sys/hypervisor/type /sys/hypervisor/guest_type; echo end-hypervisor
                echo begin-clock; cat /sys/devices/system/clocksource/clocksource0/current_clocksource; echo end-clock
                echo begin-cpus; nproc; echo end-cpus
                echo begin-flood; seq 1 20000; echo end-flood
                echo begin-dmesg; dmesg; echo end-dmesg
                poweroff -f

                """
            let run = try workshop.martlet("create", "-c", "--timeout=300", try workshop.configuration(), input: typed)
            let remains = workshop.remains()
            #expect(remains.isEmpty, "left behind: \(remains)")
            return run
        }

        /// What a command wrote between its marks. The marks on a line of their own are output; the others are the echo of the typing.
        private func section(_ name: String) throws -> [String] {
            let lines = try Self.boot.get().lines.map(String.init)
            let begin = try #require(lines.firstIndex(of: "begin-\(name)"), "the guest never came to \(name)")
            let end = try #require(lines[begin...].firstIndex(of: "end-\(name)"), "the guest never ended \(name)")
            return Array(lines[lines.index(after: begin)..<end])
        }

        @Test("poweroff in the guest ends the command with code 0")
        func poweroff() throws {
            let run = try Self.boot.get()
            #expect(run.code == 0, "\(run.errors)\n\(run.output.suffix(2000))")
        }

        @Test(
            "A shell takes what is typed, and shows what it answers",
            arguments: [
                ("hypervisor", ["xen", "PVH"]), ("clock", ["xen"]), ("cpus", ["1"]),
            ])
        func shell(name: String, answer: [String]) throws {
            #expect(try section(name) == answer)
        }

        @Test("The kernel's log holds the milestones of the reference in their order, except for the listed differences")
        func milestones() throws {
            let release = try #require(try section("uname").first)
            let milestones = try Milestones(
                milestones: Fixture.lines("milestones.txt"), differences: Fixture.differences("kernel log"), release: release)
            let log = Milestones.log(of: try section("dmesg"))
            for complaint in milestones.complaints(about: log) { Issue.record("\(complaint)") }
        }

        @Test(
            "Nothing of the devices that PVH guests do not have is seen",
            arguments: [
                "HPET", "PIT", "8259", "PIIX", "IOAPIC[", "unrecognised magic value", "rtc_cmos", "ACPI PM-Timer", "BUG:", "WARNING: CPU",
                "Oops",
            ])
        func absence(text: String) throws {
            let lines = Milestones.log(of: try section("dmesg")).filter { $0.contains(text) }
            #expect(lines.isEmpty)
        }

        @Test(
            "The kernel complains of nothing, from its first line to the power-off",
            arguments: ["Call Trace:", "unchecked MSR access", "BUG:"])
        func complaints(text: String) throws {
            #expect(try !Self.boot.get().output.contains(text))
        }

        @Test("No byte of a flood on the console is lost")
        func flood() throws {
            #expect(try section("flood") == (1...20000).map(String.init))
        }
    }
}
