import Foundation
import Glibc
import Testing

extension GuestTests {
    /// A real guest and the command line, from create to shutdown.
    @Suite("A guest's whole life by the command line") struct TranscriptTests {
        @Test("every command of the help, from create to shutdown: each does what it says, and what is changed is kept")
        func wholeLife() throws {
            let workshop = try Workshop()
            let transcript = try Transcript(workshop, name: "first", lines: ["vcpus=2"])
            try transcript.waitForShell()
            try observe(transcript)
            try transcript.look(at: "first")
            try transcript.plugDevices(into: "first")
            try changeSize(transcript)
            try signal(transcript)
            try rename(transcript)
            try dump(transcript)
            try reboot(transcript)
            try transcript.updateConfiguration(of: "second")
            try transcript.runAnother()
            try transcript.mistakes()
            try shutDown(transcript)
            try transcript.expectCompleteness()
            #expect(workshop.remains().isEmpty)
        }

        private func observe(_ transcript: Transcript) throws {
            #expect(try transcript.run("domid", "first").output == "1\n")
            #expect(try transcript.run("domname", "1").output == "first\n")
            #expect(try transcript.row("list", "first").contains(" 256     2     "))
            #expect(try transcript.run("vcpu-list", "first").lines.count == 3)
            #expect(try transcript.run("uptime", "first").lines.count == 2)
            #expect(try transcript.run("top", "-b", "-i", "1").output.contains("     first "))
            try transcript.run("pause", "first")
            #expect(try transcript.row("list", "first").contains("p---"))
            let time = try transcript.row("list", "first").split(separator: " ").last
            usleep(500_000)
            #expect(try transcript.row("list", "first").split(separator: " ").last == time, "a paused guest does not run")
            try transcript.run("unpause", "first")
            try transcript.wait("a guest that is not paused") { try !transcript.row("list", "first").contains("p---") }
        }

        private func changeSize(_ transcript: Transcript) throws {
            try transcript.run("mem-set", "first", "200m")
            try transcript.wait("the balloon") { try transcript.row("list", "first").contains(" 200     ") }
            #expect(try transcript.fails("mem-set", "first", "1g").contains("256 MiB"))
            try transcript.run("vcpu-set", "first", "1")
            try transcript.wait("vCPU 1 to go") { try transcript.run("vcpu-list", "first").lines.last?.contains("--p") == true }
            try transcript.run("vcpu-pin", "first", "0", "0")
            #expect(try transcript.run("vcpu-list", "--json", "first").output.contains("\"hard_affinity\": ["))
        }

        private func signal(_ transcript: Transcript) throws {
            try transcript.run("sysrq", "first", "h")
            try transcript.wait("SysRq") { transcript.consoleLog.contains("sysrq: HELP") }
            try transcript.run("trigger", "first", "nmi")
            try transcript.wait("the NMI") { transcript.consoleLog.contains("NMI") }
            #expect(try transcript.fails("trigger", "first", "s3resume").contains("PVH"))
            try transcript.run("debug-keys", "q", "first")
            #expect(try transcript.run("dmesg", "-c").output.contains("domain"))
            #expect(try transcript.run("dmesg").output.isEmpty)
        }

