import ControlProtocol
import Glibc
import Testing

@Suite("Control sockets") struct SocketTests {
    @Test("client and connection talk through a socket, whatever the length of its path", arguments: [0, 150])
    func conversation(padding: Int) throws {
        let directory = try makeDirectory(padding: padding)
        defer { removeDirectory(directory) }
        let listener = try UnixSocket.listen(directory: directory, name: UnixSocket.controlName)
        var client = try ControlClient(directory: directory)
        var connection = ControlConnection(FileDescriptor(owning: accept(listener.number, nil, nil)))

        #expect(connection.receive() == [])
        try client.send(.pause)
        try client.send(.shutdown(.reboot))
        #expect(connection.receive() == [.request(.pause), .request(.shutdown(.reboot))])
        #expect(connection.send(.ok))
        #expect(connection.send(.error(OperatorError("no"))))
        #expect(try client.receive() == .ok)
        #expect(try client.receive() == .error(OperatorError("no")))
        #expect(throws: ControlClientError.timeout) { try client.receive(timeoutMilliseconds: 0) }
    }

    @Test("a line that is no request is reported and the connection goes on")
    func malformed() throws {
        var (peer, connection) = try makePair()
        write(peer, "hello\n{\"version\":1,\"request\":\"status\"}\n")
        let inputs = try #require(connection.receive())
        #expect(inputs.count == 2)
        guard case .malformed = inputs.first else { throw SystemError("expected", "malformed", errno: 0) }
        #expect(inputs.last == .request(.status))
        _ = consume peer
    }

    @Test("a peer that never ends its line is dropped")
    func endlessLine() throws {
        var (peer, connection) = try makePair()
        var rounds = 0
        while rounds < 1000 {
            write(peer, String(repeating: "x", count: 4096))
            guard connection.receive() != nil else { break }
            rounds += 1
        }
        #expect(rounds == 16)
        _ = consume peer
    }

    @Test("a peer that does not read is dropped, one that has gone too")
    func slowPeer() throws {
        var (peer, connection) = try makePair()
        let long = ControlReply.error(OperatorError(String(repeating: "x", count: 60_000)))
        var sent = 0
        while sent < 1000, connection.send(long) { sent += 1 }
        #expect((1..<1000).contains(sent))
        _ = consume peer
        #expect(connection.receive() == nil)
    }

    @Test("a client learns that its guest process is gone")
    func gone() throws {
        let directory = try makeDirectory(padding: 0)
        defer { removeDirectory(directory) }
        #expect(throws: SystemError.self) { _ = try ControlClient(directory: directory) }
        var client: ControlClient
        do {
            let listener = try UnixSocket.listen(directory: directory, name: UnixSocket.controlName)
            client = try ControlClient(directory: directory)
            close(accept(listener.number, nil, nil))
        }
        #expect(throws: ControlClientError.closed) { try client.ask(.status) }
        let refused = #expect(throws: SystemError.self) { _ = try ControlClient(directory: directory) }
        #expect(refused?.errno == ECONNREFUSED)
    }

    private func makePair() throws -> (FileDescriptor, ControlConnection) {
        var pair: [Int32] = [0, 0]
        let result = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair)
        try #require(result == 0)
        return (FileDescriptor(owning: pair[0]), ControlConnection(FileDescriptor(owning: pair[1])))
    }

    private func write(_ descriptor: borrowing FileDescriptor, _ text: String) {
        let bytes = Array(text.utf8)
        let count = unsafe Glibc.write(descriptor.number, bytes, bytes.count)
        #expect(count == bytes.count)
    }

    private func makeDirectory(padding: Int) throws -> String {
        var template = Array("/tmp/martlet-test-XXXXXX".utf8CString)
        try #require(unsafe mkdtemp(&template) != nil)
        var path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if padding > 0 {
            path += "/" + String(repeating: "p", count: padding)
            try #require(unsafe mkdir(path, 0o700) == 0)
        }
        return path
    }

    private func removeDirectory(_ path: String) {
        unsafe unlink("\(path)/\(UnixSocket.controlName)")
        unsafe rmdir(path)
        if let slash = path.lastIndex(of: "/"), path[..<slash] != "/tmp" { unsafe rmdir(String(path[..<slash])) }
    }
}
