import Testing
import XenStore

@Suite("Requests") struct RequestTests {
    /// (who, type, payload, reply), one after the other on one store.
    typealias Line = (String, MessageType, String, String)

    private func run(_ lines: [Line], on start: Script = .withGuestHome()) {
        var script = start
        for (who, type, payload, expected) in lines {
            let reply = script.ask(who, type, payload)
            #expect(reply == expected, "\(who) \(type) \(payload)")
        }
        #expect(script.ask("d0", .control, "check|") == "OK|")
    }

    @Test("values are written, read, listed and removed") func values() {
        run([
            ("d1", .write, "a/b|hello", "OK|"), ("d1", .read, "a/b|", "hello"), ("d1", .read, "/local/domain/1/a/b|", "hello"),
            ("d1", .read, "a|", ""), ("d1", .directory, "a|", "b|"), ("d1", .write, "a/b|", "OK|"), ("d1", .read, "a/b|", ""),
            ("d1", .makeDirectory, "a/c|", "OK|"), ("d1", .write, "a/c|x", "OK|"), ("d1", .makeDirectory, "a/c|", "OK|"),
            ("d1", .read, "a/c|", "x"), ("d1", .directory, "a|", "b|c|"), ("d1", .directory, "a/b|", ""),
            ("d1", .remove, "a/b|", "OK|"), ("d1", .read, "a/b|", "ENOENT|"), ("d1", .remove, "a/b|", "OK|"),
            ("d1", .remove, "a/x/y|", "ENOENT|"), ("d1", .remove, "a|", "OK|"), ("d1", .directory, "a|", "ENOENT|"),
            ("d0", .remove, "/|", "EINVAL|"), ("d1", .write, "n|a|b", "OK|"), ("d1", .read, "n|", "a|b"),
        ])
    }

    @Test(
        "malformed paths and payloads are refused",
        arguments: [
            (MessageType.read, ""), (.read, "a"), (.read, "|"), (.read, "a|b|"), (.read, "a//b|"), (.read, "a/|"), (.read, "/a/|"),
            (.read, "a b|"), (.read, "a.b|"), (.read, "//|"), (.read, "@x/y|"), (.read, "é|"), (.write, "a"), (.write, "|x"),
            (.setPermissions, "a|"),
            (.setPermissions, "a|x1|"), (.setPermissions, "a|r|"), (.setPermissions, "a|r-1|"), (.setPermissions, "a|r65536|"),
            (.transactionEnd, "X|"), (.transactionEnd, "|"), (.watch, "a|"), (.watch, "a|t"), (.watch, "a|t|x|"), (.watch, "a|t|1|2|"),
            (.unwatch, "a|"), (.getDomainPath, "x|"), (.getDomainPath, "65536|"), (.getDomainPath, "+1|"), (.isDomainIntroduced, "|"),
            (.directoryPart, "a|"), (.directoryPart, "a|x|"), (.directoryPart, "a|-1|"),
        ])
    func malformed(type: MessageType, payload: String) {
        var script = Script.withGuestHome()
        _ = script.ask("d1", .write, "a|v")
        #expect(script.ask("d1", type, payload) == "EINVAL|")
        #expect(script.ask("d1", .read, "a|") == "v")
    }

    @Test("path lengths are limited") func pathLengths() {
        let absolute = "/" + String(repeating: "a", count: 3071)
        let relative = String(repeating: "a", count: 2048)
        run([
            ("d0", .write, absolute + "|", "OK|"), ("d0", .write, absolute + "a|", "EINVAL|"),
            ("d1", .write, relative + "|", "OK|"), ("d1", .write, relative + "a|", "EINVAL|"),
        ])
    }

    @Test("the deepest path there can be is written, watched and removed") func depth() {
        let path = String(repeating: "/a", count: 1536)
        run([
            ("d0", .watch, path + "|t|", "OK|"), ("d0", .write, path + "|v", "OK|"), ("d0", .read, path + "|", "v"),
            ("d0", .remove, "/a|", "OK|"), ("d0", .read, path + "|", "ENOENT|"), ("d0", .unwatch, path + "|t|", "OK|"),
        ])
    }

