import ControlProtocol
import Glibc
import Testing
import Toolstack

/// The program itself, with a stand-in for the guest's process.
@Suite("The command line") struct CommandLineTests {
    private let config = "name=\"t\"\ntype=\"pvh\"\nkernel=\"/etc/passwd\"\nmemory=64\n"

    @Test("a guest lives in the background from create to destroy, and nothing of it stays")
    func lifecycle() throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", config)
        let created = try martlet(["create", file], scratch)
        #expect(created.code == 0)
        #expect(created.errors == "Parsing config from \(file)\n")
        #expect(
            try martlet(["list", "t"], scratch).output.contains(
                "t                                            1    64     1     -b----       2.3"))
        #expect(try martlet(["pause", "1"], scratch).code == 0)
        #expect(try martlet(["li", "t"], scratch).output.contains("--p---"))
        #expect(try martlet(["unpause", "t"], scratch).code == 0)
        #expect(try martlet(["domid", "t"], scratch).output == "1\n")
        #expect(try martlet(["domname", "1"], scratch).output == "t\n")
        #expect(
            try martlet(["list", "-l"], scratch).output.contains("        \"domid\": 1,\n        \"config\": {\n            \"c_info\": {"))
        #expect(try martlet(["destroy", "t"], scratch).code == 0)
        #expect(try martlet(["destroy", "t"], scratch).code == 1)
        #expect(!scratch.exists("run/1"))
    }

    @Test("input from a pipe reaches the guest, its output comes back, its end ends the command")
    func pipe() throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", config)
        let run = try martlet(["create", "-q", "-c", file], scratch, input: "uname -r\npoweroff\n")
        #expect(run.code == 0)
        #expect(run.output == "UNAME -R\nPOWEROFF\n")
        #expect(run.errors == "")
    }

    @Test("console attaches to a running guest")
    func console() throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", config)
        #expect(try martlet(["create", "-q", file], scratch).code == 0)
        let run = try martlet(["console", "t"], scratch, input: "hello\npoweroff\n")
        #expect(run.code == 0)
        #expect(run.output == "HELLO\nPOWEROFF\n")
    }

    @Test("no byte of a flood is lost, and the end of input does not end the session")
    func flood() throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", config)
        let run = try martlet(["create", "-q", "-c", file, "extra=flood=2000003"], scratch)
        #expect(run.code == 0)
        #expect(run.output.utf8.count == 2_000_003)
        #expect(run.output.hasPrefix("0123456789") && run.output.hasSuffix("789012"))
    }

    @Test(
        "how a guest ends decides the exit code",
        arguments: [
            ("crash", 30, "the guest \"t\" ended by crash"), ("silent-end", 31, "the process of the guest \"t\" ended without a word"),
        ] as [(String, Int32, String)])
    func endings(behaviour: String, code: Int32, line: String) throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", config)
        for option in ["-c", "-F"] {
            let run = try martlet(["create", "-q", option, file, "extra=\(behaviour)"], scratch)
            #expect(run.code == code)
            #expect(run.errorLines.first.map(String.init) == line)
        }
        #expect(try scratch.registry().guests().isEmpty)
    }

    @Test("a timeout destroys the guest and ends with 124")
    func timeout() throws {
        let scratch = try Scratch()
        let run = try martlet(["create", "-q", "-c", scratch.write("t.cfg", config), "--timeout", "1"], scratch)
        #expect(run.code == 124)
        #expect(try scratch.registry().guests().isEmpty)
    }

    @Test(
        "a guest's process that fails at the start leaves an error and nothing else",
        arguments: [
            ("die", 3, "ended with code 9 before the guest was ready"), ("garbage", 3, "before the guest was ready"),
            ("refuse", 6, "kernel=\"x\" has no PVH note"),
        ] as [(String, Int32, String)])
    func failedStart(behaviour: String, code: Int32, line: String) throws {
        let scratch = try Scratch()
        let run = try martlet(["create", "-q", scratch.write("t.cfg", config), "extra=\(behaviour)"], scratch)
        #expect(run.code == code)
        #expect(run.errorLines.first?.contains(line) == true)
        #expect(run.errorLines.count == 2)
        #expect(!scratch.exists("run/1"))
    }

    @Test("a missing martlet-guest is named")
    func missingGuest() throws {
        let scratch = try Scratch(guest: "/nonexistent/martlet-guest")
        let run = try martlet(["create", "-q", scratch.write("t.cfg", config)], scratch)
        #expect(run.code == 3)
        #expect(run.errorLines.first == "the guest's process cannot be started: /nonexistent/martlet-guest: No such file or directory")
        #expect(!scratch.exists("run/1"))
    }

    @Test("a guest whose process was killed is forgotten, and its name is free")
    func killed() throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", config)
        #expect(try martlet(["create", "-q", file], scratch).code == 0)
        let processID = try scratch.registry().find("t").status().processID
        kill(processID, SIGKILL)
        // The lock is free once the kernel has closed the dead process's files.
        while try GuestLock.isHeld(directory: scratch.path + "/run/1") { usleep(1000) }
        #expect(try martlet(["list", "t"], scratch).code == 1)
        #expect(!scratch.exists("run/1"))
        #expect(try martlet(["create", "-q", file], scratch).code == 0)
    }

    @Test("a guest's process that does not obey is killed")
    func deaf() throws {
        let scratch = try Scratch()
        #expect(try martlet(["create", "-q", scratch.write("t.cfg", config), "extra=deaf"], scratch).code == 0)
        try scratch.registry().find("t").destroy(graceMilliseconds: 200)
        #expect(!scratch.exists("run/1"))
    }

    @Test("a guest's process that never became ready can be destroyed")
    func stuck() throws {
        let scratch = try Scratch()
        let reservation = try scratch.registry().reserve { id in
            var description = guest(id)
            description.commandLine = "stuck"
            return description
        }
        let process = scratch.spawnGuest(reservation.directory, lock: reservation.lock.number)
        _ = consume reservation
        let entry = try scratch.registry().find("t")
        #expect(throws: OperatorError.self) { try entry.status() }
        try entry.destroy(graceMilliseconds: 200)
        #expect(!scratch.exists("run/1"))
        var status: Int32 = 0
        let ended = unsafe waitpid(process, &status, 0)
        #expect(ended == process)
        #expect(status & 0x7f == SIGKILL)
    }

    @Test("of many creators with one name exactly one succeeds; different names all do")
    func concurrent() async throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", config)
        _ = try scratch.registry()
        func codes(_ words: [[String]]) async throws -> [Int32] {
            let environment = scratch.environment.variables
            return try await withThrowingTaskGroup(of: Int32.self) { group in
                for word in words {
                    group.addTask {
                        let shell = environment.map { "\($0)='\($1)'" }.joined(separator: " ")
                        let command =
                            "\(shell) '\(Scratch.product("martlet"))' create -q '\(file)' \(word.joined(separator: " ")) 2>/dev/null"
                        return unsafe system(command) >> 8
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        #expect(try await codes(Array(repeating: [], count: 4)).sorted() == [0, 3, 3, 3])
        #expect(try await codes((0..<4).map { ["name=n\($0)"] }) == [0, 0, 0, 0])
        #expect(try scratch.registry().guests().count == 5)
    }

    @Test("shutdown asks the guest, and with -w waits for its end")
    func shutdown() throws {
        let scratch = try Scratch()
        #expect(try martlet(["create", "-q", scratch.write("t.cfg", config)], scratch).code == 0)
        let run = try martlet(["shutdown", "-w", "t"], scratch)
        #expect(run.code == 0)
        #expect(
            run.errors == "Shutting down domain 1\nWaiting for 1 domain\nDomain 1 has shut down (poweroff, reason code 0)\n")
    }

    @Test(
        "every mistake has an exit code and a first line that names it",
        arguments: [
            ([], 1, nil), (["--version"], 0, nil), (["help"], 0, nil), (["help", "create"], 0, nil), (["create", "-h"], 0, nil),
            (["frob"], 1, "command not implemented: frob"), (["d", "x"], 1, "command d is ambiguous: "),
            (["migrate", "x"], 1, "command not implemented: migrate: guests do not move between hosts yet"),
            (["-x", "list"], 1, "option `x' not supported"), (["-N", "list"], 1, "does not implement the -N"),
            (["create"], 6, "no configuration file is named"), (["create", "--nosuch", "x"], 2, "Unknown option '--nosuch'"),
            (["create", "/nonexistent.cfg"], 3, "Failed to read config file: /nonexistent.cfg: No such file or directory"),
            (["create", "/tmp"], 3, "Failed to read config file: /tmp: Is a directory"),
            (["create", "a", "b"], 2, "more than one configuration file: a, b"),
            (["create", "-q", "CFG", "memory=256M"], 1, "command line: config parsing error near `M'"),
            (["create", "-q", "CFG", "memory='256M'"], 1, "command line: `memory' is \"256M\", which is not a valid number"),
            (["create", "-q", "CFG", "memory=99999999"], 5, "command line: memory=99999999: the guest is to have more than the"),
            (["create", "-q", "CFG", "type=foo"], 1, "command line: Invalid domain type \"foo\""),
            (["create", "-q", "CFG", "type=hvm"], 1, "command line: type=\"hvm\" asks for a full machine"),
            (["create", "-q", "CFG", "kernel=/nonexistent"], 3, "command line: kernel=\"/nonexistent\": No such file or directory"),
            (
                ["create", "-q", "CFG", "cmdline=" + String(repeating: "x", count: 70_000)], 6,
                "command line: the guest's description is longer"
            ),
            (["create", "-q", "CFG", "kernel=/tmp"], 3, "command line: kernel=\"/tmp\": not a regular file"),
            (["create", "-q", "CFG", "ramdisk=/nonexistent"], 3, "command line: ramdisk=\"/nonexistent\": No such file or directory"),
            (["create", "-q", "CFG", "--timeout", "0"], 2, "--timeout=0"),
            (["create", "-q", "CFG", "--engine", "foo"], 2, "--engine=foo: there is no such engine"),
            (["create", "-q", "/dev/null", "name=x", "kernel=/etc/passwd", "memory=64"], 1, "command line: no type= is given"),
            (["create", "-q", "/dev/null", "name=x", "type=pvh", "memory=64"], 1, "/dev/null: Neither kernel nor bootloader specified"),
            (["list", "nosuch"], 1, "nosuch is an invalid domain identifier"), (["destroy"], 2, "Missing expected argument '<domain>'"),
            (["destroy", "0"], 1, "0 is the host"), (["shutdown"], 1, "no guest is named"),
            (["console", "-t", "foo", "x"], 1, "there is no console of the kind"),
            (["inspect", "/nonexistent"], 1, "/nonexistent: No such file or directory"),
        ] as [([String], Int32, String?)])
    func mistakes(arguments: [String], code: Int32, line: String?) throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", config)
        let run = try martlet(arguments.map { $0 == "CFG" ? file : $0 }, scratch)
        #expect(run.code == code)
        let first = run.errorLines.first { !$0.hasPrefix("Parsing") }
        #expect(line == nil || first?.contains(line ?? "") == true, "\(run.errors)")
        if line != nil { #expect(run.errorLines.last?.hasPrefix("  ") == true, "the second line is the remedy") }
        #expect(!scratch.exists("run/1"))
    }

    @Test("an unwritable runtime directory is named")
    func unwritable() throws {
        let scratch = try Scratch()
        scratch.write("run", "a file where the directory should be")
        let run = try martlet(["list"], scratch)
        #expect(run.code == 3)
        #expect(run.errors.contains("\(scratch.path)/run"))
    }

    @Test("a dry run prints the configuration and creates nothing")
    func dryRun() throws {
        let scratch = try Scratch()
        let file = scratch.write("t.cfg", config)
        for words in [["create", "-n", file], ["create", "--dryrun", file], ["-N", "create", file], ["cre", "-n", "-f", file]] {
            let run = try martlet(words + ["memory=99"], scratch)
            #expect(run.code == 0)
            #expect(run.output.contains("\"max_memkb\": 101376,"))
        }
        #expect(!scratch.exists("run"))
    }

    @Test("called xl, the program calls itself xl")
    func calledXL() throws {
        let run = try CommandRun.martlet(["-N", "list"], in: try Scratch(), name: "/usr/sbin/xl")
        #expect(run.errorLines.first?.hasPrefix("`xl list'") == true)
        #expect(try CommandRun.martlet(["help", "shutdown"], in: try Scratch(), name: "xl").output.contains("USAGE: xl shutdown "))
        let mistake = try CommandRun.martlet(["shutdown", "--nosuch"], in: try Scratch(), name: "/usr/sbin/xl")
        #expect(mistake.errorLines.last == "  see `xl help shutdown'")
    }

    @Test("called xl, help has the layout of xl's: four lines of heading, then a line per command whose text starts in column 22")
    func helpOfXL() throws {
        let lines = try CommandRun.martlet(["help"], in: try Scratch(), name: "xl").output.split(
            separator: "\n", omittingEmptySubsequences: false)
        #expect(lines[0] == "Usage xl [-vfNtT] <subcommand> [args]" && lines[1].isEmpty && lines[3].isEmpty)
        let known = Set(try Fixtures.lines("xl-verbs.txt"))
        var verbs: Set<String> = []
        for line in lines.dropFirst(4).dropLast() {
            let words = line.split(separator: " ", maxSplits: 1)
            #expect(line.hasPrefix(" \(words[0]) ") && line.dropFirst(20).hasPrefix(" ") && !line.dropFirst(21).hasPrefix(" "), "\(line)")
            verbs.insert(String(words[0]))
        }
        #expect(verbs.isSuperset(of: ["create", "list", "network-attach", "cpupool-list"]))
        #expect(known.intersection(verbs).count > 30)
    }

    @Test("help lists every exit code")
    func exitCodes() throws {
        let text = try martlet(["help", "exit-codes"], try Scratch()).output
        for code in ExitCode.allCases {
            #expect(text.contains("\n" + String(repeating: " ", count: 5 - "\(code.rawValue)".count) + "\(code.rawValue)  "))
        }
    }

    private func martlet(_ arguments: [String], _ scratch: Scratch, input: String = "") throws -> CommandRun {
        try CommandRun.martlet(arguments, in: scratch, input: input)
    }
}
