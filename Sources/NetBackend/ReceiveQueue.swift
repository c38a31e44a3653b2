internal import GuestMemory
internal import HostIO
internal import PVRing
internal import XenABI

/// One ring of buffers that the guest wants filled with packets. Packets that find no buffers wait, in bounded number and time.
final class ReceiveQueue {
    /// What waits at most.
    static let backlogByteCount = 4 << 20
    /// How long a packet waits for buffers, as in Xen's backend.
    static let patienceMilliseconds: Int64 = 10_000
    /// Packets the guest is told of at the latest, so that it works while we do.
    private static let packetsPerNotice = 32

    private var ring: BackRing
    private let guest: any GuestAccess
    private let port: UInt32
    private var features: FrontendFeatures
    private let counters: NetCounters
    private let completion: FrameCompletion
    private let backlog = FrameQueue(byteCount: ReceiveQueue.backlogByteCount)
    private var unpublishedCount = 0
    /// The guest broke its ring; nothing is done with it any more.
    private(set) var isBroken = false

    init(
        _ ring: BackRing, _ guest: any GuestAccess, port: UInt32, features: FrontendFeatures, completion: FrameCompletion,
        counters: NetCounters
    ) {
        self.ring = ring
        self.guest = guest
        self.port = port
        self.features = features
        self.completion = completion
        self.counters = counters
    }

    /// Bytes left free before the data in each buffer.
    var headroom: Int {
        get { features.headroom }
        set { features.headroom = newValue }
    }

    var hasBacklog: Bool { !backlog.isEmpty }
    /// Links had better keep what they have.
    var isCongested: Bool { backlog.byteCount > Self.backlogByteCount / 4 }

    /// Gives the guest a packet, now or later.
    func push(_ frame: Frame) {
        let isSound = completion.complete(frame, for: features.abilities) { part in deliverOrKeep(part) }
        if !isSound { counters.droppedIn() }
    }

    /// Gives the guest what waits, and drops what has waited too long.
    func drain() {
        guard hasBacklog else { return }
        let now = monotonicMilliseconds()
        while let (frame, time) = backlog.first {
            if !deliver(frame) {
                guard now - time >= Self.patienceMilliseconds else { break }
                counters.droppedIn()
            }
            backlog.removeFirst()
        }
    }

    /// Shows the guest what it got, and asks for an event if it has to give buffers.
    func flush() {
        guard !isBroken else { return }
        publish()
        guard hasBacklog else { return }
        do throws(BrokenRing) {
            drain()
            // A large packet may need more buffers than the guest has given: only more of them are news.
            if hasBacklog, try ring.awaitRequests(moreThan: ring.waitingRequestCount()) { drain() }
            publish()
        } catch {
            isBroken = true
        }
    }

    private func publish() {
        unpublishedCount = 0
        if ring.publishResponses() { guest.notify(port) }
    }

    private func deliverOrKeep(_ frame: Frame) {
        guard !isBroken, features.takes(frame) else { return counters.droppedIn() }
        if backlog.isEmpty, deliver(frame) { return }
        if !isBroken, backlog.push(frame, now: monotonicMilliseconds()) { return }
        counters.droppedIn()
    }

    // MARK: - slots

    /// - Returns: false when the guest has not enough buffers there, or the ring is broken.
    private func deliver(_ frame: Frame) -> Bool {
        do throws(BrokenRing) {
            guard !isBroken, try ring.waitingRequestCount() >= features.slotCount(frame) else { return false }
            try fill(frame)
        } catch {
            isBroken = true
            return false
        }
        unpublishedCount += 1
        if unpublishedCount >= Self.packetsPerNotice { publish() }
        return true
    }

    private func fill(_ frame: Frame) throws(BrokenRing) {
        var done = 0
        var isGood = true
        var flags = ReceiveFlags(frame.offload)
        repeat {
            let count = min(frame.count - done, features.bytesPerSlot)
            guard let buffer = try takeBuffer() else { return }
            let isCopied = copy(frame, from: done, count: count, to: buffer.reference)
            isGood = isGood && isCopied
            done += count
            if done < frame.count { flags.insert(.moreData) }
            put(buffer.id, flags, isCopied ? Int16(count) : ResponseStatus.error.rawValue)
            if flags.contains(.extraInfo) {
                guard try takeBuffer() != nil else { return }
                put(ExtraInfo(frame.offload.segmentation, byteCount: frame.offload.segmentByteCount).word)
            }
            flags = []
        } while done < frame.count
        if isGood { counters.received(frame.count) } else { counters.failed() }
    }

    /// The next buffer: id and grant reference.
    private func takeBuffer() throws(BrokenRing) -> (id: UInt16, reference: UInt32)? {
        var words: InlineArray<2, UInt32> = [0, 0]
        var failure: BrokenRing?
        let isThere = unsafe withUnsafeMutableBytes(of: &words) { bytes in
            do throws(BrokenRing) { return unsafe try ring.takeRequest(into: bytes) } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        return isThere ? (UInt16(truncatingIfNeeded: words[0]), words[1]) : nil
    }

    private func copy(_ frame: Frame, from place: Int, count: Int, to reference: UInt32) -> Bool {
        do throws(GrantStatus) {
            let page = try guest.acquireGrant(reference, readOnly: false)
            // SAFETY: offset and count stay in a page that is there while the grant is in use.
            unsafe frame.copy(from: place, count: count, to: guest.memory.unsafePointer(page) + features.headroom)
            guest.memory.noteWrite(page, offset: features.headroom, byteCount: count)
            guest.releaseGrant(reference, frame: page, readOnly: false)
            return true
        } catch {
            return false
        }
    }

    private func put(_ id: UInt16, _ flags: ReceiveFlags, _ status: Int16) {
        put(
            UInt64(id) | UInt64(features.headroom) << 16 | UInt64(flags.rawValue) << 32 | UInt64(UInt16(bitPattern: status)) << 48)
    }

    private func put(_ response: UInt64) {
        unsafe withUnsafeBytes(of: response) { unsafe ring.putResponse($0) }
    }
}

extension ReceiveFlags {
    init(_ offload: Offload) {
        switch offload.checksum {
        case .unchecked: self = []
        case .blank: self = [.checksumBlank, .dataValidated]
        case .valid: self = .dataValidated
        }
        if offload.segmentation != .none { insert(.extraInfo) }
    }
}