    @Test("permissions decide who reads, writes and gives rights") func permissions() {
        run([
            ("d0", .write, "/secret|s", "OK|"), ("d1", .read, "/secret|", "EACCES|"), ("d1", .read, "/secret/x|", "EACCES|"),
            ("d1", .write, "/secret|x", "EACCES|"), ("d1", .write, "/new|x", "EACCES|"), ("d1", .remove, "/secret|", "EACCES|"),
            ("d1", .directory, "/|", "EACCES|"), ("d0", .setPermissions, "/secret|n0|r1|", "OK|"), ("d1", .read, "/secret|", "s"),
            ("d1", .read, "/secret/x|", "ENOENT|"), ("d2", .read, "/secret|", "EACCES|"), ("d1", .write, "/secret|x", "EACCES|"),
            ("d0", .setPermissions, "/secret|r0|b1|w2|", "OK|"), ("d1", .write, "/secret|t", "OK|"), ("d3", .read, "/secret|", "t"),
            ("d2", .read, "/secret|", "EACCES|"), ("d2", .write, "/secret/mine|m", "OK|"),
            ("d2", .getPermissions, "/secret/mine|", "r2|b1|w2|"), ("d0", .getPermissions, "/secret|", "r0|b1|w2|"),
            ("d1", .setPermissions, "/secret|n1|", "EACCES|"), ("d2", .setPermissions, "/secret/mine|n2|r3|", "OK|"),
            ("d2", .setPermissions, "/secret/mine|n3|", "EPERM|"), ("d0", .setPermissions, "/secret/mine|n3|", "OK|"),
            ("d3", .read, "/secret/mine|", "m"), ("d2", .read, "/secret/mine|", "EACCES|"), ("d0", .setPermissions, "/none|n0|", "ENOENT|"),
            ("d0", .getPermissions, "@releaseDomain|", "n0|"), ("d0", .setPermissions, "@releaseDomain|n0|r1|", "OK|"),
            ("d0", .remove, "@releaseDomain|", "EINVAL|"), ("d0", .write, "@other|x", "EINVAL|"),
        ])
    }

    @Test("domain requests are for domain 0, questions for all") func domains() {
        run([
            ("d1", .getDomainPath, "5|", "/local/domain/5|"), ("d1", .isDomainIntroduced, "0|", "T|"),
            ("d1", .isDomainIntroduced, "1|", "F|"),
            ("d1", .introduce, "1|100|1|", "EACCES|"), ("d0", .introduce, "1|100|", "EINVAL|"), ("d0", .introduce, "1|100|1|", "OK|"),
            ("d0", .introduce, "1|100|1|", "OK|"), ("d1", .isDomainIntroduced, "1|", "T|"), ("d1", .release, "1|", "EACCES|"),
            ("d0", .resume, "1|", "OK|"), ("d0", .resume, "2|", "ENOENT|"), ("d1", .resume, "1|", "EACCES|"),
            ("d0", .setTarget, "2|1|", "ENOENT|"), ("d0", .introduce, "2|100|1|", "OK|"), ("d1", .write, "own|v", "OK|"),
            ("d2", .read, "/local/domain/1/own|", "EACCES|"), ("d0", .setTarget, "2|1|", "OK|"), ("d2", .read, "/local/domain/1/own|", "v"),
            ("d0", .release, "1|", "OK|"), ("d0", .release, "1|", "ENOENT|"), ("d0", .release, "0|", "EINVAL|"),
            ("d1", .control, "check|", "EACCES|"), ("d0", .control, "nonsense|", "EINVAL|"),
            ("d0", .control, "help|", "check\nhelp\nquota [set <name> <value> | <domid>]|"),
            ("d1", .getFeature, "|", "3|"), ("d1", .getFeature, "1|", "EACCES|"), ("d0", .setFeature, "7|1|", "OK|"),
            ("d0", .getFeature, "7|", "1|"), ("d0", .setFeature, "7|8|", "EINVAL|"), ("d0", .setFeature, "2|1|", "EBUSY|"),
            ("d0", .getQuota, "|", "nodes watches transactions transaction-nodes node-size permissions|"),
            ("d0", .getQuota, "nodes|", "1000|"), ("d0", .setQuota, "1|nodes|2|", "OK|"), ("d0", .getQuota, "1|nodes|", "2|"),
            ("d1", .write, "more|", "ENOSPC|"), ("d0", .getQuota, "nodes|", "1000|"), ("d1", .getQuota, "nodes|", "EACCES|"),
            ("d1", .setQuota, "nodes|9|", "EACCES|"), ("d0", .setQuota, "none|9|", "EINVAL|"),
        ])
    }

    @Test("unknown types are answered, not fatal", arguments: [15, 16, 20, 27, 0xffff_ffff] as [UInt32])
    func unknown(type: UInt32) {
        var store = Store()
        let reply = store.handle(Packet(type: type, requestID: 3, payload: [0]), from: store.local)
        #expect(reply == Packet(.error, requestID: 3, payload: Array("ENOSYS\0".utf8)))
    }

