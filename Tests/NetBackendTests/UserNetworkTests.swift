import Glibc
import HostIO
import Testing

@testable import NetBackend

/// A guest in a user network, with as much of a network stack as the tests need.
private final class UserGuest {
    static let router: [UInt8] = [0x52, 0x55, 10, 0, 2, 2]
    let station: Station
    let queue: FrontendQueue

    init(_ forwards: [UserNetwork.Forward] = [], hostName: String = "", socketLimit: Int = 64) throws {
        station = try Station(
            try UserNetwork(mtu: 1500, hostName: hostName, forwards: forwards, socketLimit: socketLimit) { _ in })
        queue = try station.connect()
    }

    /// Tells the network where this guest is.
    func introduce() {
        let arp: [UInt8] =
            [0, 1, 8, 0, 6, 4, 0, 1] + Packets.guest + [10, 0, 2, 15] + [0, 0, 0, 0, 0, 0] + [10, 0, 2, 2]
        queue.send(Packets.ethernet(to: [UInt8](repeating: 255, count: 6), type: 0x0806, arp))
        _ = next { $0.starts(with: Packets.guest) && $0[12..<14].elementsEqual([8, 6]) }
    }

    func next(_ isWanted: ([UInt8]) -> Bool) -> [UInt8]? {
        queue.receive { $0.contains { isWanted($0.bytes) } }.first { isWanted($0.bytes) }?.bytes
    }

    func nextTCP(_ isWanted: (TCPPart) -> Bool) -> TCPPart? {
        next { tcp($0).map(isWanted) ?? false }.flatMap { tcp($0) }
    }

    func flow(_ port: UInt16, from: UInt16 = 40000) -> Packets.Flow {
        var flow = Packets.Flow()
        flow.to = Self.router
        (flow.sourcePort, flow.destinationPort) = (from, port)
        return flow
    }

    func tcp(_ bytes: [UInt8]) -> TCPPart? {
        guard bytes.count >= 54, bytes[12..<14].elementsEqual([8, 0]), bytes[23] == 6 else { return nil }
        return withFrame(bytes) { frame in
            FrameLayout(frame).map { layout in
                TCPPart(
                    sequence: frame.long(layout.transportOffset + 4), flags: frame.byte(layout.transportOffset + 13),
                    destinationPort: frame.word(layout.transportOffset + 2), sourcePort: frame.word(layout.transportOffset),
                    payload: Array(bytes[layout.payload..<layout.end]))
            }
        }
    }
}

private struct TCPPart {
    var sequence: UInt32
    var flags: UInt8
    var destinationPort: UInt16
    var sourcePort: UInt16
    var payload: [UInt8]
}

/// A TCP socket on the host's loopback.
private final class HostSocket {
    let descriptor: Descriptor

    init(_ raw: Int32) { descriptor = Descriptor(raw) }

    static func address(_ port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    private static func with(_ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = address(port)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
    }

    static func listen() throws -> (HostSocket, UInt16) {
        let socket = HostSocket(Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        guard unsafe with(0, { unsafe bind(socket.descriptor.rawValue, $0, $1) }) == 0, Glibc.listen(socket.descriptor.rawValue, 8) == 0
        else { throw HostError("listen") }
        var address = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(socket.descriptor.rawValue, $0, &size)
            }
        }
        return (socket, UInt16(bigEndian: address.sin_port))
    }

    func accept() throws -> HostSocket {
        let raw = Glibc.accept(descriptor.rawValue, nil, nil)
        guard raw >= 0 else { throw HostError("accept") }
        return HostSocket(raw)
    }

    static func connect(_ port: UInt16) throws -> HostSocket {
        let socket = HostSocket(Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        guard unsafe with(port, { unsafe Glibc.connect(socket.descriptor.rawValue, $0, $1) }) == 0 else { throw HostError("connect") }
        return socket
    }

    func read(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count, case .bytes = descriptor.read(into: &bytes, limit: count - bytes.count) {}
        return bytes
    }

    func write(_ bytes: [UInt8]) { _ = descriptor.writeAll(bytes[...]) }
}

@Suite("The user network") struct UserNetworkTests {
    private func dhcp(_ type: UInt8, _ options: [UInt8] = []) -> [UInt8] {
        var message: [UInt8] = [1, 1, 6, 0, 1, 2, 3, 4] + [UInt8](repeating: 0, count: 20) + Packets.guest
        message += [UInt8](repeating: 0, count: 236 - message.count) + [0x63, 0x82, 0x53, 0x63, 53, 1, type] + options + [255]
        var flow = Packets.Flow()
        (flow.sourcePort, flow.destinationPort) = (68, 67)
        (flow.source, flow.destination) = ([0, 0, 0, 0], [255, 255, 255, 255])
        flow.to = [UInt8](repeating: 255, count: 6)
        return Packets.udp(flow, payload: message + [UInt8](repeating: 0, count: max(0, 300 - message.count)), isBlank: true)
    }

