import TestSupport
import Testing
import XenStore

@Suite("Transactions") struct TransactionTests {
    @Test("changes are seen inside at once and outside after the commit") func isolation() {
        var script = Script.withGuestHome()
        _ = script.ask("d1", .write, "a|old")
        _ = script.start("t", "d1")
        #expect(script.ask("d1", .write, "a|new", in: "t") == "OK|")
        #expect(script.ask("d1", .read, "a|", in: "t") == "new")
        #expect(script.ask("d1", .read, "a|") == "old")
        #expect(script.end("t", "d1") == "OK|")
        #expect(script.ask("d1", .read, "a|") == "new")
        #expect(script.end("t", "d1") == "ENOENT|")
        #expect(script.ask("d1", .read, "a|", in: "t") == "ENOENT|")
    }

    @Test("an aborted transaction leaves nothing, and no event") func abort() {
        var script = Script.withGuestHome()
        _ = script.ask("d1", .watch, "a|w|")
        _ = script.events("d1")
        _ = script.start("t", "d1")
        _ = script.ask("d1", .write, "a|x", in: "t")
        #expect(script.events("d1") == [])
        #expect(script.end("t", "d1", false) == "OK|")
        #expect(script.ask("d1", .read, "a|") == "ENOENT|")
        #expect(script.events("d1") == [])
    }

    @Test("what a guest has looked at in a transaction takes bounded memory, however long its paths") func longPaths() {
        var script = Script.withGuestHome()
        _ = script.start("t", "d1")
        let deep = String(repeating: "a/", count: 900)
        var answers: [String] = []
        for index in 0..<1000 where answers.last != "ENOSPC|" { answers.append(script.ask("d1", .read, "\(deep)\(index)|", in: "t")) }
        #expect((100..<500).contains(answers.count) && answers.last == "ENOSPC|")
        #expect(script.end("t", "d1") == "OK|")
        // The control domain is not limited.
        _ = script.start("u", "d0")
        #expect((0..<1000).allSatisfy { script.ask("d0", .read, "/\(deep)\($0)|", in: "u") == "ENOENT|" })
    }

    @Test("there is no transaction inside another") func nested() {
        var script = Script.withGuestHome()
        _ = script.start("t", "d1")
        #expect(script.ask("d1", .transactionStart, "|", in: "t") == "EBUSY|")
        #expect(script.ask("d2", .read, "/x|", in: "t") == "ENOENT|")
    }

    /// What the transaction does, what somebody else does meanwhile, what the end says.
    static let meetings: [(inside: [(MessageType, String)], outside: (MessageType, String), end: String)] = [
        ([(.read, "/a|"), (.write, "/x|1")], (.write, "/a|2"), "EAGAIN|"),
        ([(.read, "/a|"), (.write, "/x|1")], (.write, "/b|2"), "OK|"),
        ([(.read, "/a|"), (.write, "/x|1")], (.write, "/a/child|2"), "OK|"),
        ([(.read, "/a|")], (.write, "/a|2"), "OK|"),
        ([(.write, "/a|1")], (.write, "/a|2"), "EAGAIN|"),
        ([(.write, "/a|1")], (.remove, "/a|"), "EAGAIN|"),
        ([(.write, "/a|1")], (.setPermissions, "/a|n0|r1|"), "EAGAIN|"),
        ([(.write, "/dir/one|1")], (.write, "/dir/two|2"), "OK|"),
        ([(.write, "/dir/one|1")], (.write, "/dir/one|2"), "EAGAIN|"),
        ([(.write, "/new/one|1")], (.write, "/new/two|2"), "OK|"),
        ([(.write, "/dir/one|1")], (.remove, "/dir|"), "EAGAIN|"),
        ([(.directory, "/dir|"), (.write, "/x|1")], (.write, "/dir/two|2"), "EAGAIN|"),
        ([(.directory, "/dir|"), (.write, "/x|1")], (.write, "/dir/old|2"), "OK|"),
        ([(.read, "/none|"), (.write, "/x|1")], (.write, "/none|2"), "EAGAIN|"),
        ([(.remove, "/dir|")], (.write, "/dir/deep/er|2"), "EAGAIN|"),
        ([(.remove, "/dir|")], (.write, "/a|2"), "OK|"),
        ([(.getPermissions, "/a|"), (.write, "/x|1")], (.setPermissions, "/a|r0|"), "EAGAIN|"),
    ]

    @Test("only who relied on what changed has to try again", arguments: meetings.indices)
    func conflicts(number: Int) {
        let (inside, outside, end) = Self.meetings[number]
        var script = Script()
        for path in ["/a", "/b", "/dir/old"] { _ = script.ask("d0", .write, path + "|0") }
        _ = script.start("t", "d0")
        for (type, payload) in inside { _ = script.ask("d0", type, payload, in: "t") }
        #expect(script.ask("d0b", outside.0, outside.1) == "OK|")
        #expect(script.end("t", "d0") == end)
        #expect(script.ask("d0", .control, "check|") == "OK|")
    }

    @Test("a refused change inside a transaction does not spoil the rest") func refused() {
        var script = Script.withGuestHome()
        _ = script.start("t", "d1")
        #expect(script.ask("d1", .write, "/foreign|x", in: "t") == "EACCES|")
        #expect(script.ask("d1", .write, "mine|x", in: "t") == "OK|")
        #expect(script.end("t", "d1") == "OK|")
        #expect(script.ask("d1", .read, "mine|") == "x")
    }

    @Test("events of a commit come in the order of its changes") func events() {
        var script = Script.withGuestHome()
        _ = script.ask("d0", .watch, "/local|w|")
        _ = script.events("d0")
        _ = script.start("t", "d1")
        for payload in ["b|1", "a|1", "b|2"] { _ = script.ask("d1", .write, payload, in: "t") }
        _ = script.end("t", "d1")
        #expect(script.events("d0") == ["/local/domain/1/b w", "/local/domain/1/a w", "/local/domain/1/b w"])
    }

    @Test("random schedules give the same store as running the committed transactions alone", arguments: 0..<20 as Range<UInt64>)
    func serialisable(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var shared = Script()
        var reference = Script()
        for name in ["/a", "/b", "/c"] {
            _ = shared.ask("d0", .write, name + "|0")
            _ = reference.ask("d0", .write, name + "|0")
        }
        for _ in 0..<100 {
            // Two increments of random nodes, interleaved.
            let picks = (0..<2).map { _ in ["/a", "/b", "/c"][Int(random.next() % 3)] }
            for index in 0..<2 { _ = shared.start("t\(index)", "d0") }
            let values = (0..<2).map { Int(shared.ask("d0", .read, picks[$0] + "|", in: "t\($0)"))! }
            for index in 0..<2 { _ = shared.ask("d0", .write, "\(picks[index])|\(values[index] + 1)", in: "t\(index)") }
            for index in 0..<2 where shared.end("t\(index)", "d0") == "OK|" {
                let value = Int(reference.ask("d0", .read, picks[index] + "|"))!
                _ = reference.ask("d0", .write, "\(picks[index])|\(value + 1)")
            }
        }
        for name in ["/a", "/b", "/c"] {
            #expect(shared.ask("d0", .read, name + "|") == reference.ask("d0", .read, name + "|"))
        }
    }
}
