import Glibc
import HostIO
import PVRing
import TestSupport
import Testing
import XenStore
import XenStoreServer

/// A server with the store of one guest behind a socket.
enum ServedStore {
    static func run(at path: String, _ body: (XenStoreServer) throws -> Void) throws {
        var store = Store.forHost(server: "martlet")
        try DomainTree(
            domain: 1, uuid: "22fc9f50-42cc-414c-9063-b24e8f359fce", name: "guest", maximumMemory: 262144, targetMemory: 262144,
            maximumVCPUs: 2, onlineVCPUs: 1, storePort: 1, storeFrame: 1044476, consolePort: 2, consoleFrame: 1044479,
            consoleTerminal: "/dev/pts/0", startTime: "1.00"
        ).create(in: &store)
        let server = try XenStoreServer(store: store, domain: 1, ring: nil, socketPath: path, notifyGuest: EventSender {})
        try server.start()
        defer { server.stop() }
        try body(server)
    }
}

/// A client of the socket.
struct SocketClient {
    let descriptor: Descriptor
    private var assembler = PacketAssembler()

    /// Connects, trying again while others stand in the queue.
    init(_ path: String) throws {
        var connected: Descriptor?
        _ = try eventually {
            do throws(HostError) { connected = try UnixListener.connect(path: path) } catch  where error.code == EAGAIN {}
            return connected != nil
        }
        descriptor = try #require(connected)
    }

    static func payload(_ text: String) -> [UInt8] { text.utf8.map { $0 == UInt8(ascii: "|") ? 0 : $0 } }

    /// Sends all bytes; false when the server hung up or takes nothing for many seconds.
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        return eventually {
            while case .bytes(let count) = descriptor.send(rest), count > 0 { rest = rest.dropFirst(count) }
            return rest.isEmpty
        }
    }

    /// The next packet; nil when the server hung up or nothing comes for many seconds.
    mutating func receive() throws -> Packet? {
        var packet: Packet?
        var isOver = false
        _ = try eventually {
            packet = try assembler.next()
            guard packet == nil else { return true }
            var bytes: [UInt8] = []
            if case .ended = descriptor.read(into: &bytes, limit: 1 << 16) { isOver = true }
            assembler.append(bytes)
            return isOver
        }
        return packet
    }

    /// The reply's payload as text, `|` for zero bytes.
    mutating func ask(_ type: MessageType, _ payload: String) throws -> String? {
        guard send(Packet(type, payload: Self.payload(payload)).encoded) else { return nil }
        return try receive().map { String(decoding: $0.payload.map { $0 == 0 ? UInt8(ascii: "|") : $0 }, as: UTF8.self) }
    }
}
