import TestSupport
import Testing
import XenStore

/// One conversation that meets every type of message and every error there is: who, request, reply.
@Suite("The protocol") struct ConformanceTests {
    enum Step {
        case ask(String, MessageType, String, String, in: String? = nil)
        case start(String, String)
        case end(String, String, Bool, String)
        case events(String, [String])
        /// A packet of a type that no request has.
        case raw(UInt32, StoreError)
    }

    static let conversation: [Step] = [
        .ask("d0", .write, "/local/domain/1|", "OK|"), .ask("d0", .setPermissions, "/local/domain/1|n1|r0|", "OK|"),
        .ask("d0", .introduce, "1|1044476|1|", "OK|"), .ask("d1", .isDomainIntroduced, "1|", "T|"),
        .ask("d1", .getDomainPath, "1|", "/local/domain/1|"), .ask("d1", .getFeature, "|", "3|"), .ask("d0", .setFeature, "9|2|", "OK|"),
        .ask("d0", .setFeature, "1|2|", "EBUSY|"), .ask("d0", .getQuota, "permissions|", "5|"),
        .ask("d0", .setQuota, "1|nodes|6|", "OK|"), .ask("d1", .setQuota, "1|nodes|60|", "EACCES|"),
        .ask("d0", .control, "quota|1|", quotaOfOne), .ask("d0", .control, "quota|set|watches|2|", "OK|"),
        .ask("d0", .control, "quota|reset|", "EINVAL|"), .ask("d1", .control, "check|", "EACCES|"),
        // Nodes, relative and absolute, and the guest's quota of six.
        .ask("d1", .makeDirectory, "data|", "OK|"), .ask("d1", .write, "data/a|1", "OK|"), .ask("d1", .write, "data/b/c|2", "OK|"),
        .ask("d1", .directory, "data|", "a|b|"), .ask("d1", .write, "data/d|", "OK|"), .ask("d1", .write, "data/e|", "ENOSPC|"),
        .ask("d1", .read, "/local/domain/1/data/b/c|", "2"), .ask("d1", .getPermissions, "data/a|", "n1|r0|"),
        .ask("d1", .setPermissions, "data/a|n0|", "EPERM|"), .ask("d1", .setPermissions, "data/a|r1|w2|", "OK|"),
        .ask("d2", .read, "/local/domain/1/data/a|", "EACCES|"), .ask("d2", .write, "/local/domain/1/data/a|x", "OK|"),
        .ask("d3", .read, "/local/domain/1/data/a|", "x"), .ask("d1", .read, "none|", "ENOENT|"), .ask("d1", .read, "a b|", "EINVAL|"),
        .ask("d1", .remove, "data/d|", "OK|"), .ask("d1", .remove, "data/d|", "OK|"), .ask("d1", .remove, "data/d/x|", "ENOENT|"),
        // Watches: a first event, then changes; two at the most.
        .ask("d1", .watch, "data|t|", "OK|"), .ask("d1", .watch, "data|t|", "EEXIST|"), .ask("d1", .watch, "data/b|u|0|", "OK|"),
        .ask("d1", .watch, "data|v|", "E2BIG|"), .events("d1", ["data t", "data/b u"]),
        .ask("d1", .write, "data/b/c|3", "OK|"), .events("d1", ["data/b/c t"]), .ask("d1", .unwatch, "data/b|u|", "OK|"),
        .ask("d1", .unwatch, "data/b|u|", "ENOENT|"),
        // Transactions: isolated, announced at their end, in conflict.
        .start("T1", "d1"), .start("T2", "d0"), .ask("d1", .transactionStart, "|", "EBUSY|", in: "T1"),
        .ask("d1", .write, "data/a|inside", "OK|", in: "T1"), .events("d1", []), .ask("d1", .read, "data/a|", "x"),
        .ask("d0", .read, "/local/domain/1/data/a|", "x", in: "T2"), .ask("d0", .write, "/seen|x", "OK|", in: "T2"),
        .end("T1", "d1", true, "OK|"), .events("d1", ["data/a t"]), .end("T2", "d0", true, "EAGAIN|"),
        .ask("d0", .read, "/seen|", "ENOENT|"), .end("T2", "d0", true, "ENOENT|"),
        .start("T3", "d0"), .ask("d0", .remove, "/local/domain/1/data|", "OK|", in: "T3"), .end("T3", "d0", false, "OK|"),
        .ask("d1", .read, "data/a|", "inside"),
        // A directory in parts, and one that is none.
        .ask("d0", .directoryPart, "/local/domain/1/none|0|", "ENOENT|"), .ask("d0", .directoryPart, "/local/domain/1/data|-1|", "EINVAL|"),
        // Starting over, and the end.
        .ask("d1", .resetWatches, "|", "OK|"), .ask("d0", .remove, "/local/domain/1/data|", "OK|"), .events("d1", []),
        .ask("d0", .introduce, "2|1|1|", "OK|"), .ask("d0", .setTarget, "2|1|", "OK|"), .ask("d0", .resume, "1|", "OK|"),
        .ask("d0", .watch, "@releaseDomain|r|", "OK|"), .events("d0", ["@releaseDomain r"]), .ask("d0", .release, "1|", "OK|"),
        .events("d0", ["@releaseDomain r"]), .ask("d0", .resume, "1|", "ENOENT|"),
        .raw(15, .notSupported), .raw(16, .notSupported), .raw(20, .notSupported), .raw(1000, .notSupported),
    ]

