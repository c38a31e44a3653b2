import GuestMemory
import HostIO
import PVRing
import TestSupport
import Testing
import XenStore
import XenStoreServer

@Suite("The guest's ring") struct RingTests {
    let memory: GuestMemory
    let server: XenStoreServer

    init() throws {
        memory = try GuestMemory(poolPageCount: 4)
        try memory.populate(Frontend.frame)
        var store = Store()
        try store.setText("", at: "/local/domain/1")
        try store.setPermissions(Permissions(owner: 1), of: StorePath("/local/domain/1"), by: store.local)
        server = try XenStoreServer(
            store: store, domain: 1, ring: SharedPage(memory, Frontend.frame), socketPath: nil, notifyGuest: EventSender {})
        try server.start()
    }

    private func payload(_ text: String) -> [UInt8] { text.utf8.map { $0 == UInt8(ascii: "|") ? 0 : $0 } }

    @Test("requests in any pieces are answered in order, and the features shown", arguments: [1, 7, 16, 1024])
    func pieces(chunk: Int) throws {
        defer { server.stop() }
        var guest = try Frontend(memory)
        #expect(guest.page.word(at: 2064) == 3)
        var packets: [Packet] = []
        for number in 0..<50 as Range<UInt32> {
            packets += try guest.send(
                Packet(.write, requestID: number, payload: payload("n\(number)|v\(number)")).encoded, to: server, chunk: chunk)
            packets += try guest.send(
                Packet(.read, requestID: 100 + number, payload: payload("n\(number)|")).encoded, to: server, chunk: chunk)
        }
        packets += try guest.receive(100 - packets.count, server)
        #expect(packets.map(\.requestID) == (0..<50).flatMap { [$0, 100 + $0] })
        #expect(packets.filter { $0.type == 2 }.map(\.payload) == (0..<50).map { payload("v\($0)") })
    }

    @Test("packets larger than the ring pass in both directions") func large() throws {
        defer { server.stop() }
        var guest = try Frontend(memory)
        let value = (0..<2048).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var packets = try guest.send(Packet(.write, requestID: 1, payload: payload("big|") + value).encoded, to: server)
        packets += try guest.send(Packet(.read, requestID: 2, payload: payload("big|")).encoded, to: server)
        packets += try guest.receive(2 - packets.count, server)
        #expect(packets.last?.payload == value)
    }

    @Test("a guest that does not read its replies is not read either, and loses none") func backPressure() throws {
        defer { server.stop() }
        var guest = try Frontend(memory)
        let requests = ByteRing(guest.page, .storeRequests)
        var stream: [UInt8] = []
        for number in 0..<200 as Range<UInt32> { Packet(.getDomainPath, requestID: number, payload: payload("1|")).encode(into: &stream) }
        var rest = stream[...]
        // Until nothing moves any more although nobody reads.
        var idle = 0
        while idle < 100 {
            let count = try requests.write(rest)
            rest = rest.dropFirst(count)
            server.guestNotified()
            idle = count == 0 ? idle + 1 : 0
            breathe()
        }
        #expect(!rest.isEmpty)
        var packets = try guest.send(Array(rest), to: server)
        packets += try guest.receive(200 - packets.count, server)
        #expect(packets.map(\.requestID) == Array(0..<200))
    }

    @Test("broken indices and packets set the error field and stop the ring until the guest reconnects", arguments: [true, false])
    func errors(breaksIndices: Bool) throws {
        defer { server.stop() }
        var guest = try Frontend(memory)
        if breaksIndices {
            guest.page.setWord(at: 2052, to: 5000)
            server.guestNotified()
        } else {
            _ = try guest.send(Packet(type: 2).encoded.dropLast(4) + [1, 0x10, 0, 0], to: server)
        }
        #expect(eventually { guest.page.word(at: 2072) == (breaksIndices ? 2 : 3) })
        #expect(server.perform { store in store.text(at: "/local/domain/1") } == "")
        guest.page.setWord(at: 2068, to: 1)
        server.guestNotified()
        #expect(eventually { guest.page.word(at: 2068) == 0 })
        #expect(guest.page.word(at: 2072) == 0)
        var again = try Frontend(memory)
        _ = try again.send(Packet(.getDomainPath, requestID: 9, payload: payload("1|")).encoded, to: server)
        #expect(try again.receive(1, server).map(\.payload) == [payload("/local/domain/1|")])
    }

