import GuestMemory
import PVRing
import Synchronization
import TestSupport
import XenStore
import XenStoreServer

/// The guest's side of a xenstore ring.
struct Frontend {
    static let frame = GuestFrameNumber(1)
    let page: SharedPage
    private let requests: ByteRing
    private let replies: ByteRing
    private var assembler = PacketAssembler()

    init(_ memory: GuestMemory) throws {
        page = try SharedPage(memory, Self.frame)
        requests = ByteRing(page, .storeRequests)
        replies = ByteRing(page, .storeReplies)
    }

    /// Sends all bytes, waiting for room, and takes packets meanwhile.
    mutating func send(_ bytes: [UInt8], to server: XenStoreServer, chunk: Int = 1024) throws -> [Packet] {
        var rest = bytes[...]
        var packets: [Packet] = []
        while !rest.isEmpty {
            let count = try requests.write(rest.prefix(chunk))
            rest = rest.dropFirst(count)
            server.guestNotified()
            if count == 0 {
                breathe()
                packets += try receive(server)
            }
        }
        return packets
    }

    mutating func receive(_ server: XenStoreServer) throws -> [Packet] {
        var bytes: [UInt8] = []
        if try replies.read(into: &bytes) > 0 { server.guestNotified() }
        assembler.append(bytes)
        var packets: [Packet] = []
        while let packet = try assembler.next() { packets.append(packet) }
        return packets
    }

    /// Waits for `count` packets; gives up after many seconds with what there is.
    mutating func receive(_ count: Int, _ server: XenStoreServer) throws -> [Packet] {
        var packets: [Packet] = []
        for _ in 0..<20_000 where packets.count < count {
            packets += try receive(server)
            if packets.count < count { breathe() }
        }
        return packets
    }
}