    private func options(_ bytes: [UInt8]) -> [UInt8: [UInt8]] {
        var result: [UInt8: [UInt8]] = [:]
        var index = 42 + 240
        while index + 1 < bytes.count, bytes[index] != 255 {
            guard bytes[index] != 0 else {
                index += 1
                continue
            }
            let count = Int(bytes[index + 1])
            result[bytes[index]] = Array(bytes[(index + 2)..<(index + 2 + count)])
            index += 2 + count
        }
        return result
    }

    @Test("DHCP gives 10.0.2.15, the router 10.0.2.2 and DNS at 10.0.2.3")
    func lease() throws {
        let guest = try UserGuest(hostName: "swift")
        guest.queue.send(dhcp(1), flags: 1)
        let isReply: ([UInt8]) -> Bool = { $0.count > 282 && $0[36..<38].elementsEqual([0, 68]) }
        let offer = try #require(guest.next(isReply))
        #expect(Array(offer[58..<62]) == [10, 0, 2, 15] && options(offer)[53] == [2])
        guest.queue.send(dhcp(3, [50, 4, 10, 0, 2, 15, 54, 4, 10, 0, 2, 2]), flags: 1)
        let acknowledgement = try #require(guest.next { isReply($0) && options($0)[53] == [5] })
        let given = options(acknowledgement)
        #expect(given[1] == [255, 255, 255, 0] && given[3] == [10, 0, 2, 2] && given[6] == [10, 0, 2, 3])
        #expect(given[12] == Array("swift".utf8))
    }

    @Test("The router answers pings, with data the guest need not check")
    func ping() throws {
        let guest = try UserGuest()
        guest.introduce()
        var echo: [UInt8] = [8, 0, 0, 0, 0, 1, 0, 1] + Packets.bytes(56)
        echo.replaceSubrange(2..<4, with: Packets.big(~Packets.sum(echo)))
        guest.queue.send(Packets.network(guest.flow(0), 1, echo))
        let packets = guest.queue.receive { $0.contains { $0.bytes.count >= 98 && $0.bytes[23] == 1 } }
        let reply = try #require(packets.last)
        #expect(reply.bytes[34] == 0 && Array(reply.bytes[42..<98]) == Packets.bytes(56) && reply.flags == 1)
    }

    @Test("TCP to the host's loopback is at 10.0.2.2, large segments and all")
    func tcpOut() throws {
        let guest = try UserGuest()
        guest.introduce()
        let (listener, port) = try HostSocket.listen()
        let flow = guest.flow(port)
        guest.queue.send(Packets.tcp(flow, sequence: 100, flags: 2, isBlank: true), flags: 1)
        let server = try listener.accept()
        let synchronize = try #require(guest.nextTCP { $0.flags == 0x12 })
        let next = synchronize.sequence &+ 1
        let data = Packets.bytes(40000)
        guest.queue.send(
            Packets.tcp(flow, sequence: 101, acknowledgement: next, flags: 0x18, window: 65535, payload: data, isBlank: true), flags: 1,
            gso: (1460, 1))
        #expect(server.read(40000) == data)
        server.write(Array("pong".utf8))
        let answer = try #require(guest.nextTCP { !$0.payload.isEmpty })
        #expect(answer.payload == Array("pong".utf8) && answer.sequence == next)
    }

