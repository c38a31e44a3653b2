import GuestMemory
import PVRing
import XenABI
import XenStore
import XenStoreServer

/// Requests of several clients to one store. A record: client, type, transaction, length, payload.
enum XenStoreRequestsFuzz {
    static func run(_ input: [UInt8]) {
        var reader = FuzzReader(input)
        var store = makeStore()
        let clients = [store.connect(domain: 1), store.connect(domain: 1), store.connect(domain: 2), store.connect(domain: 0)]
        var transactions: [UInt32] = [0, 0xffff_ffff]
        while !reader.isAtEnd {
            let client = reader.pick(clients)
            let type = UInt32(reader.byte())
            let transaction = reader.pick(transactions)
            let payload = reader.bytes(Int(reader.byte()))
            let request = Packet(type: type, requestID: 7, transactionID: transaction, payload: payload)
            let reply = store.handle(request, from: client)
            precondition(reply.requestID == 7 && reply.transactionID == transaction, "a reply repeats the ids")
            precondition(reply.type == type || reply.type == MessageType.error.rawValue, "a reply has the type of its request")
            if reply.type == MessageType.transactionStart.rawValue {
                transactions.append(UInt32(String(decoding: reply.payload.dropLast(), as: UTF8.self))!)
            }
            if reader.byte() & 7 == 0, let event = store.nextEvent(for: client) { checkEncoding(event) }
            checkEncoding(reply)
        }
        check(&store)
    }

    /// A store with the home of domain 1, whose quotas are so low that inputs reach them.
    static func makeStore() -> Store {
        var store = Store()
        store.quotas.nodes = 20
        store.quotas.watches = 4
        store.quotas.transactions = 3
        store.quotas.transactionNodes = 12
        store.quotas.nodeSize = 64
        do {
            try store.setText("", at: "/local/domain/1")
            try store.setPermissions(Permissions(owner: 1), of: StorePath("/local/domain/1"), by: store.local)
        } catch {
            preconditionFailure("domain 0 may do so")
        }
        return store
    }

    static func check(_ store: inout Store) {
        let reply = store.handle(Packet(.control, payload: Array("check\0".utf8)), from: store.local)
        precondition(reply.payload == Array("OK\0".utf8), "the store is in order")
        precondition(store.listing().allSatisfy { $0.path.utf8.count <= StorePath.maximumAbsoluteByteCount + 64 }, "paths are bounded")
    }

    private static func checkEncoding(_ packet: Packet) {
        var assembler = PacketAssembler()
        assembler.append(packet.encoded)
        let again = try? assembler.next()
        precondition(again == packet && assembler.pendingByteCount == 0, "what is encoded is read as it was")
    }

    static var seeds: [[UInt8]] {
        let lines: [(client: UInt8, type: MessageType, transaction: UInt8, payload: String)] = [
            (0, .write, 0, "a/b|hello"), (0, .read, 0, "a/b|"), (0, .directory, 0, "a|"), (0, .watch, 0, "a|token|"),
            (3, .watch, 0, "@releaseDomain|t|1|"), (0, .transactionStart, 0, "|"), (0, .write, 2, "a/c|x"), (0, .remove, 2, "a/b|"),
            (3, .write, 0, "/local/domain/1/a|y"), (0, .transactionEnd, 2, "T|"), (3, .setPermissions, 0, "/local/domain/1/a|n1|r2|w0|"),
            (2, .read, 0, "/local/domain/1/a|"), (0, .getPermissions, 0, "a|"), (0, .directoryPart, 0, "a|0|"),
            (0, .unwatch, 0, "a|token|"),
            (3, .introduce, 0, "1|100|1|"), (3, .setTarget, 0, "2|1|"), (3, .setQuota, 0, "1|nodes|3|"), (3, .getQuota, 0, "1|nodes|"),
            (3, .control, 0, "quota|1|"), (3, .setFeature, 0, "5|1|"), (0, .getFeature, 0, "|"), (0, .getDomainPath, 0, "3|"),
            (3, .release, 0, "1|"), (3, .resume, 0, "1|"), (0, .resetWatches, 0, "|"), (0, .isDomainIntroduced, 0, "1|"),
            (0, .makeDirectory, 0, "d/e/f|"),
        ]
        let records = lines.map { line -> [UInt8] in
            let payload = line.payload.utf8.map { $0 == UInt8(ascii: "|") ? 0 : $0 }
            return [line.client, UInt8(line.type.rawValue), line.transaction, UInt8(payload.count)] + payload + [0]
        }
        return [Array(records.joined())] + records
    }
}

/// A guest that writes anything into its xenstore page. A record: what to do, and its arguments.
enum XenStoreRingFuzz {
    static func run(_ input: [UInt8]) {
        guard let memory = try? GuestMemory(poolPageCount: 2), (try? memory.populate(GuestFrameNumber(1))) != nil,
            let page = try? SharedPage(memory, GuestFrameNumber(1))
        else { preconditionFailure("two pages are to be had") }
        var reader = FuzzReader(input)
        var store = XenStoreRequestsFuzz.makeStore()
        var session = RingSession(page: page, connection: store.connect(domain: 1))
        let (requests, replies) = (ByteRing(page, .storeRequests), ByteRing(page, .storeReplies))
        let words = [
            XenStoreRing.requestConsumer, XenStoreRing.requestProducer, XenStoreRing.replyConsumer, XenStoreRing.replyProducer,
            XenStoreRing.features, XenStoreRing.connection, XenStoreRing.error,
        ]
        while !reader.isAtEnd {
            switch reader.byte() % 8 {
            case 0: page.setWord(at: reader.pick(words), to: reader.word())
            case 1: page.setWord(at: XenStoreRing.connection, to: XenStoreRing.Connection.reconnects)
            case 2:
                var taken: [UInt8] = []
                _ = try? replies.read(into: &taken, limit: Int(reader.byte()))
            case 3: _ = try? store.setText("x", at: "/local/domain/1/own")
            default: _ = try? requests.write(reader.bytes(Int(reader.byte()))[...])
            }
            while session.service(&store).hasMore {}
        }
        XenStoreRequestsFuzz.check(&store)
    }

    static var seeds: [[UInt8]] {
        let packets = [
            Packet(.write, requestID: 1, payload: Array("own\0v".utf8)), Packet(.watch, requestID: 2, payload: Array("own\0t\0".utf8)),
            Packet(.read, requestID: 3, payload: Array("own\0".utf8)), Packet(.transactionStart, requestID: 4, payload: [0]),
            Packet(type: 9999, requestID: 5, payload: [0]),
        ]
        let written = packets.map { packet -> [UInt8] in
            let bytes = packet.encoded
            return [4, UInt8(bytes.count)] + bytes
        }
        return [
            Array((written + [[3], [2, 200]]).joined()), [0, 1, 0x88, 0x13, 0, 0, 1],
            written[0] + [0, 2, 0xff, 0xff, 0xff, 0xff, 1] + written[1],
            [4, 16, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x10, 0, 0, 1],
        ]
    }
}