    private static let quotaOfOne =
        "nodes: 1 of 6\nwatches: 0 of 128\ntransactions: 0 of 10\ntransaction-nodes: 1024\nnode-size: 2048\npermissions: 5|"

    @Test("one conversation with every message and every error goes as documented") func conversation() {
        var script = Script()
        var types: Set<MessageType> = [.watchEvent]
        var errors: Set<String> = []
        for (number, step) in Self.conversation.enumerated() {
            switch step {
            case .ask(let who, let type, let payload, let expected, let transaction):
                #expect(script.ask(who, type, payload, in: transaction) == expected, "step \(number): \(who) \(type) \(payload)")
                types.insert(type)
                errors.insert(String(expected.dropLast()))
            case .start(let name, let who):
                #expect(UInt32(script.start(name, who).dropLast()) != nil, "step \(number)")
                types.insert(.transactionStart)
            case .end(let name, let who, let commits, let expected):
                #expect(script.end(name, who, commits) == expected, "step \(number): end of \(name)")
                types.insert(.transactionEnd)
                errors.insert(String(expected.dropLast()))
            case .events(let who, let expected):
                #expect(script.events(who) == expected, "step \(number): events of \(who)")
            case .raw(let type, let expected):
                let reply = script.store.handle(Packet(type: type, requestID: 3, payload: [0]), from: script.client("d1"))
                #expect(reply == Packet(.error, requestID: 3, payload: Array(expected.rawValue.utf8) + [0]), "step \(number)")
                types.insert(.error)
                errors.insert(expected.rawValue)
            }
        }
        #expect(types == Set(MessageType.allCases), "every message is met")
        #expect(errors.isSuperset(of: StoreError.allCases.map(\.rawValue)), "every error is met")
        #expect(script.ask("d0", .control, "check|") == "OK|")
    }

    @Test("a hundred thousand nodes are made, listed, found and removed") func manyNodes() {
        var script = Script()
        for number in 0..<100_000 { _ = script.ask("d0", .write, "/many/\(number % 320)/\(number)|v") }
        #expect(script.store.nodeCount(ownedBy: 0) == 100_000 + 320 + 1 + 3)
        #expect(script.ask("d0", .read, "/many/7/99847|") == "v")
        #expect(script.store.listing().count == 100_000 + 320 + 1 + 2)
        _ = script.start("t", "d0")
        #expect(script.ask("d0", .write, "/many/7/99847|w", in: "t") == "OK|")
        #expect(script.end("t", "d0") == "OK|")
        #expect(script.ask("d0", .remove, "/many|") == "OK|")
        #expect(script.store.nodeCount(ownedBy: 0) == 3)
        #expect(script.ask("d0", .control, "check|") == "OK|")
    }
}