    @Test("What the host sends together comes in large packets")
    func coalescing() throws {
        let guest = try UserGuest()
        guest.introduce()
        let (listener, port) = try HostSocket.listen()
        let flow = guest.flow(port)
        var options = flow
        options.tcpOptions = [2, 4, 5, 0xb4]
        guest.queue.send(Packets.tcp(options, sequence: 100, flags: 2, window: 65535, isBlank: true), flags: 1)
        let server = try listener.accept()
        let synchronize = try #require(guest.nextTCP { $0.flags == 0x12 })
        server.write(Packets.bytes(40000))
        // The network sends as fast as it is acknowledged, more with each round.
        var received: [UInt8] = []
        var largest = 0
        while received.count < 40000 {
            guest.queue.send(
                Packets.tcp(
                    flow, sequence: 101, acknowledgement: synchronize.sequence &+ 1 &+ UInt32(received.count), window: 65535,
                    isBlank: true), flags: 1)
            let packets = guest.queue.receive { $0.contains { guest.tcp($0.bytes)?.payload.isEmpty == false } }
            guard !packets.isEmpty else { break }
            for packet in packets {
                received += guest.tcp(packet.bytes)?.payload ?? []
                if packet.segmentByteCount > 1000 { largest = max(largest, packet.bytes.count) }
            }
        }
        #expect(received == Packets.bytes(40000))
        #expect(largest > 54 + 3 * 1000)
    }

    @Test("A forwarded port leads to the guest")
    func forward() throws {
        let port: UInt16 = try {
            let (_, port) = try HostSocket.listen()
            return port
        }()
        let guest = try UserGuest([
            UserNetwork.Forward(isUDP: false, hostAddress: "127.0.0.1", hostPort: port, guestAddress: "", guestPort: 22)
        ])
        guest.introduce()
        let client = try HostSocket.connect(port)
        let synchronize = try #require(guest.nextTCP { $0.flags == 2 })
        #expect(synchronize.destinationPort == 22)
        var flow = guest.flow(synchronize.sourcePort, from: 22)
        flow.destination = [10, 0, 2, 2]
        guest.queue.send(
            Packets.tcp(flow, sequence: 500, acknowledgement: synchronize.sequence &+ 1, flags: 0x12, window: 65535, isBlank: true),
            flags: 1)
        guest.queue.send(
            Packets.tcp(
                flow, sequence: 501, acknowledgement: synchronize.sequence &+ 1, flags: 0x18, window: 65535, payload: Array("SSH-2.0".utf8),
                isBlank: true), flags: 1)
        #expect(client.read(7) == Array("SSH-2.0".utf8))
    }

    @Test("A guest that opens ever more connections is held at a limit, and those it has go on")
    func socketLimit() throws {
        let guest = try UserGuest(socketLimit: 24)
        guest.introduce()
        let (listener, port) = try HostSocket.listen()
        let flow = guest.flow(port)
        guest.queue.send(Packets.tcp(flow, sequence: 100, flags: 2, isBlank: true), flags: 1)
        let server = try listener.accept()
        let synchronize = try #require(guest.nextTCP { $0.flags == 0x12 })
        let before = openDescriptorCount()
        for source in UInt16(0)..<300 {
            guest.queue.send(Packets.udp(guest.flow(9, from: 1000 + source), payload: [1], isBlank: true), flags: 1)
            guest.queue.send(Packets.tcp(guest.flow(9, from: 1000 + source), sequence: 1, flags: 2, isBlank: true), flags: 1)
        }
        #expect(guest.station.device.counts.dropsOut > 200)
        #expect(openDescriptorCount() - before < 200)
        guest.queue.send(
            Packets.tcp(
                flow, sequence: 101, acknowledgement: synchronize.sequence &+ 1, flags: 0x18, window: 65535, payload: [1, 2, 3],
                isBlank: true), flags: 1)
        #expect(server.read(3) == [1, 2, 3])
    }

    private func openDescriptorCount() -> Int { (0..<4096).count { fcntl($0, F_GETFD) >= 0 } }

    @Test("A port that is taken, or an address that is none, is named")
    func badForward() throws {
        let (listener, port) = try HostSocket.listen()
        for (host, part) in [("127.0.0.1", "\(port)"), ("localhost", "localhost")] {
            let failure = #expect(throws: LinkFailure.self) {
                try UserNetwork(
                    mtu: 1500, hostName: "",
                    forwards: [.init(isUDP: false, hostAddress: host, hostPort: port, guestAddress: "", guestPort: 22)]
                ) { _ in }
            }
            #expect(failure?.cause.contains(part) == true && failure?.remedy.isEmpty == false)
        }
        _ = listener
    }
}
