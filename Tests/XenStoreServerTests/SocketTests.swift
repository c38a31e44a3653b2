import HostIO
import PVRing
import TestSupport
import Testing
import XenStore
import XenStoreServer

@Suite("The store's socket") struct SocketTests {
    let directory = TemporaryDirectory()
    var path: String { directory.path + "/x.sock" }

    private func withServer(_ body: (XenStoreServer) throws -> Void) throws { try ServedStore.run(at: path, body) }

    @Test("a client that talks nonsense is cut off, the others go on") func malformed() throws {
        try withServer { server in
            let bad = try UnixListener.connect(path: path)
            let good = try UnixListener.connect(path: path)
            _ = bad.send([UInt8](repeating: 0xff, count: 64)[...])
            #expect(
                eventually {
                    var bytes: [UInt8] = []
                    return bad.read(into: &bytes, limit: 16) == .ended(0) || bad.read(into: &bytes, limit: 16) == .ended(104)
                })
            _ = good.send(Packet(.read, requestID: 5, payload: Array("/local/domain/1/name\0".utf8)).encoded[...])
            var bytes: [UInt8] = []
            #expect(
                eventually {
                    _ = good.read(into: &bytes, limit: 100)
                    return bytes.count == 21
                })
            #expect(bytes.suffix(5) == Array("guest".utf8))
        }
    }

    @Test("a client that never reads is not read for ever, and harms nobody") func slow() throws {
        try withServer { server in
            let slow = try UnixListener.connect(path: path)
            let request = Packet(.directory, payload: Array("/local/domain/1/control\0".utf8)).encoded
            var flood: [UInt8] = []
            for _ in 0..<1000 { flood += request }
            var sent = 0
            var idle = 0
            while idle < 200, sent < 100 << 20 {
                if case .bytes(let count) = slow.send(flood[...]) {
                    sent += count
                    idle = 0
                } else {
                    idle += 1
                    breathe()
                }
            }
            #expect(sent < 8 << 20)
            #expect(server.perform { store in store.text(at: "/local/domain/1/name") } == "guest")
        }
    }

    @Test("a client that watches and never reads is dropped when its events overflow") func slowWatcher() throws {
        try withServer { server in
            let slow = try UnixListener.connect(path: path)
            _ = slow.send(Packet(.watch, payload: Array("/w\0t\0".utf8)).encoded[...])
            var bytes: [UInt8] = []
            #expect(
                eventually {
                    _ = slow.read(into: &bytes, limit: 100)
                    return bytes.count >= 19 + 21
                })
            let long = "/w/" + String(repeating: "x", count: 2000)
            for _ in 0..<12_000 { try server.perform { store throws(StoreError) in try store.setText("", at: long) } }
            var end = Transfer.wouldBlock
            #expect(
                eventually {
                    bytes.removeAll()
                    end = slow.read(into: &bytes, limit: 1 << 16)
                    return if case .ended = end { true } else { false }
                })
        }
    }

    @Test("two servers do not share a socket, and a dead one's is replaced") func addresses() throws {
        try withServer { _ in
            #expect(throws: HostError.self) {
                try XenStoreServer(store: Store(), domain: 1, ring: nil, socketPath: path, notifyGuest: EventSender {})
            }
        }
        _ = shell("python3 -c 'import socket; s=socket.socket(socket.AF_UNIX); s.bind(\"\(path)\")'")
        try withServer { server in #expect(server.perform { store in store.text(at: "/tool/xenstored") } == "martlet") }
        let long = directory.path + "/" + String(repeating: "x", count: 120)
        #expect(throws: HostError.self) {
            try XenStoreServer(store: Store(), domain: 1, ring: nil, socketPath: long, notifyGuest: EventSender {})
        }
    }
}
