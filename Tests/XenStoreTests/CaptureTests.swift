import TestSupport
import Testing
import XenStore

/// Compares with what Xen 4.17 had in its store.
@Suite("Xen's own store") struct CaptureTests {
    struct Line: Hashable, CustomStringConvertible {
        var path: String
        var value: String
        var permissions: String
        var description: String { "\(path) = \"\(value)\" (\(permissions))" }
    }

    /// Lines of `xenstore-ls -fp`: `/path = "value"   (n0,r1)`.
    static func capture(_ name: String) throws -> [Line] {
        TestFiles.fixtureText(name).split(separator: "\n").map { line in
            let path = line.prefix { $0 != " " }
            let value = line.split(separator: "\"", omittingEmptySubsequences: false)[1]
            let permissions = line.reversed().dropFirst().prefix { $0 != "(" }.reversed()
            return Line(path: String(path), value: String(value), permissions: String(permissions))
        }
    }

    private func compare(_ file: String, _ domain: DomainTree, missing: Set<String>, changed: Set<String> = []) throws {
        var store = Store.forHost(server: "/usr/lib/xen-4.17/bin/oxenstored")
        try domain.create(in: &store)
        let ours = store.listing().map {
            Line(path: $0.path, value: String(decoding: $0.value, as: UTF8.self), permissions: "\($0.permissions)")
        }
        let theirs = try Self.capture(file)
        #expect(Set(Set(ours).subtracting(theirs).map(\.path)) == changed)
        #expect(Set(Set(theirs).subtracting(ours).map(\.path)) == missing.union(changed))
        #expect(store.isIntroduced(domain: 1))
        try domain.remove(from: &store)
        #expect(
            Set(store.listing().map(\.path)).filter { $0.contains("domain/1") || $0.hasPrefix("/vm/") || $0.hasPrefix("/libxl/") } == [])
        #expect(!store.isIntroduced(domain: 1))
    }

    @Test(
        "the creation is tried again while others change what it relies on, and given up when that never ends",
        arguments: [0, 1, 50, 99, 100])
    func contention(times: Int) throws {
        var store = Store.forHost(server: "s")
        let domain = DomainTree(
            domain: 1, uuid: "22fc9f50-42cc-414c-9063-b24e8f359fce", name: "t", maximumMemory: 1, targetMemory: 1, maximumVCPUs: 1,
            onlineVCPUs: 1, storePort: 1, storeFrame: 1, consolePort: 2, consoleFrame: 2, consoleTerminal: "", startTime: "0")
        var rounds = 0
        let create = { (store: inout Store) throws in
            try domain.create(in: &store) { store in
                rounds += 1
                if rounds <= times { try? store.setText("x\(rounds)", at: "/libxl/1/type") }
            }
        }
        if times < 100 {
            try create(&store)
            #expect(rounds == times + 1)
            #expect(store.text(at: "/libxl/1/type") == "pvh" && store.isIntroduced(domain: 1))
        } else {
            #expect(throws: StoreError.tryAgain) { try create(&store) }
            #expect(store.text(at: "/local/domain/1/name") == nil && !store.isIntroduced(domain: 1))
        }
    }

    @Test("the type stands in the creation, for domain 0 alone; the guest cannot read it") func type() throws {
        var store = Store.forHost(server: "s")
        let domain = DomainTree(
            domain: 7, uuid: "22fc9f50-42cc-414c-9063-b24e8f359fce", name: "t", maximumMemory: 1, targetMemory: 1, maximumVCPUs: 1,
            onlineVCPUs: 1, storePort: 1, storeFrame: 1, consolePort: 2, consoleFrame: 2, consoleTerminal: "", startTime: "0")
        try domain.create(in: &store) { store in #expect(store.text(at: "/libxl/7/type") == nil, "it comes with all the rest") }
        #expect(store.text(at: "/libxl/7/type") == "pvh")
        let guest = store.connect(domain: 7)
        let reply = store.handle(Packet(.read, payload: Array("/libxl/7/type\0".utf8)), from: guest)
        #expect(reply.type == MessageType.error.rawValue && reply.payload == Array("EACCES\0".utf8))
        for name in ["multiprocessor-suspend", "xs_reset_watches"] {
            #expect(store.text(at: "/local/domain/7/control/platform-feature-\(name)") == "1")
        }
    }

    /// Domain 0's kernel writes these about itself; we have no such kernel.
    private static let hostKernelNodes: Set<String> = [
        "/local/domain/0/control", "/local/domain/0/control/feature-poweroff", "/local/domain/0/control/feature-reboot",
        "/local/domain/0/control/feature-suspend",
    ]

    @Test("a paused domain has the captured nodes, values and permissions") func created() throws {
        try compare(
            "created-paused.txt",
            DomainTree(
                domain: 1, uuid: "22fc9f50-42cc-414c-9063-b24e8f359fce", name: "pvhprobe", maximumMemory: 262144, targetMemory: 262144,
                maximumVCPUs: 2, onlineVCPUs: 2, storePort: 1, storeFrame: 1044476, consolePort: 2, consoleFrame: 1044479,
                consoleTerminal: "/dev/pts/0", startTime: "1795229109.63"),
            missing: Self.hostKernelNodes)
    }

    @Test("a running domain differs by what the guest and domain 0 wrote") func running() throws {
        try compare(
            "running-without-devices.txt",
            DomainTree(
                domain: 1, uuid: "db2bb128-e32f-4037-8752-520574c3a918", name: "g1", maximumMemory: 262144, targetMemory: 262144,
                maximumVCPUs: 4, onlineVCPUs: 2, storePort: 1, storeFrame: 1044476, consolePort: 2, consoleFrame: 1044479,
                consoleTerminal: "/dev/pts/0", startTime: "1795229953.36"),
            missing: Self.hostKernelNodes.union([
                "/local/domain/0/memory", "/local/domain/0/memory/static-max", "/local/domain/0/memory/target",
            ]),
            changed: [
                "/local/domain/1/control/feature-poweroff", "/local/domain/1/control/feature-reboot",
                "/local/domain/1/control/feature-suspend",
            ])
    }

    /// The log of a host start and two guests: every change and every watch event in order. The changes go into our store;
    /// the events each client then got have to be the same ones in the same order.
    @Test("a guest's whole life fires the captured watch events") func lifecycle() throws {
        var script = Script()
        _ = script.ask("d0", .write, "/local/domain/0|")
        var expected: [String: [String]] = [:]
        var actual: [String: [String]] = [:]
        for line in TestFiles.fixtureText("lifecycle.log").split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            let name = words[0].split(separator: ":").last!.split(separator: ".").map(String.init)
            // Socket clients speak for domain 0; their number makes them different.
            let who = name[0].hasPrefix("D") ? "d" + name[0].dropFirst() : "d0-" + name[0]
            let argument = words.count > 2 ? words[2] : ""
            if words[1] == "w", argument.hasPrefix("event") {
                let event = String(argument.dropFirst(6))
                // An empty token ends in a space that the log had trimmed.
                expected[who, default: []].append(event.contains(" ") ? event : event + " ")
            } else {
                replay(words[1], argument, who, name.count > 1 ? words[0] : nil, &script)
            }
            for client in expected.keys { actual[client, default: []] += script.events(client) }
        }
        for (client, events) in expected.sorted(by: { $0.key < $1.key }) {
            // What made @releaseDomain fire does not stand in the log.
            #expect(
                (actual[client] ?? []).filter { !$0.hasPrefix("@releaseDomain") } == events.filter { !$0.hasPrefix("@releaseDomain") },
                "\(client)")
        }
        #expect(expected.values.map(\.count).reduce(0, +) > 220)
    }

    private func replay(_ verb: String, _ argument: String, _ who: String, _ transaction: String?, _ script: inout Script) {
        let (path, rest) =
            argument.firstIndex(of: " ").map { (argument[..<$0], argument[argument.index(after: $0)...]) } ?? (argument[...], "")
        if let transaction, script.transactions[transaction] == nil { _ = script.start(transaction, who) }
        switch verb {
        case "write": _ = script.ask(who, .write, "\(path)|\(rest)", in: transaction)
        case "mkdir": _ = script.ask(who, .makeDirectory, "\(path)|", in: transaction)
        case "rm": _ = script.ask(who, .remove, "\(path)|", in: transaction)
        case "setperms":
            _ = script.ask(who, .setPermissions, "\(path)|" + rest.split(separator: " ").map { $0 + "|" }.joined(), in: transaction)
        case "watch": #expect(script.ask(who, .watch, "\(path)|\(rest)|") == "OK|")
        case "unwatch": #expect(script.ask(who, .unwatch, "\(path)|\(rest)|") == "OK|")
        case "commit", "coalesce": #expect(script.end(transaction!, who) == "OK|", "\(transaction!)")
        case "conflict": _ = script.end(transaction!, who, false)
        case "newconn" where who == "d1" || who == "d2": script.store.introduce(domain: who == "d1" ? 1 : 2)
        case "endconn" where who == "d1" || who == "d2": script.store.announceShutdown()
        case "endconn": script.leave(who)
        default: break
        }
    }
}
