import GuestMemory
import HostIO
import PVRing
import TestSupport
import Testing
import XenStore
import XenStoreServer

/// Clients that want too much. The others go on.
@Suite("Clients that behave badly") struct RobustnessTests {
    let directory = TemporaryDirectory()
    var path: String { directory.path + "/x.sock" }

    /// What a well-behaved client sees while others misbehave.
    private func expectService(of client: inout SocketClient, times: Int = 50) throws {
        for number in 0..<times {
            #expect(try client.ask(.write, "/good/\(number)|v") == "OK|")
            #expect(try client.ask(.read, "/good/\(number)|") == "v")
        }
    }

    @Test("with every place taken the clients that are there go on, and a place that is left is given away") func crowd() throws {
        try ServedStore.run(at: path) { _ in
            var clients = try (0..<XenStoreServer.maximumClientCount).map { _ in try SocketClient(path) }
            for index in clients.indices { #expect(try clients[index].ask(.getDomainPath, "1|") == "/local/domain/1|") }
            var late = try SocketClient(path)
            _ = late.descriptor.send(Packet(.getDomainPath, payload: SocketClient.payload("1|")).encoded[...])
            #expect(try late.receive() == nil)
            try expectService(of: &clients[0])
            clients.removeLast()
            #expect(
                try eventually {
                    var next = try SocketClient(path)
                    _ = next.descriptor.send(Packet(.getDomainPath, payload: SocketClient.payload("1|")).encoded[...])
                    return try next.receive() != nil
                })
        }
    }

    @Test("clients that send without end and read do not starve the others") func flood() throws {
        try ServedStore.run(at: path) { _ in
            let one = Packet(.write, payload: SocketClient.payload("/flood|x")).encoded
            let many = Array([[UInt8]](repeating: one, count: 200).joined())
            let flooders = try (0..<4).map { _ in try SocketClient(path) }
            var good = try SocketClient(path)
            for number in 0..<100 {
                for flooder in flooders {
                    _ = flooder.descriptor.send(many[...])
                    var bytes: [UInt8] = []
                    _ = flooder.descriptor.read(into: &bytes, limit: 1 << 16)
                }
                #expect(try good.ask(.write, "/good|\(number)") == "OK|")
            }
            try expectService(of: &good)
        }
    }

    @Test("clients that stop in the middle of a packet cost nothing but their place") func unfinished() throws {
        try ServedStore.run(at: path) { server in
            let header: [UInt8] = [2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0]
            let slow = try (0..<50).map { count in
                let client = try SocketClient(path)
                #expect(client.send(Array((header + [UInt8](repeating: 0x61, count: 4096)).prefix(1 + count * 80))))
                return client
            }
            var good = try SocketClient(path)
            try expectService(of: &good)
            #expect(slow.count == 50)
        }
    }

    @Test("clients that watch everything, write all the time and never read are cut off; the others go on") func deafWatchers() throws {
        try ServedStore.run(at: path) { _ in
            var deaf: [SocketClient] = []
            for _ in 0..<4 {
                let client = try SocketClient(path)
                for token in 0..<50 { #expect(client.send(Packet(.watch, payload: SocketClient.payload("/|\(token)|")).encoded)) }
                deaf.append(client)
            }
            var good = try SocketClient(path)
            // 50,000 events for each of them: far more than may wait, and than the host's sockets hold.
            try expectService(of: &good, times: 1000)
            for client in deaf {
                var bytes: [UInt8] = []
                #expect(
                    eventually {
                        bytes.removeAll()
                        return if case .ended = client.descriptor.read(into: &bytes, limit: 1 << 16) { true } else { false }
                    })
            }
            try expectService(of: &good)
        }
    }

    @Test("the guest is served while clients flood the socket, and clients while the guest floods its ring") func guestAndClients() throws {
        let memory = try GuestMemory(poolPageCount: 4)
        try memory.populate(Frontend.frame)
        var store = Store()
        try store.setText("", at: "/local/domain/1")
        try store.setPermissions(Permissions(owner: 1), of: StorePath("/local/domain/1"), by: store.local)
        let server = try XenStoreServer(
            store: store, domain: 1, ring: SharedPage(memory, Frontend.frame), socketPath: path, notifyGuest: EventSender {})
        try server.start()
        defer { server.stop() }
        var guest = try Frontend(memory)
        let flooder = try SocketClient(path)
        var good = try SocketClient(path)
        let one = Packet(.write, payload: SocketClient.payload("/flood|x")).encoded
        let many = Array([[UInt8]](repeating: one, count: 200).joined())
        var received = 0
        for number in 0..<50 as Range<UInt32> {
            _ = flooder.descriptor.send(many[...])
            var ring: [UInt8] = []
            for _ in 0..<20 { Packet(.write, requestID: number, payload: SocketClient.payload("own|x")).encode(into: &ring) }
            received += try guest.send(ring, to: server).count
            #expect(try good.ask(.write, "/good|\(number)") == "OK|")
        }
        received += try guest.receive(1000 - received, server).count
        #expect(received == 1000)
    }

    @Test("a hundred thousand nodes come through the socket and are found") func manyNodes() throws {
        try ServedStore.run(at: path) { server in
            var client = try SocketClient(path)
            for part in 0..<1000 {
                var requests: [UInt8] = []
                for number in 0..<100 {
                    Packet(.write, payload: SocketClient.payload("/many/\(part)/\(number)|v")).encode(into: &requests)
                }
                #expect(client.send(requests))
                for _ in 0..<100 { #expect(try client.receive()?.type == MessageType.write.rawValue) }
            }
            #expect(try client.ask(.read, "/many/999/99|") == "v")
            #expect(server.perform { store in store.nodeCount(ownedBy: 0) } > 100_000)
            #expect(try client.ask(.remove, "/many|") == "OK|")
            try expectService(of: &client)
        }
    }
}
