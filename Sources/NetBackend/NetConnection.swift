internal import Glibc
internal import HostIO
internal import PVRing
internal import Synchronization
internal import XenABI
internal import XenBus

/// The rings of one guest driver in use. All but ``init(_:_:_:link:counters:wake:)`` and ``close()`` belongs to the device's thread.
final class NetConnection {
    private struct Queue {
        let transmit: TransmitQueue
        let receive: ReceiveQueue
    }

    private let guest: any GuestAccess
    private let link: any FrameLink
    private let counters: NetCounters
    private let queues: [Queue]
    private let ports: [UInt32]
    private let coalescer: Coalescer?
    private let completion = FrameCompletion()
    private var limit: RateLimit?
    var multicast: MulticastFilter
    /// When the guest may send again, monotonic microseconds.
    private var sendingResumes: Int64?

    /// Takes the rings of all queues into use.
    ///
    /// - Parameter wake: called for each event of the guest's, on the sending vCPU's thread.
    /// - Throws: ``DeviceFailure``; nothing of the guest is in use then.
    init(
        _ configuration: NetConfiguration, _ nodes: DeviceNodes, _ guest: any GuestAccess, link: any FrameLink, counters: NetCounters,
        wake: @escaping @Sendable () -> Void
    ) throws(DeviceFailure) {
        let setup = try FrontendSetup(nodes, maximumQueueCount: configuration.maximumQueueCount)
        let (buffer, completion) = (FrameBuffer(), FrameCompletion())
        var queues: [Queue] = []
        for queue in setup.queues {
            queues.append(
                Queue(
                    transmit: TransmitQueue(
                        try Self.ring(guest, queue.transmitReference, entryByteCount: TransmitRequest.byteCount), guest,
                        port: queue.transmitPort, buffer: buffer, counters: counters),
                    receive: ReceiveQueue(
                        try Self.ring(guest, queue.receiveReference, entryByteCount: 8), guest, port: queue.receivePort,
                        features: setup.features, completion: completion, counters: counters)))
        }
        self.guest = guest
        self.link = link
        self.counters = counters
        self.queues = queues
        ports = setup.ports
        multicast = MulticastFilter(isOn: setup.features.controlsMulticast)
        limit = configuration.rate.map { RateLimit($0, now: monotonicMicroseconds()) }
        let segments = setup.features.abilities.intersection([.tcp4, .tcp6])
        coalescer = segments.isEmpty ? nil : Coalescer(for: segments)
        try bind(wake)
    }

    private static func ring(_ guest: any GuestAccess, _ reference: UInt32, entryByteCount: Int) throws(DeviceFailure) -> BackRing {
        do throws(GrantStatus) {
            return BackRing(pages: [try GrantedPage(guest, reference, readOnly: false)], entryByteCount: entryByteCount)
        } catch {
            throw DeviceFailure("the ring of grant reference \(reference) cannot be mapped: status \(error.rawValue)")
        }
    }

    private func bind(_ wake: @escaping @Sendable () -> Void) throws(DeviceFailure) {
        for (index, port) in ports.enumerated() {
            do throws(XenError) {
                try guest.bindEventChannel(port, handler: wake)
            } catch {
                for bound in ports[..<index] { guest.unbindEventChannel(bound) }
                throw DeviceFailure("event channel \(port) cannot be bound: \(error)")
            }
        }
    }

    /// Lets go of the event channels; the rings go with the object.
    func close() {
        for port in ports { guest.unbindEventChannel(port) }
    }

    // MARK: - a round of the device's thread

    /// Takes what the guest sends, and gives it what waits.
    ///
    /// - Returns: whether there is more to do at once.
    /// - Throws: ``BrokenRing``.
    func serve() throws(BrokenRing) -> Bool {
        sendingResumes = nil
        var isBusy = false
        for queue in queues {
            queue.receive.drain()
            if try queue.transmit.serve(self) { isBusy = true }
        }
        return isBusy
    }

    /// Hands out what the round has gathered.
    ///
    /// - Throws: ``BrokenRing``.
    func flush() throws(BrokenRing) {
        coalescer?.flush { route($0) }
        for queue in queues {
            queue.receive.flush()
            guard !queue.receive.isBroken else { throw BrokenRing(consumer: 0, producer: 0) }
        }
    }

    /// When to look again though nothing happens, monotonic milliseconds.
    var deadline: Int64? {
        let resumption = sendingResumes.map { $0 / 1000 + 1 }
        // A driver that sends no events for its buffers is looked at now and then.
        let look = queues.contains { $0.receive.hasBacklog } ? monotonicMilliseconds() + 50 : nil
        return [resumption, look].compactMap { $0 }.min()
    }

    var wantsFrames: Bool { !queues.contains { $0.receive.isCongested } }

    /// Takes over what a driver may change while it is connected: the room before its packets, and whether it chooses multicasts.
    func update(_ features: FrontendFeatures) {
        multicast.isOn = features.controlsMulticast
        for queue in queues { queue.receive.headroom = features.headroom }
    }

    // MARK: - from the guest

    /// Whether the rate allows a packet now.
    func maySend() -> Bool {
        guard limit != nil else { return true }
        sendingResumes = limit?.moment(now: monotonicMicroseconds())
        return sendingResumes == nil
    }

    /// - Returns: false when the packet does not allow what it asks for.
    func send(_ frame: Frame) -> Bool {
        limit?.spend(frame.count)
        var isTaken = true
        let isSound = completion.complete(frame, for: link.abilities) { part in
            if !link.send(part) { isTaken = false }
        }
        guard isSound else { return false }
        if isTaken { counters.sent(frame.count) } else { counters.droppedOut() }
        return true
    }

    // MARK: - to the guest

    func receive(_ frame: Frame) {
        guard multicast.admits(frame) else { return }
        if let coalescer { coalescer.push(frame) { route($0) } } else { route(frame) }
    }

    private func route(_ frame: Frame) {
        let index = queues.count == 1 ? 0 : Int(frame.flowHash % UInt32(queues.count))
        queues[index].receive.push(frame)
    }
}

/// Microseconds of the host's monotonic clock.
func monotonicMicroseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
}
