/// A packet as the guest's driver gets it.
struct ReceivedPacket: Equatable {
    var bytes: [UInt8] = []
    var flags: UInt16 = 0
    /// The eight bytes of extra information.
    var extra: UInt64?
    /// A slot had an error status.
    var isBad = false

    var segmentByteCount: Int { Int(extra.map { UInt16(truncatingIfNeeded: $0 >> 16) } ?? 0) }
    var segmentationType: Int { Int(extra.map { UInt8(truncatingIfNeeded: $0 >> 32) } ?? 0) }
}

/// One slot of the transmit ring as it goes there.
struct TransmitSlot {
    var reference: UInt32 = 0
    var offset: UInt16 = 0
    var flags: UInt16 = 0
    var id: UInt16 = 0
    var size: UInt16 = 0
    /// Instead of all that.
    var raw: [UInt8]?

    static func segmentation(size: UInt16, type: UInt8, more: Bool = false) -> TransmitSlot {
        TransmitSlot(raw: [1, more ? 1 : 0, UInt8(size & 255), UInt8(size >> 8), type, 0, 0, 0, 0, 0, 0, 0])
    }

    static func multicast(join: Bool, _ address: [UInt8]) -> TransmitSlot {
        TransmitSlot(raw: [join ? 2 : 3, 0] + address + [0, 0, 0, 0])
    }
}

/// A pair of rings as a guest's driver drives it.
final class FrontendQueue {
    static let slotCount: UInt32 = 256
    let domain: TestDomain
    let transmitPage: UInt64
    let receivePage: UInt64
    let transmitReference: UInt32
    let receiveReference: UInt32
    let transmitPort: UInt32
    let receivePort: UInt32
    private var transmitProducer: UInt32 = 0
    private var transmitConsumer: UInt32 = 0
    private var receiveProducer: UInt32 = 0
    private var receiveConsumer: UInt32 = 0
    private let transmitBuffers: [(address: UInt64, reference: UInt32)]
    private let receiveBuffers: [(address: UInt64, reference: UInt32)]
    private var nextBuffer = 0

    init(_ domain: TestDomain, splitsPorts: Bool) {
        self.domain = domain
        transmitPage = domain.allocatePage()
        receivePage = domain.allocatePage()
        for page in [transmitPage, receivePage] {
            domain.put(UInt32(1), at: page + 4)
            domain.put(UInt32(1), at: page + 12)
        }
        transmitReference = domain.grant(transmitPage)
        receiveReference = domain.grant(receivePage)
        transmitPort = domain.allocatePort()
        receivePort = splitsPorts ? domain.allocatePort() : transmitPort
        transmitBuffers = (0..<Int(Self.slotCount)).map { _ in
            let page = domain.allocatePage()
            return (page, domain.grant(page, readOnly: true))
        }
        receiveBuffers = (0..<Int(Self.slotCount)).map { _ in
            let page = domain.allocatePage()
            return (page, domain.grant(page))
        }
    }

    // MARK: - transmit

    /// Puts bytes into buffers and returns the slots for them.
    func slots(_ bytes: [UInt8], flags: UInt16 = 0, partSize: Int = 4096, offset: Int = 0) -> [TransmitSlot] {
        var result: [TransmitSlot] = []
        var rest = bytes[...]
        repeat {
            let part = rest.prefix(min(partSize, 4096 - offset))
            rest = rest.dropFirst(part.count)
            let buffer = transmitBuffers[nextBuffer % transmitBuffers.count]
            nextBuffer += 1
            domain.write(part, at: buffer.address + UInt64(offset))
            result.append(
                TransmitSlot(
                    reference: buffer.reference, offset: UInt16(offset), flags: rest.isEmpty ? 0 : 4,
                    id: UInt16(truncatingIfNeeded: nextBuffer), size: UInt16(part.count)))
        } while !rest.isEmpty
        result[0].size = UInt16(bytes.count)
        result[0].flags |= flags
        return result
    }

    func put(_ slots: [TransmitSlot]) {
        for slot in slots {
            let at = transmitPage + 64 + UInt64(transmitProducer % Self.slotCount) * 12
            transmitProducer &+= 1
            if let raw = slot.raw {
                domain.write(raw, at: at)
            } else {
                domain.put(slot.reference, at: at)
                domain.put(UInt32(slot.offset) | UInt32(slot.flags) << 16, at: at + 4)
                domain.put(UInt32(slot.id) | UInt32(slot.size) << 16, at: at + 8)
            }
        }
        domain.put(transmitProducer, at: transmitPage)
    }

