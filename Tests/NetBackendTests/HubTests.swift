import Glibc
import HostIO
import Testing

@testable import NetBackend

/// A directory of its own for one test; goes with its files.
final class TemporaryDirectory {
    let path: String

    init() {
        var template = Array("/tmp/martlet-test-XXXXXX".utf8CString)
        path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)!) }
    }

    deinit {
        for name in ["hub", "hub.lock"] { unsafe unlink(path + "/" + name) }
        unsafe rmdir(path)
    }
}

@Suite("Hubs") struct HubTests {
    private static func address(_ number: UInt8) -> [UInt8] { [0, 0x16, 0x3e, 0, 0, number] }

    private static func packet(from: UInt8, to: UInt8?, _ payload: [UInt8] = [1]) -> [UInt8] {
        Packets.ethernet(to: to.map(address) ?? [UInt8](repeating: 255, count: 6), from: address(from), payload)
    }

    private func station(_ number: UInt16, _ directory: TemporaryDirectory, _ log: Lines = Lines()) throws -> Station {
        let station = try Station(try HubLink(path: directory.path + "/hub") { log.add($0) }, id: number)
        try station.connect()
        return station
    }

    /// Sends until the other side hears it: members join in their own time.
    private func greet(_ from: Station, _ number: UInt8, heardBy others: [Station]) -> Bool {
        var missing = others
        return eventually {
            from.queues[0].send(Self.packet(from: number, to: nil, [77]))
            missing.removeAll { station in
                while let packet = station.queues[0].poll() {
                    station.queues[0].repost()
                    if packet.bytes == Self.packet(from: number, to: nil, [77]) { return true }
                }
                return false
            }
            return missing.isEmpty
        }
    }

    private func drain(_ stations: [Station]) {
        for station in stations {
            while station.queues[0].poll() != nil {}
            station.queues[0].repost()
        }
    }

    @Test("Guests hear each other: broadcasts all, other frames only whom they are for")
    func learning() throws {
        let directory = TemporaryDirectory()
        let stations = try (1...3).map { try station(UInt16($0), directory) }
        for (index, one) in stations.enumerated() {
            #expect(greet(one, UInt8(index + 1), heardBy: stations.filter { $0 !== one }))
        }
        usleep(20_000)
        drain(stations)
        for from in 0..<3 {
            for to in 0..<3 where to != from {
                let packet = Self.packet(from: UInt8(from + 1), to: UInt8(to + 1), Packets.bytes(1000))
                stations[from].queues[0].send(packet)
                #expect(stations[to].queues[0].receive()?.bytes == packet)
            }
        }
        usleep(20_000)
        #expect(stations.allSatisfy { $0.queues[0].poll() == nil })
    }

    @Test("A large segment crosses uncut, its checksum still blank", arguments: [false, true])
    func offload(fromServer: Bool) throws {
        let directory = TemporaryDirectory()
        let stations = try (1...2).map { try station(UInt16($0), directory) }
        #expect(greet(stations[0], 1, heardBy: [stations[1]]))
        #expect(greet(stations[1], 2, heardBy: [stations[0]]))
        drain(stations)
        let (from, to) = fromServer ? (0, 1) : (1, 0)
        var flow = Packets.Flow()
        flow.from = Self.address(UInt8(from + 1))
        flow.to = Self.address(UInt8(to + 1))
        let packet = Packets.tcp(flow, payload: Packets.bytes(60000), isBlank: true)
        stations[from].queues[0].send(packet, flags: 1, gso: (1448, 1))
        let received = try #require(stations[to].queues[0].receive { $0.contains { $0.bytes.count == packet.count } }.last)
        #expect(received.bytes == packet && received.flags == 15 && received.segmentByteCount == 1448)
    }

    @Test("When the guest that serves leaves, another takes over and the rest follow it")
    func takeOver() throws {
        let directory = TemporaryDirectory()
        let log = Lines()
        var server: Station? = try station(1, directory, log)
        let others = try (2...4).map { try station(UInt16($0), directory, log) }
        #expect(greet(try #require(server), 1, heardBy: others))
        server = nil
        for (index, one) in others.enumerated() {
            #expect(greet(one, UInt8(index + 2), heardBy: others.filter { $0 !== one }))
        }
        #expect(log.all.count == 1)
        let late = try station(5, directory)
        #expect(greet(late, 5, heardBy: others))
    }

    @Test("The socket is this user's alone, and goes with the last guest")
    func socket() throws {
        let directory = TemporaryDirectory()
        do {
            let link = try HubLink(path: directory.path + "/hub") { _ in }
            var status = stat()
            #expect(unsafe stat(directory.path + "/hub", &status) == 0 && status.st_mode & 0o777 == 0o600)
            #expect(link.isServing)
            link.close()
        }
        #expect(unsafe access(directory.path + "/hub", F_OK) != 0)
    }

    @Test("A path that cannot be is said at once", arguments: ["/nonexistent/hub", "/tmp/" + String(repeating: "x", count: 110)])
    func badPath(path: String) {
        let failure = #expect(throws: LinkFailure.self) { try HubLink(path: path) { _ in } }
        #expect(failure?.cause.contains(path) == true && failure?.remedy.isEmpty == false)
        unsafe unlink(path + ".lock")
    }

    @Test("A pair of sockets is a network of two")
    func pair() throws {
        let ends = try HubSocket.pair()
        let one = try Station(HubLink(connection: ends.0))
        let other = try Station(HubLink(connection: ends.1), id: 2)
        let (first, second) = (try one.connect(), try other.connect())
        first.send(Self.packet(from: 1, to: nil))
        #expect(second.receive()?.bytes == Self.packet(from: 1, to: nil))
        second.send(Self.packet(from: 2, to: 1))
        #expect(first.receive()?.bytes == Self.packet(from: 2, to: 1))
    }

    @Test(
        "A peer that sends nonsense is let go of",
        arguments: [[], [0], [UInt8](repeating: 0, count: 17), [UInt8](repeating: 0, count: 70000)])
    func nonsense(message: [UInt8]) throws {
        let directory = TemporaryDirectory()
        let station = try station(1, directory)
        let peer = try HubSocket.connect(directory.path + "/hub")
        _ = unsafe message.withUnsafeBytes { unsafe send(peer.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        var byte: UInt8 = 0
        if message.isEmpty { shutdown(peer.rawValue, Int32(SHUT_WR)) }
        #expect(eventually { unsafe recv(peer.rawValue, &byte, 1, Int32(MSG_DONTWAIT)) == 0 })
        #expect(station.queues[0].send(Self.packet(from: 1, to: nil)) == [0])
    }

    @Test("A member that does not read costs the others nothing")
    func stalled() throws {
        let directory = TemporaryDirectory()
        let stations = try (1...2).map { try station(UInt16($0), directory) }
        #expect(greet(stations[0], 1, heardBy: [stations[1]]))
        let idle = try HubSocket.connect(directory.path + "/hub")
        #expect(greet(stations[1], 2, heardBy: [stations[0]]))
        drain(stations)
        let packet = Self.packet(from: 1, to: nil, Packets.bytes(30000))
        for _ in 0..<200 {
            #expect(stations[0].queues[0].send(packet).allSatisfy { $0 == 0 })
            #expect(stations[1].queues[0].receive()?.bytes == packet)
            stations[1].queues[0].repost()
        }
        _ = idle
    }
}
