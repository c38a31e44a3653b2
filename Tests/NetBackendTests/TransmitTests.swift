import Testing

@testable import NetBackend

@Suite("Packets from the guest") struct TransmitTests {
    @Test(
        "A packet arrives whole, however it lies in the guest's pages",
        arguments: [
            (14, 4096, 0), (15, 1, 0), (60, 4096, 4036), (1514, 100, 7), (4096, 4096, 0), (4097, 4096, 0), (65535, 4096, 0),
            (65535, 4000, 96),
        ])
    func shapes(count: Int, partSize: Int, offset: Int) throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect()
        let packet = Array(Packets.ethernet(Packets.bytes(count)).prefix(count))
        let slots = queue.slots(packet, partSize: partSize, offset: offset)
        #expect(queue.exchange(slots) == [Int16](repeating: 0, count: slots.count))
        #expect(link.frames(1).map(\.bytes) == [packet])
        #expect(station.device.counts == NetStatistics(packetsOut: 1, bytesOut: UInt64(count)))
        // No buffer is in use once it is answered.
        #expect(!slots.contains { station.domain.isInUse($0.reference) })
    }

    @Test("Responses have the requests' numbers and order, and extra information is answered")
    func responses() throws {
        let link = try TestLink(.all)
        let station = try Station(link)
        let queue = try station.connect()
        let packet = Packets.tcp(payload: Packets.bytes(9000), isBlank: true)
        var slots = queue.slots(packet, flags: 9)
        slots.insert(.segmentation(size: 1448, type: 1), at: 1)
        queue.put(slots)
        queue.kick()
        var responses: [(id: UInt16, status: Int16)] = []
        _ = eventually {
            responses += queue.responses()
            return responses.count == slots.count
        }
        #expect(responses.map(\.status) == [0, 1, 0, 0])
        #expect(responses[0].id == slots[0].id && responses[2].id == slots[2].id && responses[3].id == slots[3].id)
        #expect(link.frames(1)[0].offload == Offload(checksum: .blank, segmentation: .tcp4, segmentByteCount: 1448))
        #expect(link.frames[0].bytes == packet)
    }

    @Test("Blank checksums are filled for a link that needs them, and left for one that does not", arguments: [false, true])
    func checksums(takesBlank: Bool) throws {
        let link = try TestLink(takesBlank ? .all : [])
        let station = try Station(link)
        let queue = try station.connect()
        for flow in ChecksumTests.flows {
            queue.send(Packets.tcp(flow, payload: Packets.bytes(1000), isBlank: true), flags: 1)
            queue.send(Packets.udp(flow, payload: Packets.bytes(10), isBlank: true), flags: 3)
        }
        let expected = ChecksumTests.flows.flatMap {
            [
                Packets.tcp($0, payload: Packets.bytes(1000), isBlank: takesBlank),
                Packets.udp($0, payload: Packets.bytes(10), isBlank: takesBlank),
            ]
        }
        #expect(link.frames(expected.count).map(\.bytes) == expected)
        #expect(link.frames.allSatisfy { $0.offload.checksum == (takesBlank ? .blank : .valid) })
    }

    @Test("What the guest says of a packet's data goes along", arguments: [(UInt16(0), Offload.Checksum.unchecked), (2, .valid)])
    func validity(flags: UInt16, expected: Offload.Checksum) throws {
        let link = try TestLink(.all)
        let station = try Station(link)
        try station.connect().send(Packets.tcp(payload: [1]), flags: flags)
        #expect(link.frames(1).map(\.offload.checksum) == [expected])
    }

    @Test("Large segments are cut for a link that does not take them", arguments: [false, true])
    func segments(isIPv6: Bool) throws {
        var flow = Packets.Flow()
        flow.isIPv6 = isIPv6
        let link = try TestLink(isIPv6 ? .tcp4 : .tcp6)
        let station = try Station(link)
        let queue = try station.connect()
        let payload = Packets.bytes(30000)
        let statuses = queue.send(Packets.tcp(flow, payload: payload, isBlank: true), flags: 1, gso: (1448, isIPv6 ? 2 : 1))
        #expect(statuses.filter { $0 < 0 }.isEmpty)
        let frames = link.frames(21)
        #expect(frames.count == 21)
        for (index, frame) in frames.enumerated() {
            let part = Array(payload[(index * 1448)..<min(index * 1448 + 1448, 30000)])
            #expect(
                frame.bytes
                    == Packets.tcp(flow, sequence: 1 + UInt32(index) * 1448, payload: part, id: isIPv6 ? 7 : 7 + UInt16(index)))
        }
        #expect(station.device.counts.packetsOut == 1)
    }

    @Test("Two rings are served side by side")
    func twoQueues() throws {
        let link = try TestLink()
        let station = try Station(link) { $0.maximumQueueCount = 2 }
        try station.connect(queueCount: 2)
        for (index, queue) in station.queues.enumerated() {
            for step in 0..<300 { #expect(queue.send(Packets.ethernet([UInt8(index), UInt8(step & 255)])) == [0]) }
        }
        let frames = link.frames(600)
        #expect(frames.count == 600)
        #expect(frames.filter { $0.bytes[14] == 1 }.map { $0.bytes[15] } == (0..<300).map { UInt8($0 & 255) })
    }

    @Test("A link without room drops, and the guest is answered all the same")
    func fullLink() throws {
        let link = try TestLink()
        link.fill()
        let station = try Station(link)
        let queue = try station.connect()
        for _ in 0..<1000 { #expect(queue.send(Packets.ethernet([1])) == [0]) }
        #expect(station.device.counts == NetStatistics(dropsOut: 1000))
    }

    @Test("The rate bounds what a guest sends, and nothing is lost")
    func rate() throws {
        let link = try TestLink()
        let station = try Station(link) { $0.rate = .init(bytesPerInterval: 20_000, intervalMicroseconds: 10_000) }
        let queue = try station.connect()
        let packet = Packets.ethernet(Packets.bytes(1486))
        let start = monotonicMicroseconds()
        for _ in 0..<300 { #expect(queue.send(packet) == [0]) }
        // 450000 bytes, of which the saved burst passes at once.
        #expect(monotonicMicroseconds() - start >= 140_000)
        #expect(link.frames(300).count == 300)
    }

    @Test("A source address that is a group is nobody's")
    func source() throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect()
        #expect(queue.send(Packets.ethernet(from: [1, 0, 0, 0, 0, 1], [1])) == [-1])
        // Another station's is allowed, as on a bridge of Xen's.
        #expect(queue.send(Packets.ethernet(from: [0, 0, 0, 9, 9, 9], [1])) == [0])
        #expect(link.frames(1).count == 1)
    }
}
