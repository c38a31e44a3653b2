import ControlProtocol
import Glibc
import HostIO
import Machine
import TestSupport
import Testing
import VirtualCPU

@Suite("Clients of the control socket") struct ControlClientsTests {
    private func connect(_ guest: TestGuest) throws -> Descriptor {
        Descriptor(try UnixSocket.connect(directory: guest.directory, name: UnixSocket.controlName).release())
    }

    private func line(_ socket: Descriptor) -> String? {
        var bytes: [UInt8] = []
        while bytes.last != UInt8(ascii: "\n") {
            guard case .bytes = socket.read(into: &bytes, limit: 1) else { return nil }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func end(_ running: RunningGuest) throws {
        #expect(try running.ask(.destroy) == .ok)
        #expect(running.join() == .destroyed)
    }

    @Test("Each example of the document is understood by a guest")
    func examples() throws {
        let guest = try TestGuest()
        let running = try guest.start { _ in .halted }
        let text = String(decoding: TestFiles.bytes(TestFiles.inRepository("docs/control-protocol.md")) ?? [], as: UTF8.self)
        let requests = text.split(separator: "\n").filter { $0.hasPrefix("{") && $0.contains("\"request\"") }
        #expect(requests.count >= 23)
        let socket = try connect(guest)
        for request in requests where !request.contains("\"wait\"") && !request.contains("\"destroy\"") {
            let bytes = Array((request.replacing("/tmp/web.core", with: "\(guest.scratch.path)/core") + "\n").utf8)
            #expect(socket.send(bytes[...]) == .bytes(bytes.count))
            let reply = try #require(line(socket))
            #expect(!reply.contains("no control request"), "\(request)")
            #expect(!reply.contains("does not answer"), "\(request)")
        }
        try end(running)
    }

    @Test("A client whose line never ends is dropped; others are served")
    func endlessLine() throws {
        let guest = try TestGuest()
        let running = try guest.start { _ in .halted }
        let socket = try connect(guest)
        let piece = [UInt8](repeating: 0x78, count: 4096)
        for _ in 0..<100 { if case .ended = socket.send(piece[...]) { break } }
        #expect(line(socket) == nil)
        #expect(try running.ask(.hello) == .hello(domainID: 7, name: "tiny"))
        try end(running)
    }

    @Test("A client that asks and never reads is dropped; others are served meanwhile")
    func deafClient() throws {
        let guest = try TestGuest()
        let running = try guest.start { _ in .halted }
        let socket = try connect(guest)
        _ = fcntl(socket.rawValue, F_SETFL, O_NONBLOCK)
        let request = Array(String(repeating: "{\"version\":1,\"request\":\"description\"}\n", count: 50).utf8)
        var isDropped = false
        for _ in 0..<2000 where !isDropped {
            if case .ended = socket.send(request[...]) { isDropped = true }
            usleep(500)
        }
        #expect(isDropped)
        #expect(try running.ask(.hello) == .hello(domainID: 7, name: "tiny"))
        try end(running)
    }

    @Test("Clients beyond the limit are turned away until others leave")
    func manyClients() throws {
        let guest = try TestGuest()
        let running = try guest.start { _ in .halted }
        var clients = try (0..<64).map { _ in try connect(guest) }
        let request = Array("{\"version\":1,\"request\":\"hello\"}\n".utf8)
        for client in clients {
            #expect(client.send(request[...]) == .bytes(request.count))
            #expect(line(client)?.contains("tiny") == true)
        }
        let late = try connect(guest)
        #expect(line(late) == nil)
        clients.removeLast(32)
        #expect(eventually { (try? running.ask(.hello)) == .hello(domainID: 7, name: "tiny") })
        clients = []
        try end(running)
    }

    @Test("A client that leaves while its core is written costs nothing")
    func leaving() throws {
        let guest = try TestGuest()
        let running = try guest.start { $0.compute() }
        #expect(try running.ask(.unpause) == .ok)
        for _ in 0..<20 {
            var client = try ControlClient(directory: guest.directory)
            try client.send(.dumpCore(path: "\(guest.scratch.path)/core"))
        }
        #expect(try eventually { try running.status.state.letters == "r-----" })
        try end(running)
    }
}
