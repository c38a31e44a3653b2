import Glibc
import HostIO
import Testing
import XenStore

@testable import XenStoreServer

@Suite("What a session keeps for its client") struct BufferTests {
    @Test("A client that always leaves something unread costs no more memory for it") func laggard() throws {
        var ends: [Int32] = [-1, -1]
        let code = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends)
        try #require(code == 0)
        let client = Descriptor(ends[0])
        var store = Store()
        try store.setText(String(repeating: "x", count: 4000), at: "/a")
        var session = SocketSession(Descriptor(ends[1]), store.connect(domain: 0))
        let request = Packet(.read, payload: Array("/a\0".utf8)).encoded
        var (received, readCount) = ([UInt8](), 0)
        // Enough requests at all times that the socket is full after each round.
        for _ in 0..<4000 {
            for _ in 0..<4 { _ = client.send(request[...]) }
            _ = session.service(&store, isReadable: true)
            received.removeAll(keepingCapacity: true)
            if session.heldByteCount > 0, case .bytes(let count) = client.read(into: &received, limit: 16 << 10) { readCount += count }
        }
        #expect(readCount > 8 << 20)
        #expect(session.heldByteCount < 256 << 10)
    }
}
