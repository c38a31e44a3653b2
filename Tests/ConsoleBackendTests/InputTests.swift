import ConsoleBackend
import Glibc
import HostIO
import PVRing
import TestSupport
import Testing

@Suite("Console input") struct InputTests {
    /// The guest reads until `count` bytes have come.
    private func take(_ console: Console, _ count: Int, limit: (Int) -> Int = { _ in .max }) throws -> [UInt8] {
        var bytes: [UInt8] = []
        _ = try eventually {
            while try console.input.read(into: &bytes, limit: limit(bytes.count)) > 0 { console.backend.guestNotified() }
            return bytes.count >= count
        }
        return bytes
    }

    @Test("every typed byte reaches the guest in order, however slowly it reads", arguments: 0..<5 as Range<UInt64>)
    func exact(seed: UInt64) throws {
        let console = try Console()
        defer { console.backend.stop() }
        var random = SeededRandom(seed: seed)
        let bytes = random.bytes(200_000)
        let client = try console.attach()
        let typist = try HostThread {
            var rest = bytes[...]
            while !rest.isEmpty {
                if case .bytes(let count) = client.send(rest.prefix(5000)) { rest = rest.dropFirst(count) } else { breathe() }
            }
        }
        let received = try take(console, bytes.count) { 1 + $0 % 700 }
        typist.join()
        #expect(received == bytes)
    }

    @Test("what a client typed before it hung up still arrives") func hangUp() throws {
        let console = try Console()
        defer { console.backend.stop() }
        var random = SeededRandom(seed: 9)
        let bytes = random.bytes(20_000)
        do {
            let client = try console.attach()
            var rest = bytes[...]
            while !rest.isEmpty {
                if case .bytes(let count) = client.send(rest) { rest = rest.dropFirst(count) } else { breathe() }
            }
        }
        #expect(try take(console, bytes.count) == bytes)
        #expect(eventually { console.backend.status.clientCount == 0 })
    }

    @Test("a client whose typing has ended still sees the output to the end") func endOfInput() throws {
        let console = try Console()
        let client = try console.attach()
        _ = client.send(Array("poweroff\n".utf8)[...])
        shutdown(client.rawValue, Int32(SHUT_WR))
        #expect(try take(console, 9) == Array("poweroff\n".utf8))
        try console.print(Array("going down\r\n".utf8))
        console.backend.stop()
        #expect(client.readAll() == Array("going down\r\n".utf8))
    }

    @Test("a client that refuses output leaves when it has typed its last") func refusesOutput() throws {
        let console = try Console()
        defer { console.backend.stop() }
        let client = try console.attach()
        _ = client.send([1, 2][...])
        shutdown(client.rawValue, Int32(SHUT_RD))
        #expect(try take(console, 2) == [1, 2])
        try console.print([3])
        #expect(eventually { console.backend.status.clientCount == 0 })
    }

    @Test("both directions run at once") func both() throws {
        let console = try Console()
        let client = try console.attach()
        for round in 0..<200 as Range<UInt8> {
            _ = client.send([round, round])
            #expect(try take(console, 2) == [round, round])
            try console.print([round])
            #expect(client.read(1) == [round])
        }
        console.backend.stop()
        #expect(console.backend.status.inputByteCount == 400)
    }

    /// Tries again while others stand in the queue.
    private func connect(_ console: Console) throws -> Descriptor? {
        var client: Descriptor?
        _ = try eventually {
            do throws(HostError) { client = try UnixListener.connect(path: console.socket) } catch  where error.code == EAGAIN {}
            return client != nil
        }
        return client
    }

    @Test("clients that typed at a guest that reads nothing, and left, do not keep others out") func abandoned() throws {
        let console = try Console()
        defer { console.backend.stop() }
        // Until neither ring nor backend takes a byte more.
        let typist = try console.attach()
        var idle = 0
        while idle < 200 {
            if case .bytes = typist.send([UInt8](repeating: 65, count: 4096)[...]) { idle = 0 } else { idle += 1 }
            breathe()
        }
        for _ in 0..<100 { _ = try connect(console)?.send([66]) }
        let last = try #require(try connect(console))
        try console.print(Array("still here".utf8))
        #expect(last.read(10).elementsEqual("still here".utf8))
    }
}