    @Test("a reconnection drops watches and transactions") func reconnection() throws {
        defer { server.stop() }
        var guest = try Frontend(memory)
        _ = try guest.send(Packet(.watch, requestID: 1, payload: payload("a|t|")).encoded, to: server)
        #expect(try guest.receive(2, server).count == 2)
        guest.page.setWord(at: 2068, to: 1)
        server.guestNotified()
        #expect(eventually { guest.page.word(at: 2068) == 0 })
        try server.perform { store throws(StoreError) in try store.setText("x", at: "/local/domain/1/a") }
        var again = try Frontend(memory)
        _ = try again.send(Packet(.read, requestID: 2, payload: payload("a|")).encoded, to: server)
        #expect(try again.receive(1, server).map(\.payload) == [payload("x")])
    }

    @Test("our own watches hear of the guest's writes, and the guest of ours") func both() throws {
        defer { server.stop() }
        var guest = try Frontend(memory)
        let heard = Heard()
        let number = try server.watch("/local/domain/1/up") { heard.add($0) }
        #expect(eventually { heard.paths == ["/local/domain/1/up"] })
        _ = try guest.send(Packet(.write, requestID: 1, payload: payload("up/x|1")).encoded, to: server)
        #expect(eventually { heard.paths.count == 2 })
        #expect(heard.paths.last == "/local/domain/1/up/x")
        server.unwatch(number)
        _ = try guest.send(Packet(.watch, requestID: 2, payload: payload("down|t|")).encoded, to: server)
        var packets = try guest.receive(3, server)
        try server.perform { store throws(StoreError) in try store.setText("1", at: "/local/domain/1/down") }
        packets += try guest.receive(1, server)
        #expect(packets.map(\.type) == [11, 4, 15, 15])
        #expect(packets.last?.payload == payload("down|t|"))
        #expect(heard.paths.count == 2)
    }

    @Test("random bytes and indices in the ring harm nobody", arguments: 0..<20 as Range<UInt64>)
    func fuzz(seed: UInt64) throws {
        defer { server.stop() }
        let page = try SharedPage(memory, Frontend.frame)
        let requests = ByteRing(page, .storeRequests)
        var generator = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let bytes = (0..<Int.random(in: 0...300, using: &generator)).map { _ in UInt8.random(in: 0...30, using: &generator) }
            do { _ = try requests.write(bytes[...]) } catch { requests.reset() }
            if Int.random(in: 0..<20, using: &generator) == 0 {
                page.setWord(
                    at: [2048, 2052, 2056, 2060, 2068].randomElement(using: &generator)!, to: .random(in: 0...5000, using: &generator))
            }
            server.guestNotified()
        }
        #expect(server.perform { store in store.text(at: "/local") } == "")
    }

    @Test("a watcher of our own whose event found no room looks all the same") func lostEvents() throws {
        let server = try XenStoreServer(store: Store(), domain: 1, ring: nil, socketPath: nil, notifyGuest: EventSender {})
        try server.start()
        defer { server.stop() }
        let (busy, quiet) = (Heard(), Heard())
        _ = try server.watch("/busy") { busy.add($0) }
        _ = try server.watch("/quiet") { quiet.add($0) }
        #expect(eventually { quiet.paths.count == 1 && busy.paths.count == 1 })
        try server.perform { store throws(StoreError) in
            for _ in 0..<10_000 { try store.setText("", at: "/busy") }
            try store.setText("", at: "/quiet/node")
        }
        #expect(eventually { quiet.paths.count == 2 })
    }
}
