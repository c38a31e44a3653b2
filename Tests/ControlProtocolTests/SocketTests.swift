import Glibc
import Testing

@testable import ControlProtocol

@Suite("Control sockets") struct SocketTests {
    @Test("client and connection talk through a socket, whatever the length of its path", arguments: [0, 150])
    func conversation(padding: Int) throws {
        let directory = try makeDirectory(padding: padding)
        defer { removeDirectory(directory) }
        let listener = try UnixSocket.listen(directory: directory, name: UnixSocket.controlName)
        var client = try ControlClient(directory: directory)
        var connection = ControlConnection(FileDescriptor(owning: accept(listener.number, nil, nil)))

        let nothing = connection.receive()
        #expect(nothing == [])
        try client.send(.pause)
        try client.send(.shutdown(.reboot))
        let requests = connection.receive()
        #expect(requests == [.request(.pause), .request(.shutdown(.reboot))])
        let taken = [connection.send(.ok), connection.send(.error(OperatorError("no")))]
        #expect(taken == [true, true])
        let replies = [try client.receive(), try client.receive()]
        #expect(replies == [.ok, .error(OperatorError("no"))])
        let silence = Result { () throws(ControlClientError) in try client.receive(timeoutMilliseconds: 0) }
        #expect(silence == .failure(.timeout))
    }

    @Test("a line that is no request is reported and the connection goes on")
    func malformed() throws {
        var pair = try Pair()
        pair.write("hello\n{\"version\":1,\"request\":\"status\"}\n")
        let inputs = pair.connection.receive()
        #expect(inputs?.count == 2)
        #expect(inputs?.last == .request(.status))
        #expect(inputs?.first != .request(.status))
    }

    @Test("a peer that never ends its line is dropped")
    func endlessLine() throws {
        var pair = try Pair()
        var rounds = 0
        while rounds < 1000 {
            pair.write(String(repeating: "x", count: 4096))
            guard pair.connection.receive() != nil else { break }
            rounds += 1
        }
        #expect(rounds == Frame.maximumByteCount / 4096)
    }

    @Test("a peer that does not read is dropped, and one that has gone too")
    func slowPeer() throws {
        var pair = try Pair()
        let long = ControlReply.error(OperatorError(String(repeating: "x", count: 60_000)))
        var sent = 0
        while sent < 1000, pair.connection.send(long) { sent += 1 }
        #expect((1..<1000).contains(sent))
        shutdown(pair.peer.number, Int32(SHUT_RDWR))
        let input = pair.connection.receive()
        #expect(input == nil)
    }

    @Test("a peer that always leaves something unread costs no more memory for it")
    func laggard() throws {
        var pair = try Pair()
        let reply = ControlReply.error(OperatorError(String(repeating: "x", count: 20_000)))
        let size = try Frame.encode(reply).count
        var buffer = [UInt8](repeating: 0, count: size)
        var isAlive = true
        while isAlive, !pair.connection.hasOutput { isAlive = pair.connection.send(reply) }
        for _ in 0..<1000 where isAlive {
            isAlive = pair.connection.send(reply)
            var taken = 0
            while taken < size { taken += unsafe max(1, read(pair.peer.number, &buffer, size - taken)) }
        }
        #expect(isAlive)
        let held = pair.connection.heldByteCount
        #expect(held < 1 << 20)
    }

    @Test("a client learns that its guest process is gone")
    func gone() throws {
        let directory = try makeDirectory(padding: 0)
        defer { removeDirectory(directory) }
        #expect(connectError(directory) == ENOENT)
        let listener = try UnixSocket.listen(directory: directory, name: UnixSocket.controlName)
        var client = try ControlClient(directory: directory)
        close(accept(listener.number, nil, nil))
        let answer = Result { () throws(ControlClientError) in try client.ask(.status) }
        #expect(answer == .failure(.closed))
        _ = consume listener
        #expect(connectError(directory) == ECONNREFUSED)
    }

    private func connectError(_ directory: String) -> Int32? {
        do throws(SystemError) {
            _ = try ControlClient(directory: directory)
            return nil
        } catch {
            return error.errno
        }
    }

    private func makeDirectory(padding: Int) throws -> String {
        var template = Array("/tmp/martlet-test-XXXXXX".utf8CString)
        let made = unsafe mkdtemp(&template) != nil
        try #require(made)
        var path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if padding > 0 {
            path += "/" + String(repeating: "p", count: padding)
            let nested = unsafe mkdir(path, 0o700)
            try #require(nested == 0)
        }
        return path
    }

    private func removeDirectory(_ path: String) {
        unsafe unlink("\(path)/\(UnixSocket.controlName)")
        unsafe rmdir(path)
        if let slash = path.lastIndex(of: "/"), path[..<slash] != "/tmp" { unsafe rmdir(String(path[..<slash])) }
    }
}

/// A connection and the socket at its other end.
private struct Pair: ~Copyable {
    let peer: FileDescriptor
    var connection: ControlConnection

    init() throws {
        var numbers: [Int32] = [0, 0]
        let result = unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &numbers)
        try #require(result == 0)
        peer = FileDescriptor(owning: numbers[0])
        connection = ControlConnection(FileDescriptor(owning: numbers[1]))
    }

    func write(_ text: String) {
        let bytes = Array(text.utf8)
        let count = unsafe Glibc.write(peer.number, bytes, bytes.count)
        #expect(count == bytes.count)
    }
}