        private func rename(_ transcript: Transcript) throws {
            try transcript.run("rename", "first", "second")
            #expect(try transcript.fails("list", "first").contains("first"))
            let long = try transcript.run("list", "-l", "second").output
            for part in [
                "\"name\": \"second\"", "\"target_memkb\": 204800", "\"avail_vcpus\": [\n                    0\n                ]",
            ] { #expect(long.contains(part), "\(part) is not in \(long)") }
        }

        private func dump(_ transcript: Transcript) throws {
            let core = transcript.workshop.path + "/core"
            try transcript.run("dump-core", "second", core)
            let file = try #require(FileHandle(forReadingAtPath: core))
            #expect(try file.read(upToCount: 4) == Data([0x7f, 0x45, 0x4c, 0x46]))
            #expect(try file.seekToEnd() > 100 << 20)
            #expect(try transcript.fails("dump-core", "second", core).contains(core), "no file is written over")
        }

        private func reboot(_ transcript: Transcript) throws {
            #expect(try transcript.run("reboot", "-w", "second").errors.contains("has started over"))
            try transcript.waitForShell()
            let row = try transcript.row("list", "second")
            #expect(row.contains(" 200     1     "), "a restart keeps memory and vCPUs: \(row)")
            #expect(row.split(separator: " ")[1] == "2", "and gives the next domain ID: \(row)")
        }

        private func shutDown(_ transcript: Transcript) throws {
            // Linux starts /sbin/poweroff, which this guest does not have.
            let script = "mkdir -p /sbin; printf '#!/bin/sh\\nexec /bin/busybox poweroff -f\\n' >/sbin/poweroff; chmod +x /sbin/poweroff"
            #expect(try transcript.type(script + "; echo ready-$((6 * 7))", into: "second", until: "ready-42"))
            let run = try transcript.run("shutdown", "-w", "second")
            #expect(run.errors.contains("Domain 3 has shut down (poweroff, reason code 0)"), "\(run.errors)")
        }

        @Test("thirty guests come and go, and twenty are created at once: nothing stays behind")
        func many() throws {
            let workshop = try Workshop()
            let file = try workshop.configuration(memory: 64)
            for _ in 0..<30 {
                #expect(try workshop.martlet("create", "-q", "-p", "--timeout=300", file, seconds: 60).code == 0)
                #expect(try workshop.martlet("destroy", "linux", seconds: 30).code == 0)
            }
            #expect(workshop.remains().isEmpty)
            let sessions = try (0..<20).map { try workshop.start(["create", "-q", "-p", "--timeout=600", file, "name=\"n\($0)\""]) }
            for session in sessions { #expect(try session.finish(seconds: 300).code == 0) }
            let list = try workshop.martlet("list", seconds: 60)
            #expect(Set(list.lines.dropFirst(2).map { $0.split(separator: " ")[1] }).count == 20, "\(list.output)")
            for number in 0..<20 { #expect(try workshop.martlet("destroy", "n\(number)", seconds: 60).code == 0) }
            #expect(workshop.remains().isEmpty)
        }

        @Test("the example of the library creates a guest, types into its console and reads the answer")
        func example() throws {
            let workshop = try Workshop()
            let session = try workshop.start(
                [Installation.kernel, Installation.ramdisk, "uname -r; echo $((6 * 7))"],
                program: Installation.programs + "/example-console")
            let run = try session.finish(seconds: 400)
            #expect(run.code == 0, "\(run.output)")
            #expect(run.lines.count == 2 && run.lines[0].first?.isNumber == true && run.lines[1] == "42", "\(run.output)")
            #expect(workshop.remains().isEmpty)
        }

        @Test("run boots a kernel without a configuration, check finds nothing against it")
        func runAndCheck() throws {
            let workshop = try Workshop()
            let file = try workshop.configuration()
            let check = try workshop.martlet("check", file, seconds: 60)
            #expect(check.code == 0, "\(check.output)")
            let run = try workshop.martlet(
                "run", Installation.kernel, "--ramdisk", Installation.ramdisk, "--timeout=300", "--name", "plain",
                input: "echo answer-$((6 * 7))\npoweroff -f\n")
            #expect(run.code == 0, "\(run.errors)")
            #expect(run.output.contains("answer-42"))
            #expect(workshop.remains().isEmpty)
        }
    }
}

/// One guest and the commands about it.
final class Transcript {
    let workshop: Workshop
    private let name: String
    private var shells = 0
    /// All commands that were run.
    private(set) var called: [[String]] = []

    /// Creates the guest.
    init(_ workshop: Workshop, name: String, lines: [String]) throws {
        self.workshop = workshop
        self.name = name
        let file = try workshop.configuration(name: name)
        called.append(["create"])
        let created = try workshop.start(["create", "-q", "--timeout=900", file] + lines).finish(seconds: 60)
        try #require(created.code == 0, "\(created.errors)")
    }

    /// Everything the guest has written, restarts included. The log keeps the name it was opened with.
    var consoleLog: String {
        String(decoding: FileManager.default.contents(atPath: "\(workshop.path)/log/\(name).console.log") ?? Data(), as: UTF8.self)
    }

    /// Waits for the shell of the next start.
    func waitForShell() throws {
        shells += 1
        try wait("shell number \(shells)") { consoleLog.components(separatedBy: "Enter 'help' for a list").count > shells }
    }

    /// A command that has to succeed.
    @discardableResult
    func run(_ words: String...) throws -> Run { try run(words) }

    @discardableResult
    func run(_ words: [String]) throws -> Run {
        called.append(words)
        let run = try workshop.start(words).finish(seconds: 120)
        #expect(run.code == 0, "\(words): \(run.errors)")
        return run
    }

    /// A command that has to fail with 1; what it says.
    func fails(_ words: String...) throws -> String {
        let run = try workshop.start(words).finish(seconds: 120)
        #expect(run.code == 1, "\(words): \(run.errors)")
        #expect(run.output.isEmpty)
        return run.errors
    }

    /// The last line a command writes.
    func row(_ words: String...) throws -> String { try row(words) }

    func row(_ words: [String]) throws -> String {
        called.append(words)
        return String(try workshop.start(words).finish(seconds: 120).lines.last ?? "")
    }

    /// Types a line into the console and waits for a text.
    func type(_ line: String, into domain: String, until text: String) throws -> Bool {
        called.append(["console"])
        let session = try workshop.start(
            ["console", "-n", "0", domain], input: try workshop.write("typed-\(called.count)", (line + "\n").utf8))
        defer { session.hangUp() }
        return session.wait(for: text, seconds: 60)
    }

    /// Waits, at most two minutes.
    func wait(_ what: String, until isTrue: () throws -> Bool) throws {
        for _ in 0..<1200 {
            if try isTrue() { return }
            usleep(100_000)
        }
        Issue.record("waited in vain for \(what); the console ends with:\n\(consoleLog.suffix(1500))")
    }
}