    @Test("a directory longer than a packet comes in parts") func directoryPart() {
        var script = Script()
        let names = (0..<600).map { "entry-\(1000 + $0)" }
        for name in names { _ = script.ask("d0", .write, "/big/\(name)|") }
        #expect(script.ask("d0", .directory, "/big|") == "E2BIG|")
        var list = ""
        var generations: Set<Substring> = []
        while !list.hasSuffix("||") {
            let part = script.ask("d0", .directoryPart, "/big|\(list.utf8.count)|")
            #expect(part.utf8.count <= 4096)
            let split = part.firstIndex(of: "|")!
            generations.insert(part[..<split])
            list += part[part.index(after: split)...]
        }
        #expect(list == names.map { $0 + "|" }.joined() + "|")
        #expect(generations.count == 1)
        let end = script.ask("d0", .directoryPart, "/big|100000|")
        #expect(end == generations.first! + "||")
        _ = script.ask("d0", .write, "/big/one-more|")
        #expect(!script.ask("d0", .directoryPart, "/big|0|").hasPrefix(generations.first!))
    }
}

@Suite("Quotas") struct QuotaTests {
    @Test("a guest owns at most 1000 nodes, domain 0 any number") func nodes() {
        var script = Script.withGuestHome()
        for number in 1...999 { #expect(script.ask("d1", .write, "n\(number)|") == "OK|") }
        #expect(script.ask("d1", .write, "over|") == "ENOSPC|")
        #expect(script.ask("d1", .write, "n1|still") == "OK|")
        #expect(script.ask("d0", .write, "/local/domain/1/over|") == "OK|")
        #expect(script.ask("d1", .remove, "over|") == "OK|")
        #expect(script.ask("d1", .remove, "n5|") == "OK|")
        #expect(script.ask("d1", .write, "a/b|") == "ENOSPC|")
        #expect(script.ask("d1", .write, "a|") == "OK|")
        #expect(script.store.nodeCount(ownedBy: 1) == 1000)
        #expect(script.ask("d0", .control, "check|") == "OK|")
    }

    @Test("a guest's values have at most 2048 bytes") func size() {
        var script = Script.withGuestHome()
        let full = String(repeating: "x", count: 2048)
        #expect(script.ask("d1", .write, "a|" + full) == "OK|")
        #expect(script.ask("d1", .write, "a|x" + full) == "ENOSPC|")
        #expect(script.ask("d0", .write, "/a|x" + full) == "OK|")
    }

    @Test("a node has at most five permission entries") func entries() {
        var script = Script.withGuestHome()
        #expect(script.ask("d1", .setPermissions, "/local/domain/1|n1|r2|r3|r4|r5|") == "OK|")
        #expect(script.ask("d1", .setPermissions, "/local/domain/1|n1|r2|r3|r4|r5|r6|") == "ENOSPC|")
        #expect(script.ask("d0", .setPermissions, "/local/domain/1|n1|r2|r3|r4|r5|r6|") == "OK|")
    }

    @Test("a guest has at most 128 watches and 10 transactions") func watches() {
        var script = Script.withGuestHome()
        for number in 1...128 { #expect(script.ask("d1", .watch, "a|\(number)|") == "OK|") }
        #expect(script.ask("d1", .watch, "a|x|") == "E2BIG|")
        #expect(script.ask("d1", .unwatch, "a|7|") == "OK|")
        #expect(script.ask("d1", .watch, "a|x|") == "OK|")
        for number in 1...10 { #expect(script.start("t\(number)", "d1") != "ENOSPC|") }
        #expect(script.start("over", "d1") == "ENOSPC|")
        #expect(script.end("t3", "d1", false) == "OK|")
        #expect(script.start("over", "d1") != "ENOSPC|")
        #expect(script.ask("d1", .resetWatches, "|") == "OK|")
        #expect(script.end("t1", "d1") == "ENOENT|")
        #expect(script.ask("d1", .watch, "a|7|") == "OK|")
    }

    @Test("a guest's transaction is bounded") func transaction() {
        var script = Script.withGuestHome()
        _ = script.start("t", "d1")
        var reply = ""
        var count = 0
        while reply != "ENOSPC|", count < 5000 {
            reply = script.ask("d1", .write, "a|\(count)", in: "t")
            count += 1
        }
        #expect(count == 1025)
    }

    @Test("events that nobody fetches are bounded") func events() {
        var script = Script.withGuestHome()
        for number in 1...128 { _ = script.ask("d1", .watch, "a|\(number)|") }
        for number in 1...100 { _ = script.ask("d1", .write, "a|\(number)") }
        let id = script.client("d1")
        #expect(script.store.waitingEventCount(for: id) == 8192)
        #expect(script.store.lostEventCount(for: id) == 101 * 128 - 8192)
    }
}
