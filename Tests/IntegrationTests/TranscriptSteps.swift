import Foundation
import Testing

/// Parts of a guest's life that ``GuestTests/TranscriptTests`` walks through.
extension Transcript {
    /// Everything that tells of guests and of the host, in all forms.
    func look(at domain: String) throws {
        let uuid = try #require(try json("list", "-l", domain)["uuid"])
        #expect(try row("list", "-v", domain).contains(uuid))
        #expect(try row("list", "-Z", domain).hasSuffix("-"))
        #expect(try run("list", "-c", domain).output.contains("Pool-0"))
        #expect(try row("list", "-n", domain).hasSuffix("all"))
        #expect(try fields("vm-list") == [uuid, "1", domain])
        for words in [
            ["domid", "--json", domain], ["list", "--json"], ["list", "--json", domain], ["vm-list", "--json"],
            ["uptime", "--json"], ["vcpu-list", "--json", domain],
            ["block-list", "--json", domain], ["network-list", "--json", domain], ["info", "--json"], ["cpupool-list", "--json"],
            ["check", "--json", "/dev/null", "name='x'", "type='pvh'", "memory=128", "kernel='\(Installation.kernel)'"],
            ["inspect", "--json", Installation.kernel],
        ] { _ = try json(words) }
        #expect(try run("uptime", "-s").output.contains(domain))
        #expect(try run("info", "-n").output.contains("cpu_topology"))
        #expect(try run("info", "xen_version").output.hasPrefix("4.20"))
        #expect(try run("cpupool-list").lines.count == 2 && run("cpupool-list", "-c").lines.count == 2)
        #expect(try fields("claims").last == "0")
        #expect(try fields("sharing", domain) == [domain, "1", "256", "0"])
        #expect(try run("completion", "bash").output.contains("_martlet"))
        #expect(try run("inspect", Installation.kernel).output.contains("Boots as PVH: yes"))
        #expect(try run("help").output.contains("block-attach") && run("help", "create").output.contains("--timeout"))
    }

    /// A disk comes, grows and goes; a network interface comes and goes.
    func plugDevices(into domain: String) throws {
        let image = try workshop.write("plugged.img", [UInt8](repeating: 0, count: 4 << 20))
        try run("block-attach", domain, "\(image),raw,xvdb,w")
        try wait("the disk to be connected") { try fields("block-list", domain).prefix(4) == ["51728", "0", "1", "4"] }
        #expect(try type("echo size-$(cat /sys/block/xvdb/size)-", into: domain, until: "size-8192-"))
        #expect(try fails("block-attach", domain, "\(image),raw,xvdb,w").contains("xvdb"))
        try FileHandle(forWritingTo: URL(fileURLWithPath: image)).truncate(atOffset: 6 << 20)
        try run("block-resize", domain, "xvdb")
        #expect(try type("sleep 1; echo size-$(cat /sys/block/xvdb/size)-", into: domain, until: "size-12288-"))
        try run("block-detach", domain, "xvdb")
        try wait("the disk to go") { try run("block-list", domain).lines.count == 1 }
        #expect(try fails("block-detach", domain, "xvdb").contains("xvdb"))
        #expect(try fails("block-resize", domain, "xvdb").contains("xvdb"))

        try run("network-attach", domain, "mac=00:16:3e:11:22:33")
        try wait("the interface to be connected") {
            try fields("network-list", domain).prefix(5) == ["0", "0", "00:16:3e:11:22:33", "0", "4"]
        }
        #expect(try type("cat /sys/class/net/eth0/address", into: domain, until: "00:16:3e:11:22:33"))
        try run("network-detach", domain, "0")
        try wait("the interface to go") { try run("network-list", domain).lines.count == 1 }
        #expect(try fails("network-detach", domain, "0").contains("0"))
    }

    /// The next start has another command line and another memory.
    func updateConfiguration(of domain: String) throws {
        let file = try workshop.configuration(name: "other", memory: 192, extra: "console=hvc0 updated=yes")
        try run("config-update", domain, file)
        #expect(try row("list", domain).contains(" 200 "), "what runs does not change")
        try run("reboot", "-w", domain)
        try waitForShell()
        #expect(consoleLog.contains("updated=yes"))
        #expect(try row("list", domain).contains(" 192 "))
        #expect(try json("list", "-l", domain)["name"] == domain, "the name stays")
    }

    /// A second guest, without a file.
    func runAnother() throws {
        try run("run", "--detach", "--timeout=300", "--name", "another", "--ramdisk", Installation.ramdisk, Installation.kernel)
        #expect(try row("list", "another").contains(" 256 "))
        #expect(try fails("console", "-n", "1", "another").contains("-n 0"))
        try run("mem-max", "another", "300m")
        #expect(try run("top", "-b", "-i", "1").lines.last?.contains(" \(300 << 10) ") == true)
        try run("destroy", "another")
    }

    /// What is no command, no option and no guest has the exit code of its kind.
    func mistakes() throws {
        for (words, code) in [
            (["nonsense"], 1), (["list", "--nonsense"], 2), (["pause"], 2), (["pause", "nobody"], 1), (["create", "/none.cfg"], 3),
            (["create"], 6), (["save", "first", "file"], 1), (["cd-insert", "first", "xvdc", "/none"], 1),
        ] as [([String], Int32)] {
            let run = try workshop.start(words).finish(seconds: 60)
            #expect(run.code == code && run.output.isEmpty && !run.errors.isEmpty, "\(words): \(run)")
        }
    }

    /// Every verb of the program's help has been called, and with --json where there is that.
    func expectCompleteness() throws {
        let verbs = try run("help").lines.drop { $0 != "SUBCOMMANDS:" }.filter { $0.hasPrefix("  ") && !$0.hasPrefix("   ") }
            .map { String($0.dropFirst(2).prefix { $0 != " " }) }.filter { $0 != "See" }
        #expect(verbs.count > 35)
        for verb in verbs {
            #expect(called.contains { $0.first == verb }, "\(verb) is not called")
            guard try run("help", verb).output.contains("--json") else { continue }
            #expect(called.contains { $0.first == verb && $0.contains("--json") }, "\(verb) --json is not called")
        }
    }

    /// The words of the last line a command writes.
    private func fields(_ words: String...) throws -> [String] { try row(words).split(separator: " ").map(String.init) }

    /// Runs a command that prints JSON: its texts and numbers by the names of their members, the first of each name.
    private func json(_ words: String...) throws -> [String: String] { try json(words) }

    private func json(_ words: [String]) throws -> [String: String] {
        let output = try run(words).output
        let value = try JSONSerialization.jsonObject(with: Data(output.utf8), options: .fragmentsAllowed)
        var members: [String: String] = [:]
        func collect(_ value: Any) {
            for element in value as? [Any] ?? [] { collect(element) }
            for (name, member) in (value as? [String: Any] ?? [:]).sorted(by: { $0.key < $1.key }) {
                if let text = member as? String, members[name] == nil { members[name] = text }
                if let number = member as? NSNumber, members[name] == nil { members[name] = "\(number)" }
                collect(member)
            }
        }
        collect(value)
        return members
    }
}
