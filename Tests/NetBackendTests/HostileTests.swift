import TestSupport
import Testing

@testable import NetBackend

@Suite("A hostile network driver") struct HostileTests {
    @Test(
        "A wrong packet is answered with errors in all its slots, and the next one passes",
        arguments: [
            "bad grant", "bad grant in the second slot", "grant beyond the table", "offset and size beyond the page",
            "parts larger than the whole",
            "empty", "13 bytes", "second slot beyond the page", "41 slots", "more to come", "extra to come", "extra without end",
            "unknown extra", "segments of no size", "segments of unknown type", "segments of UDP", "segments of the other IP",
            "checksum of no IP packet", "headers beyond the packet", "TCP header of 16 bytes",
        ])
    func wrong(_ name: String) throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect()
        let tcp = Packets.tcp(payload: Packets.bytes(3000), isBlank: true)
        var slots = queue.slots(Packets.ethernet(Packets.bytes(5000)))
        var extraCount = 0
        func segments(_ packet: [UInt8], _ extras: [TransmitSlot]) {
            slots = queue.slots(packet, flags: 9)
            slots.insert(contentsOf: extras, at: 1)
            extraCount = extras.count
        }
        switch name {
        case "bad grant": slots[0].reference = 4000
        case "bad grant in the second slot": slots[1].reference = 4000
        case "grant beyond the table": slots[0].reference = .max
        case "offset and size beyond the page": (slots[0].offset, slots[0].size) = (1, 5014)
        case "parts larger than the whole": slots[0].size = slots[1].size - 1
        case "empty": slots = [TransmitSlot(reference: slots[0].reference)]
        case "13 bytes": slots = [TransmitSlot(reference: slots[0].reference, size: 13)]
        case "second slot beyond the page": slots[1].offset = 4000
        case "41 slots": slots = queue.slots(Packets.ethernet(Packets.bytes(401)), partSize: 10).prefix(41) + []
        case "more to come": slots[1].flags = 4
        case "extra to come": segments(tcp, [.segmentation(size: 1000, type: 1, more: true)])
        case "extra without end":
            slots = [slots[0]] + (0..<200).map { _ in .segmentation(size: 1000, type: 1, more: true) }
            slots[0].flags = 8
            extraCount = 200
        case "unknown extra": segments(tcp, [TransmitSlot(raw: [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])])
        case "segments of no size": segments(tcp, [.segmentation(size: 0, type: 1)])
        case "segments of unknown type": segments(tcp, [.segmentation(size: 1000, type: 3)])
        case "segments of UDP": segments(Packets.udp(payload: Packets.bytes(3000)), [.segmentation(size: 1000, type: 1)])
        case "segments of the other IP": segments(tcp, [.segmentation(size: 1000, type: 2)])
        case "checksum of no IP packet": slots = queue.slots(Packets.ethernet([1, 2, 3]), flags: 1)
        case "headers beyond the packet": slots = queue.slots(Array(tcp.prefix(40)), flags: 1)
        default:
            var packet = tcp
            packet[46] = 0x40
            slots = queue.slots(packet, flags: 1)
        }
        let statuses = queue.exchange(slots)
        #expect(statuses == [-1] + [Int16](repeating: 1, count: extraCount) + [Int16](repeating: -1, count: slots.count - 1 - extraCount))
        #expect(link.frames.isEmpty)
        #expect(station.device.counts == NetStatistics(errors: 1))
        #expect(queue.send(Packets.ethernet([7])) == [0])
        #expect(link.frames(1).map(\.bytes) == [Packets.ethernet([7])])
        #expect(station.log.all.isEmpty)
    }

    @Test("A producer that jumps costs the driver its connection, said once, and it may connect again", arguments: [true, false])
    func jump(transmits: Bool) throws {
        let link = try TestLink()
        let station = try Station(link)
        let queue = try station.connect()
        let page = transmits ? queue.transmitPage : queue.receivePage
        station.domain.put(UInt32(0x8000_0000), at: page)
        queue.kick()
        link.give([Packets.ethernet([1])])
        #expect(eventually { !station.domain.isInUse(queue.transmitReference) && !station.domain.isInUse(queue.receiveReference) })
        for _ in 0..<10 {
            queue.kick()
            link.give([Packets.ethernet([1])])
        }
        #expect(station.log.all.count == 1)
        #expect(station.device.counts.errors == 1)
        try station.disconnect()
        try station.restartDriver()
        let other = try station.connect()
        #expect(other.send(Packets.ethernet([7])) == [0])
        link.give([Packets.ethernet([8])])
        #expect(other.receive()?.bytes == Packets.ethernet([8]))
    }

    @Test("Rings full of noise, changed at any moment, hurt nobody else", arguments: 0..<12)
    func noise(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let link = try TestLink(random.pick([[], .all]))
        let station = try Station(link)
        let queue = try station.connect()
        for _ in 0..<400 {
            let slots = (0..<(1 + random.below(30))).map { _ in noisySlot(&random, queue) }
            queue.put(slots)
            if random.oneIn(3) {
                station.domain.put(
                    UInt32(truncatingIfNeeded: random.integer()), at: queue.receivePage + 64 + UInt64(random.below(4032) & ~3))
            }
            if random.oneIn(4) { link.give([Packets.ethernet(Packets.bytes(random.below(9000)))]) }
            queue.kick()
            if random.oneIn(8) { _ = queue.responses() }
        }
        // The interface works for a driver that starts again.
        try station.disconnect()
        try station.restartDriver()
        let other = try station.connect()
        #expect(other.send(Packets.ethernet([7])) == [0], "seed \(seed)")
        link.give([Packets.ethernet([8])])
        #expect(other.receive { $0.contains { $0.bytes == Packets.ethernet([8]) } }.isEmpty == false, "seed \(seed)")
        #expect(station.log.all.count <= 1, "seed \(seed)")
    }

    private func noisySlot(_ random: inout SeededRandom, _ queue: FrontendQueue) -> TransmitSlot {
        if random.oneIn(4) { return TransmitSlot(raw: (0..<12).map { _ in random.byte() }) }
        var packet = Packets.tcp(payload: Packets.bytes(random.below(3000)), isBlank: true)
        for _ in 0..<random.below(3) { packet[random.below(min(packet.count, 60))] = random.byte() }
        var slot = queue.slots(Array(packet.prefix(4096)))[0]
        slot.flags = UInt16(random.below(16))
        if random.oneIn(5) { slot.reference = UInt32(random.below(5000)) }
        if random.oneIn(5) { slot.size = UInt16(truncatingIfNeeded: random.integer()) }
        if random.oneIn(5) { slot.offset = UInt16(truncatingIfNeeded: random.integer()) }
        return slot
    }

    @Test("Whatever the bytes, completing a frame stays inside it", arguments: 0..<20)
    func frames(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let completion = FrameCompletion()
        let coalescer = Coalescer(for: .all)
        for _ in 0..<400 {
            var flow = random.pick(ChecksumTests.flows)
            flow.sourcePort = 1
            var packet =
                random.oneIn(4)
                ? (0..<(14 + random.below(200))).map { _ in random.byte() }
                : Packets.tcp(flow, payload: Packets.bytes(random.below(600)), isBlank: true)
            for _ in 0..<random.below(4) { packet[random.below(packet.count)] = random.byte() }
            if random.oneIn(3) { packet = Array(packet.prefix(14 + random.below(packet.count - 13))) }
            let offload = Offload(
                checksum: random.pick([.unchecked, .blank, .valid]), segmentation: random.pick([.none, .tcp4, .tcp6]),
                segmentByteCount: UInt16(random.below(600)))
            let abilities = FrameAbilities(rawValue: random.byte() & 15)
            var total = 0
            withFrame(packet, offload) { frame in
                coalescer.push(frame) { completion.complete($0, for: abilities) { total += $0.count } }
            }
            #expect(total <= 66_000 * 14, "seed \(seed)")
        }
    }
}
