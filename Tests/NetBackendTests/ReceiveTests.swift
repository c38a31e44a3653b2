import Testing

@testable import NetBackend

@Suite("Packets to the guest") struct ReceiveTests {
    @Test("A packet arrives whole in as many buffers as it needs", arguments: [14, 60, 1514, 4096, 4097, 9014, 65535])
    func shapes(count: Int) throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect()
        let packet = Array(Packets.ethernet(Packets.bytes(count)).prefix(count))
        link.give([packet])
        #expect(queue.receive() == ReceivedPacket(bytes: packet, flags: count > 4096 ? 4 : 0))
        #expect(eventually { station.device.counts == NetStatistics(packetsIn: 1, bytesIn: UInt64(count)) })
    }

    @Test(
        "The guest is told what is known of the data",
        arguments: [(Offload.Checksum.unchecked, UInt16(0)), (.blank, 3), (.valid, 1)])
    func flags(checksum: Offload.Checksum, expected: UInt16) throws {
        let link = try TestLink()
        let queue = try Station(link)
        let first = try queue.connect()
        let packet = Packets.tcp(payload: [1, 2], isBlank: checksum == .blank)
        link.give([packet], Offload(checksum: checksum))
        #expect(first.receive() == ReceivedPacket(bytes: packet, flags: expected))
    }

    @Test("A driver without checksum offload gets checksums", arguments: [false, true])
    func withoutOffload(isIPv6: Bool) throws {
        var flow = Packets.Flow()
        flow.isIPv6 = isIPv6
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect(features: ["request-rx-copy": "1", "feature-rx-notify": "1", "feature-no-csum-offload": "1"])
        link.give([Packets.tcp(flow, payload: [7, 8, 9], isBlank: true)], Offload(checksum: .blank))
        #expect(queue.receive() == ReceivedPacket(bytes: Packets.tcp(flow, payload: [7, 8, 9]), flags: 1))
    }

    @Test("A large segment comes whole with its extra information", arguments: [false, true])
    func segmentation(isIPv6: Bool) throws {
        var flow = Packets.Flow()
        flow.isIPv6 = isIPv6
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect()
        let packet = Packets.tcp(flow, payload: Packets.bytes(50000), isBlank: true)
        link.give([packet], Offload(checksum: .blank, segmentation: isIPv6 ? .tcp6 : .tcp4, segmentByteCount: 1400))
        let received = try #require(queue.receive())
        #expect(received.bytes == packet && received.flags == 15)
        #expect(received.segmentByteCount == 1400 && received.segmentationType == (isIPv6 ? 2 : 1))
    }

    @Test("A driver that takes no large segments gets small ones")
    func cut() throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect(features: ["request-rx-copy": "1", "feature-rx-notify": "1"])
        let payload = Packets.bytes(10000)
        link.give(
            [Packets.tcp(payload: payload, isBlank: true)], Offload(checksum: .blank, segmentation: .tcp4, segmentByteCount: 1400))
        let packets = queue.receive { $0.count == 8 }
        #expect(packets.map(\.bytes.count) == [Int](repeating: 1454, count: 7) + [254])
        #expect(packets.allSatisfy { $0.flags == 3 && $0.extra == nil })
        #expect(packets.flatMap { $0.bytes.dropFirst(54) } == payload)
    }

    @Test("A driver without scatter-gather is spared packets that need two buffers")
    func withoutScatter() throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect(features: ["request-rx-copy": "1", "feature-rx-notify": "1"])
        link.give([Packets.ethernet(Packets.bytes(5000)), Packets.ethernet([5])])
        #expect(queue.receive()?.bytes == Packets.ethernet([5]))
        #expect(station.device.counts.dropsIn == 1)
    }

    @Test("Segments of one flow that come together arrive as one")
    func coalescing() throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect()
        let frames = (0..<10).map { Packets.tcp(sequence: UInt32($0 * 1000), payload: Packets.bytes(1000)) }
        link.give(frames, Offload(checksum: .valid))
        let packet = try #require(queue.receive())
        #expect(packet.bytes.count == 10054 && packet.flags == 15 && packet.segmentByteCount == 1000)
    }

    @Test("Flows are spread over the rings, each in one")
    func spread() throws {
        let link = try TestLink()
        let station = try Station(link) { $0.maximumQueueCount = 4 }
        try station.connect(queueCount: 4)
        var homes: [UInt16: Int] = [:]
        var counts = [0, 0, 0, 0]
        for round in 0..<3 {
            let frames = (0..<32).map { index in
                var flow = Packets.Flow()
                flow.sourcePort = UInt16(3000 + index)
                return Packets.udp(flow, payload: [UInt8(round)])
            }
            link.give(frames)
            var got = 0
            #expect(
                eventually {
                    for (index, queue) in station.queues.enumerated() {
                        while let packet = queue.poll() {
                            let port = UInt16(packet.bytes[34]) << 8 | UInt16(packet.bytes[35])
                            if let home = homes[port], home != index { return false }
                            homes[port] = index
                            counts[index] += 1
                            got += 1
                        }
                    }
                    return got == 32
                })
        }
        #expect(homes.count == 32 && counts.allSatisfy { $0 > 0 })
    }

    @Test("Packets wait for buffers in order; what exceeds the bound is dropped and counted, and nothing blocks")
    func backlog() throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect(posts: 0)
        let frame = Packets.ethernet(Packets.bytes(60000))
        let count = 2 * ReceiveQueue.backlogByteCount / 60000
        link.give([[UInt8]](repeating: frame, count: count))
        #expect(eventually { station.device.counts.dropsIn > 0 })
        // The guest's own packets still go.
        #expect(queue.send(Packets.ethernet([3])) == [0])
        queue.post(256)
        let kept = count - Int(station.device.counts.dropsIn)
        #expect(kept > count / 3 && kept < count)
        let packets = queue.receive { $0.count == kept }
        #expect(packets.count == kept && packets.allSatisfy { $0.bytes == frame })
        link.give([Packets.ethernet([9])])
        #expect(queue.receive { !$0.isEmpty }.map(\.bytes) == [Packets.ethernet([9])])
    }

    @Test("A buffer whose grant does not hold costs its packet only")
    func badBuffer() throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect(posts: 0)
        queue.spoilReceiveBuffer(1)
        queue.post(256)
        link.give([[1], [2], [3]].map { Packets.ethernet($0) })
        let packets = queue.receive { $0.count == 3 }
        #expect(packets.map(\.isBad) == [false, true, false])
        #expect(packets[2].bytes == Packets.ethernet([3]))
        #expect(station.device.counts.errors == 1 && station.device.counts.packetsIn == 2)
    }

    @Test("A guest that chooses its multicast hears that and broadcasts")
    func multicast() throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect(features: Station.linuxFeatures.merging(["request-multicast-control": "1"]) { $1 })
        let (wanted, unwanted): ([UInt8], [UInt8]) = ([1, 0, 0x5e, 0, 0, 1], [1, 0, 0x5e, 0, 0, 2])
        func change(_ join: Bool, _ address: [UInt8]) -> [Int16] {
            var slots = queue.slots(Packets.ethernet([]), flags: 8)
            slots.insert(.multicast(join: join, address), at: 1)
            return queue.exchange(slots)
        }
        #expect(change(true, wanted) == [0, 1])
        func heard() -> [[UInt8]] {
            link.give([wanted, unwanted, [UInt8](repeating: 255, count: 6), Packets.guest].map { Packets.ethernet(to: $0, [1]) })
            return queue.receive { $0.last?.bytes.prefix(6).elementsEqual(Packets.guest) == true }.map { Array($0.bytes.prefix(6)) }
        }
        #expect(heard() == [wanted, [UInt8](repeating: 255, count: 6), Packets.guest])
        #expect(change(false, wanted) == [0, 1])
        #expect(heard() == [[UInt8](repeating: 255, count: 6), Packets.guest])
        for index in 0..<64 { #expect(change(true, [1, 0, 0x5e, 1, 1, UInt8(index)]) == [0, 1]) }
        #expect(change(true, wanted) == [-1, 1])
        #expect(change(true, Packets.guest) == [-1, 1])
        #expect(link.frames.isEmpty)
    }

    @Test("A driver may change at any time whether it chooses its multicast")
    func dynamicMulticast() throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect()
        let group: [UInt8] = [1, 0, 0x5e, 0, 0, 1]
        func hears() -> Bool {
            link.give([Packets.ethernet(to: group, [1]), Packets.ethernet(to: Packets.guest, [1])])
            let packets = queue.receive { $0.last?.bytes.prefix(6).elementsEqual(Packets.guest) == true }
            return packets.contains { $0.bytes.starts(with: group) }
        }
        #expect(hears())
        try station.set(["\(station.frontendPath)/request-multicast-control": "1"])
        #expect(eventually { !hears() })
        try station.set(["\(station.frontendPath)/request-multicast-control": "0"])
        #expect(eventually { hears() })
    }

    @Test("A driver that makes room before its packets while connected gets it", arguments: [(256, 256), (0, 0), (5000, 1024), (-3, 0)])
    func headroom(wanted: Int, given: Int) throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect()
        #expect(station.node("\(station.backendPath)/feature-xdp-headroom") == "1")
        try station.set(["\(station.frontendPath)/xdp-headroom": "\(wanted)"])
        try station.set(["\(station.frontendPath)/state": "7"])
        #expect(eventually { station.state == "8" })
        try station.set(["\(station.frontendPath)/state": "4"])
        #expect(eventually { station.state == "4" })
        let packet = Packets.ethernet(Packets.bytes(9000))
        link.give([packet])
        #expect(eventually { station.domain.get(queue.receivePage + 8, as: UInt32.self) > 0 })
        #expect(station.domain.get(queue.receivePage + 64, as: UInt64.self) >> 16 & 0xffff == UInt64(given))
        #expect(queue.receive()?.bytes == packet)
    }

    @Test("A packet that needs more buffers than there are is told of the missing ones at once")
    func missingBuffers() throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect(posts: 1)
        link.give([Packets.ethernet(Packets.bytes(9000))])
        // One buffer waits, so that the event of the second one is asked for.
        #expect(eventually { station.domain.get(queue.receivePage + 4, as: UInt32.self) == 2 })
    }
}
