import ConsoleBackend
import HostIO
import PVRing
import Synchronization
import TestSupport
import Testing

@Suite("Console output") struct OutputTests {
    @Test("what is printed before anybody looks goes to the log and to the first who comes") func replay() throws {
        let console = try Console()
        let text = Array("Linux version\r\n".utf8)
        try console.print(text)
        #expect(eventually { TestFiles.bytes(console.log) == text })
        #expect(TestFiles.mode(console.log) == 0o600)
        #expect(TestFiles.mode(console.socket) == 0o600)
        let first = try console.attach()
        #expect(first.read(text.count) == text)
        let second = try console.attach()
        try console.print([1, 2, 3])
        #expect(first.read(3) == [1, 2, 3])
        console.backend.stop()
        #expect(second.readAll() == [1, 2, 3])
        #expect(first.readAll() == [])
        #expect(!TestFiles.exists(console.socket))
        #expect(console.backend.status.skippedByteCount == 0)
    }

    @Test("the log is appended to") func append() throws {
        let console = try Console()
        try console.print([1])
        console.backend.stop()
        let again = try ConsoleBackend(ring: console.page, logPath: console.log, socketPath: nil, notifyGuest: EventSender {})
        try again.start()
        try console.print([2])
        #expect(
            eventually {
                again.guestNotified(); return TestFiles.bytes(console.log) == [1, 2]
            })
        again.stop()
        #expect(TestFiles.bytes(console.log) == [1, 2])
    }

    @Test("every byte reaches every client and the log, however it is cut", arguments: 0..<6 as Range<UInt64>)
    func exact(seed: UInt64) throws {
        let console = try Console(history: 16 << 10)
        var random = SeededRandom(seed: seed)
        let sent = random.bytes(1_000_000)
        let received = Mutex<[[UInt8]]>([])
        let clients = [try console.attach(), try console.attach()]
        let readers = try clients.map { client in
            try HostThread {
                var random = SeededRandom(seed: seed &+ 77)
                var bytes: [UInt8] = []
                reading: while true {
                    switch client.read(into: &bytes, limit: .random(in: 1...20_000, using: &random)) {
                    case .bytes: if Int.random(in: 0..<50, using: &random) == 0 { breathe() }
                    case .wouldBlock: breathe()
                    case .ended: break reading
                    }
                }
                received.withLock { $0.append(bytes) }
            }
        }
        var rest = sent[...]
        while !rest.isEmpty {
            let count = Int.random(in: 1...4000, using: &random)
            try console.print(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        console.backend.stop()
        for reader in readers { reader.join() }
        #expect(received.withLock { $0.map { $0 == sent } } == [true, true])
        #expect(TestFiles.bytes(console.log) == sent)
    }

    @Test("with nobody attached the guest is never held up, and the oldest output is named as missing") func unattended() throws {
        let console = try Console(history: 4096)
        let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 100_000)
        try console.print(bytes)
        #expect(eventually { console.backend.status.outputByteCount == 100_000 })
        let client = try console.attach()
        console.backend.stop()
        let text = String(decoding: client.readAll(), as: UTF8.self)
        #expect(text == "\r\n[martlet: 95904 bytes of console output are only in the log]\r\n" + String(repeating: "x", count: 4096))
        #expect(console.backend.status.skippedByteCount == 95904)
        #expect(TestFiles.bytes(console.log) == bytes)
    }

    @Test("a slow client holds the guest up and loses nothing") func slow() throws {
        let console = try Console(history: 4096, stall: 1_000_000)
        let client = try console.attach()
        var random = SeededRandom(seed: 5)
        let bytes = random.bytes(2 << 20)
        let printed = try console.printUntilBlocked(bytes)
        #expect(printed < bytes.count)
        let reader = try HostThread {
            var received: [UInt8] = []
            while received.count < bytes.count { received += client.read(1) }
            if received != bytes { console.page.setWord(at: 4092, to: 1) }
        }
        try console.print(Array(bytes[printed...]))
        reader.join()
        #expect(console.page.word(at: 4092) == 0)
        console.backend.stop()
    }

    @Test("a client that takes nothing holds the guest up only so long, and then misses bytes but not the end") func stalled() throws {
        let console = try Console(history: 4096, stall: 500)
        let stuck = try console.attach()
        let good = try console.attach()
        let received = Mutex<[UInt8]>([])
        let reader = try HostThread {
            let all = good.readAll()
            received.withLock { $0 = all }
        }
        let bytes = [UInt8](repeating: UInt8(ascii: "y"), count: 2 << 20)
        try console.print(bytes)
        try console.print(Array("end".utf8))
        var late: [UInt8] = []
        #expect(
            eventually {
                _ = stuck.read(into: &late, limit: 1 << 16)
                return late.ends(with: "end")
            })
        #expect(console.backend.status.skippedByteCount > 0)
        console.backend.stop()
        reader.join()
        #expect(received.withLock { $0 } == bytes + Array("end".utf8))
        #expect(late.count < bytes.count)
        #expect(TestFiles.bytes(console.log)?.count == bytes.count + 3)
    }

    @Test("what is printed just before the end reaches a client that has only just connected") func end() throws {
        for _ in 0..<50 {
            let console = try Console()
            let client = try UnixListener.connect(path: console.socket)
            try console.print(Array("reboot: Power down\r\n".utf8))
            console.backend.stop()
            #expect(client.readAll() == Array("reboot: Power down\r\n".utf8))
        }
    }

    @Test("stop does not wait for ever for a client that takes nothing") func stopStalled() throws {
        let console = try Console(history: 4096, stall: 20)
        let stuck = try console.attach()
        try console.print([UInt8](repeating: 1, count: 1 << 20))
        console.backend.stop()
        console.backend.stop()
        #expect(!stuck.readAll().isEmpty)
    }

    @Test("impossible indices stop the ring and nothing else", arguments: [(3080, 3084), (3072, 3076)])
    func broken(consumer: Int, producer: Int) throws {
        let console = try Console()
        let client = try console.attach()
        try console.print([1, 2])
        #expect(client.read(2) == [1, 2])
        console.page.setWord(at: producer, to: 0x8000_0000)
        _ = client.send([1])
        console.backend.guestNotified()
        console.backend.stop()
        #expect(client.readAll() == [])
    }

    @Test("a log that cannot be opened is an error with its path") func badLog() throws {
        let console = try Console()
        defer { console.backend.stop() }
        #expect(throws: HostError("open /nonexistent/x.log", 2)) {
            try ConsoleBackend(ring: console.page, logPath: "/nonexistent/x.log", socketPath: nil, notifyGuest: EventSender {})
        }
    }
}
