internal import GuestMemory
internal import PVRing
internal import XenABI

/// One ring of packets from the guest: gathers each in memory of our own, checks it there, and answers its slots.
final class TransmitQueue {
    /// A frontend may use 18 slots for one packet; more are taken from those that do.
    static let maximumSlotCount = 40
    /// Packets taken in one go, so that the guest's sending does not keep us from all else.
    static let packetsPerRound = 128

    /// What a chain of slots asks for.
    private enum Request {
        case packet(Frame)
        case joinMulticast(MACAddress)
        case leaveMulticast(MACAddress)
    }

    private var ring: BackRing
    private let guest: any GuestAccess
    private let port: UInt32
    private let counters: NetCounters
    private let buffer: FrameBuffer
    /// The slots of the packet at hand, in the ring's order; the first holds data.
    private var slots: [TransmitRequest] = []
    private var extras: [ExtraInfo] = []

    init(_ ring: BackRing, _ guest: any GuestAccess, port: UInt32, buffer: FrameBuffer, counters: NetCounters) {
        self.ring = ring
        self.guest = guest
        self.port = port
        self.buffer = buffer
        self.counters = counters
        slots.reserveCapacity(Int(ring.entryCount))
        extras.reserveCapacity(Int(ring.entryCount))
    }

    /// Takes packets until the ring is empty, the round is over or the limit is reached.
    ///
    /// - Returns: whether packets wait.
    /// - Throws: ``BrokenRing``: nothing can be done with this ring any more.
    func serve(_ connection: NetConnection) throws(BrokenRing) -> Bool {
        defer { publish() }
        for _ in 0..<Self.packetsPerRound {
            guard connection.maySend() else { return false }
            guard let first = try takeWords().map(TransmitRequest.init) else { return try ring.awaitRequests() }
            let isWhole = try takeChain(first)
            let isGood = isWhole && (request().map { perform($0, connection) } ?? false)
            if !isGood { counters.failed() }
            answer(isGood ? .okay : .error)
        }
        return try ring.waitingRequestCount() > 0
    }

    // MARK: - slots

    private func takeWords() throws(BrokenRing) -> InlineArray<3, UInt32>? {
        var words: InlineArray<3, UInt32> = [0, 0, 0]
        var failure: BrokenRing?
        let isThere = unsafe withUnsafeMutableBytes(of: &words) { bytes in
            do throws(BrokenRing) { return unsafe try ring.takeRequest(into: bytes) } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        return isThere ? words : nil
    }

    /// Takes the other slots of a packet. As nothing is answered meanwhile, the ring's size bounds it.
    ///
    /// - Returns: false when the packet is not complete in the ring: guests publish whole packets.
    private func takeChain(_ first: TransmitRequest) throws(BrokenRing) -> Bool {
        slots.removeAll(keepingCapacity: true)
        extras.removeAll(keepingCapacity: true)
        slots.append(first)
        var hasMore = first.flags.contains(.extraInfo)
        while hasMore {
            guard let extra = try takeWords().map(ExtraInfo.init) else { return false }
            extras.append(extra)
            hasMore = extra.hasMore
        }
        hasMore = first.flags.contains(.moreData)
        while hasMore {
            guard let slot = try takeWords().map(TransmitRequest.init) else { return false }
            slots.append(slot)
            hasMore = slot.flags.contains(.moreData)
        }
        return true
    }

    /// One response per slot: the first, its extra information, the rest.
    private func answer(_ status: ResponseStatus) {
        put(id: slots[0].id, status)
        for _ in extras { put(id: 0, .null) }
        for slot in slots.dropFirst() { put(id: slot.id, status) }
    }

    private func put(id: UInt16, _ status: ResponseStatus) {
        let word = UInt32(id) | UInt32(UInt16(bitPattern: status.rawValue)) << 16
        unsafe withUnsafeBytes(of: word) { unsafe ring.putResponse($0) }
    }

    private func publish() {
        if ring.publishResponses() { guest.notify(port) }
    }

    // MARK: - packets

    /// Nil when the slots make no sense or their grants do not hold.
    private func request() -> Request? {
        var offload = Offload()
        if slots[0].flags.contains(.dataValidated) { offload.checksum = .valid }
        if slots[0].flags.contains(.checksumBlank) { offload.checksum = .blank }
        for extra in extras {
            switch extra.kind {
            case .segmentation(let segmentation, let byteCount):
                offload = Offload(checksum: .blank, segmentation: segmentation, segmentByteCount: byteCount)
            case .joinMulticast(let address): return .joinMulticast(address)
            case .leaveMulticast(let address): return .leaveMulticast(address)
            case nil: return nil
            }
        }
        guard let count = gather() else { return nil }
        let frame = buffer.frame(count, offload)
        return frame.source.isGroup ? nil : .packet(frame)
    }

    /// Copies the packet's parts together, each byte once.
    ///
    /// - Returns: its size; nil when sizes or grants are wrong.
    private func gather() -> Int? {
        let total = Int(slots[0].byteCount)
        let others = slots.dropFirst().reduce(0) { $0 + Int($1.byteCount) }
        guard slots.count <= Self.maximumSlotCount, total >= Frame.headerByteCount, others <= total else { return nil }
        var done = 0
        for (index, slot) in slots.enumerated() {
            let count = index == 0 ? total - others : Int(slot.byteCount)
            guard Int(slot.offset) + count <= GuestMemory.pageSize else { return nil }
            guard copy(slot, count: count, to: done) else { return nil }
            done += count
        }
        return total
    }

    private func copy(_ slot: TransmitRequest, count: Int, to place: Int) -> Bool {
        do throws(GrantStatus) {
            let frame = try guest.acquireGrant(slot.reference, readOnly: true)
            // SAFETY: the range lies in a page that stays while the grant is in use, and `place + count` is at most the packet's size,
            // a 16-bit number, for which the buffer has room.
            unsafe (buffer.base + place).copyMemory(from: guest.memory.unsafePointer(frame) + Int(slot.offset), byteCount: count)
            guest.releaseGrant(slot.reference, frame: frame, readOnly: true)
            return true
        } catch {
            return false
        }
    }

    private func perform(_ request: Request, _ connection: NetConnection) -> Bool {
        switch request {
        case .packet(let frame): return connection.send(frame)
        case .joinMulticast(let address): return connection.multicast.join(address)
        case .leaveMulticast(let address):
            connection.multicast.leave(address)
            return true
        }
    }
}