    func kick() { domain.send(transmitPort) }

    var freeSlotCount: Int { Int(Self.slotCount &- (transmitProducer &- transmitConsumer)) }

    /// Responses that came: id and status.
    func responses() -> [(id: UInt16, status: Int16)] {
        let produced: UInt32 = domain.get(transmitPage + 8)
        var result: [(UInt16, Int16)] = []
        while transmitConsumer != produced {
            let word: UInt32 = domain.get(transmitPage + 64 + UInt64(transmitConsumer % Self.slotCount) * 12)
            result.append((UInt16(truncatingIfNeeded: word), Int16(truncatingIfNeeded: word >> 16)))
            transmitConsumer &+= 1
        }
        domain.put(produced &+ 1, at: transmitPage + 12)
        return result
    }

    /// Sends slots and waits for their responses.
    func exchange(_ slots: [TransmitSlot]) -> [Int16] {
        put(slots)
        kick()
        var result: [Int16] = []
        _ = eventually {
            result += responses().map(\.status)
            return result.count >= slots.count
        }
        return result
    }

    @discardableResult
    func send(_ bytes: [UInt8], flags: UInt16 = 0, partSize: Int = 4096, gso: (size: UInt16, type: UInt8)? = nil) -> [Int16] {
        var slots = slots(bytes, flags: flags | (gso == nil ? 0 : 8), partSize: partSize)
        if let gso { slots.insert(.segmentation(size: gso.size, type: gso.type), at: 1) }
        return exchange(slots)
    }

    // MARK: - receive

    /// Gives the backend buffers.
    func post(_ count: Int) {
        for _ in 0..<count {
            let index = receiveProducer % Self.slotCount
            let at = receivePage + 64 + UInt64(index) * 8
            domain.put(UInt32(index), at: at)
            domain.put(receiveBuffers[Int(index)].reference, at: at + 4)
            receiveProducer &+= 1
        }
        domain.put(receiveProducer, at: receivePage)
        domain.send(receivePort)
    }

    /// Takes a buffer's grant back.
    func spoilReceiveBuffer(_ index: Int) { domain.setGrant(receiveBuffers[index].reference, 0, flags: 0) }

    private func nextResponse() -> (response: UInt64, index: UInt32) {
        let index = receiveConsumer % Self.slotCount
        receiveConsumer &+= 1
        return (domain.get(receivePage + 64 + UInt64(index) * 8), index)
    }

    /// The next packet, if one is there.
    func poll() -> ReceivedPacket? {
        guard domain.get(receivePage + 8, as: UInt32.self) != receiveConsumer else { return nil }
        var packet = ReceivedPacket()
        var isFirst = true
        while true {
            let (response, index) = nextResponse()
            let (offset, flags) = (UInt16(truncatingIfNeeded: response >> 16), UInt16(truncatingIfNeeded: response >> 32))
            let status = Int16(truncatingIfNeeded: response >> 48)
            if isFirst { packet.flags = flags }
            if status < 0 {
                packet.isBad = true
            } else {
                packet.bytes += domain.bytes(receiveBuffers[Int(index)].address + UInt64(offset), Int(status))
            }
            if isFirst, flags & 8 != 0 { packet.extra = nextResponse().response }
            isFirst = false
            guard flags & 4 != 0 else { break }
        }
        domain.put(receiveConsumer &+ 1, at: receivePage + 12)
        return packet
    }

    func receive() -> ReceivedPacket? {
        var packet: ReceivedPacket?
        _ = eventually {
            packet = poll()
            return packet != nil
        }
        return packet
    }

    /// Takes what comes, giving buffers back, until `condition` holds.
    func receive(until condition: ([ReceivedPacket]) -> Bool) -> [ReceivedPacket] {
        var packets: [ReceivedPacket] = []
        _ = eventually {
            while let packet = poll() { packets.append(packet) }
            repost()
            return condition(packets)
        }
        return packets
    }

    /// Gives buffers back once there are some.
    func repost() {
        let free = Int(Self.slotCount &- (receiveProducer &- receiveConsumer))
        if free > 64 { post(free) }
    }
}
