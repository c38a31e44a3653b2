import Foundation
import Glibc
import Synchronization
import Testing

/// A server of the host on a port of the loopback address, each connection on a thread of its own. A guest on a user-mode network
/// finds it at 10.0.2.2.
final class LoopbackServer: Sendable {
    let port: UInt16
    private let socket: Int32

    /// - Parameter serve: gets each connection's descriptor, which is closed when it returns.
    init(_ serve: @escaping @Sendable (Int32) -> Void) throws {
        let socket = try Loopback.bind(SOCK_STREAM)
        try #require(listen(socket, 8) == 0)
        self.socket = socket
        port = try Loopback.port(of: socket)
        Loopback.inBackground {
            while true {
                let connection = accept(socket, nil, nil)
                guard connection >= 0 else { return }
                Loopback.inBackground {
                    serve(connection)
                    close(connection)
                }
            }
        }
    }

    deinit {
        shutdown(socket, Int32(SHUT_RDWR))
        close(socket)
    }

    /// Answers every request with the same document (HTTP 1.0).
    static func serving(_ document: [UInt8]) throws -> LoopbackServer {
        try LoopbackServer { connection in
            var request: [UInt8] = []
            while !request.suffix(4).elementsEqual("\r\n\r\n".utf8), let more = Loopback.read(connection) { request += more }
            Loopback.write(connection, Array("HTTP/1.0 200 OK\r\nContent-Length: \(document.count)\r\n\r\n".utf8) + document)
        }
    }
}

/// Takes everything that is sent to a port, connection after connection.
final class LoopbackSink: Sendable {
    private let received = Mutex<[[UInt8]]>([])
    private let server: Mutex<LoopbackServer?> = Mutex(nil)

    init() throws {
        let server = try LoopbackServer { [weak self] connection in
            var all: [UInt8] = []
            while let more = Loopback.read(connection) { all += more }
            self?.received.withLock { $0.append(all) }
        }
        self.server.withLock { $0 = server }
    }

    var port: UInt16 { server.withLock { $0?.port ?? 0 } }

    /// What the first connection brought, once it is closed.
    func first(waitingSeconds: Int = 20) -> [UInt8]? {
        for _ in 0..<waitingSeconds * 20 {
            if let bytes = received.withLock({ $0.first }) { return bytes }
            usleep(50_000)
        }
        return nil
    }
}

/// A name server that knows one answer: every name has the address it was made with (RFC 1035).
final class LoopbackNameServer: Sendable {
    let port: UInt16
    private let socket: Int32

    init(address: [UInt8]) throws {
        let socket = try Loopback.bind(SOCK_DGRAM)
        self.socket = socket
        port = try Loopback.port(of: socket)
        Loopback.inBackground {
            var query = [UInt8](repeating: 0, count: 1500)
            while true {
                var peer = sockaddr_in()
                var length = socklen_t(MemoryLayout<sockaddr_in>.size)
                let count = unsafe withUnsafeMutableBytes(of: &peer) { peer in
                    unsafe recvfrom(socket, &query, query.count, 0, peer.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
                }
                guard count > 0 else { return }
                guard let reply = Self.reply(to: query.prefix(count), address) else { continue }
                _ = unsafe withUnsafeMutableBytes(of: &peer) { peer in
                    unsafe sendto(socket, reply, reply.count, 0, peer.baseAddress?.assumingMemoryBound(to: sockaddr.self), length)
                }
            }
        }
    }

    deinit {
        shutdown(socket, Int32(SHUT_RDWR))
        close(socket)
    }

    /// The question again, with an A record when one was asked for; nothing when it is no question.
    private static func reply(to query: ArraySlice<UInt8>, _ address: [UInt8]) -> [UInt8]? {
        var end = 12
        while end < query.count, query[end] != 0 { end += Int(query[end]) + 1 }
        end += 5
        guard end <= query.count else { return nil }
        let isAddress = query[end - 4] == 0 && query[end - 3] == 1
        let header = query[0..<2] + [0x81, 0x80, 0, 1, 0, isAddress ? 1 : 0, 0, 0, 0, 0]
        return header + query[12..<end] + (isAddress ? [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4] + address : [])
    }
}

/// Sockets of the loopback address.
enum Loopback {
    static func bind(_ type: __socket_type) throws -> Int32 {
        let socket = Glibc.socket(AF_INET, Int32(type.rawValue), 0)
        try #require(socket >= 0)
        var address = address(port: 0)
        let result = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe Glibc.bind(socket, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        try #require(result == 0)
        return socket
    }

    static func port(of socket: Int32) throws -> UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = unsafe withUnsafeMutableBytes(of: &address) { bytes in
            unsafe getsockname(socket, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
        }
        try #require(result == 0)
        return UInt16(bigEndian: address.sin_port)
    }

    /// A port that nobody has taken a moment ago.
    static func freePort() throws -> UInt16 {
        let socket = try bind(SOCK_STREAM)
        defer { close(socket) }
        return try port(of: socket)
    }

    /// - Returns: a connected socket, which the caller closes.
    static func connect(port: UInt16) throws -> Int32 {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        try #require(socket >= 0)
        var address = address(port: port)
        let result = unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe Glibc.connect(socket, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
        try #require(result == 0, "nobody listens on port \(port)")
        return socket
    }

    /// Some bytes; nil at the end.
    static func read(_ socket: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = unsafe Glibc.read(socket, &bytes, bytes.count)
        return count > 0 ? Array(bytes.prefix(count)) : nil
    }

    /// All of it, or what goes until the peer is gone.
    static func write(_ socket: Int32, _ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { unsafe send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    static func inBackground(_ body: @escaping @Sendable () -> Void) {
        Thread.detachNewThread(body)
    }

    private static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }
}
