import XenStore

/// A store with named clients, and requests and replies as short text: a zero byte is written `|`.
struct Script {
    var store = Store()
    private var clients: [String: ConnectionID] = [:]
    /// Transactions by the name the script gives them.
    var transactions: [String: UInt32] = [:]

    /// `d0`, `d1`, … with anything behind the number: `d1b` is a second client of domain 1.
    mutating func client(_ name: String) -> ConnectionID {
        if let id = clients[name] { return id }
        let id = store.connect(domain: UInt16(name.dropFirst().prefix { $0.isNumber })!)
        clients[name] = id
        return id
    }

    mutating func leave(_ name: String) {
        guard let id = clients.removeValue(forKey: name) else { return }
        store.disconnect(id)
    }

    /// The reply's payload as text, an error's name for an error.
    mutating func ask(_ who: String, _ type: MessageType, _ payload: String, in transaction: String? = nil) -> String {
        let number = transaction.map { transactions[$0] ?? 4711 } ?? 0
        let bytes = payload.utf8.map { $0 == UInt8(ascii: "|") ? 0 : $0 }
        let reply = store.handle(Packet(type, requestID: 7, transactionID: number, payload: bytes), from: client(who))
        precondition(reply.requestID == 7 && reply.transactionID == number, "a reply repeats the ids")
        return Self.text(reply.payload)
    }

    mutating func start(_ name: String, _ who: String) -> String {
        let answer = ask(who, .transactionStart, "|")
        transactions[name] = UInt32(answer.dropLast())
        return answer
    }

    mutating func end(_ name: String, _ who: String, _ commits: Bool = true) -> String {
        ask(who, .transactionEnd, commits ? "T|" : "F|", in: name)
    }

    /// The waiting events of a client, `path token`.
    mutating func events(_ who: String) -> [String] {
        let id = client(who)
        var result: [String] = []
        while let event = store.nextEvent(for: id) {
            result.append(
                event.payload.dropLast().split(separator: 0, omittingEmptySubsequences: false)
                    .map { String(decoding: $0, as: UTF8.self) }.joined(separator: " "))
        }
        return result
    }

    static func text(_ payload: [UInt8]) -> String {
        String(decoding: payload.map { $0 == 0 ? UInt8(ascii: "|") : $0 }, as: UTF8.self)
    }

    /// A home for domain 1 as the toolstack makes it, owned by the guest.
    static func withGuestHome() -> Script {
        var script = Script()
        _ = script.ask("d0", .write, "/local/domain/1|")
        _ = script.ask("d0", .setPermissions, "/local/domain/1|n1|")
        return script
    }
}
