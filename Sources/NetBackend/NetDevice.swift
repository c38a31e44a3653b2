internal import Glibc
public import HostIO
public import PVRing
internal import Synchronization
public import XenBus

/// A virtual network interface of a guest (vif): the backend's half of Xen's network protocol, and the link behind it.
///
/// One thread serves both. It waits for the guest's events, for the link's descriptors and for moments; nothing in it blocks, and a guest's
/// vCPU never waits for it.
public final class NetDevice: DeviceBackend, @unchecked Sendable {
    public let kind = "vif"
    public let id: UInt32

    private let configuration: NetConfiguration
    private let guest: any GuestAccess
    private let log: PacedLog
    private let counters = NetCounters()
    private let wakeUp: WakeUp
    private let errands = Mutex<[@Sendable (NetDevice) -> Void]>([])
    private let isStopping = Atomic(false)
    private var thread: HostThread?
    // The thread's own:
    private let link: any FrameLink
    private let poll = PollSet()
    private var connection: NetConnection?

    /// Starts the device's thread; ``close()`` ends it.
    ///
    /// - Parameters:
    ///   - link: nobody else's from now on; closed by ``close()``, or before this throws.
    ///   - log: gets a line for whatever an operator should know of, from any thread.
    /// - Throws: ``HostError`` when the host gives no thread or descriptor.
    public init(
        _ configuration: NetConfiguration, _ guest: any GuestAccess, link: sending any FrameLink, log: @escaping @Sendable (String) -> Void
    ) throws(HostError) {
        id = configuration.handle
        self.configuration = configuration
        self.guest = guest
        self.link = link
        self.log = PacedLog(log)
        do throws(HostError) {
            wakeUp = try WakeUp()
        } catch {
            link.close()
            throw error
        }
        link.receiver = self
        do throws(HostError) {
            thread = try HostThread { [self] in run() }
        } catch {
            link.close()
            throw error
        }
    }

    /// All counters; ``statistics`` is what the bus asks for.
    public var counts: NetStatistics { counters.statistics }

    public var statistics: DeviceStatistics {
        let counts = counts
        var statistics = DeviceStatistics()
        (statistics.requestsIn, statistics.requestsOut) = (counts.packetsIn, counts.packetsOut)
        (statistics.bytesIn, statistics.bytesOut) = (counts.bytesIn, counts.bytesOut)
        statistics.errors = counts.errors + counts.dropsIn + counts.dropsOut
        return statistics
    }

    // MARK: - nodes

    public var frontendNodes: [(name: String, value: String)] {
        [
            ("handle", "\(id)"), ("mac", "\(configuration.mac)"), ("trusted", configuration.isTrusted ? "1" : "0"),
        ]
    }

    public var guardedFrontendNodes: [(name: String, value: String)] { [("mtu", "\(configuration.mtu)")] }

    public var backendNodes: [(name: String, value: String)] {
        var nodes = [("script", configuration.script), ("mac", "\(configuration.mac)")]
        if let name = configuration.interfaceName { nodes.append(("vifname", name)) }
        if let rate = configuration.rate { nodes.append(("rate", "\(rate.bytesPerInterval),\(rate.intervalMicroseconds)")) }
        if let ip = configuration.ip { nodes.append(("ip", ip)) }
        nodes.append(("bridge", configuration.bridge))
        if configuration.mtu != 1500 { nodes.append(("mtu", "\(configuration.mtu)")) }
        return nodes + [("handle", "\(id)"), ("type", "vif"), ("hotplug-status", "")]
    }

    public func features() -> [(name: String, value: String)] {
        let offered = [
            "feature-sg", "feature-gso-tcpv4", "feature-gso-tcpv6", "feature-ipv6-csum-offload", "feature-rx-copy",
            "feature-split-event-channels", "feature-multicast-control", "feature-dynamic-multicast-control", "feature-xdp-headroom",
        ]
        let absent = ["feature-rx-flip", "feature-ctrl-ring"]
        return offered.map { ($0, "1") } + absent.map { ($0, "0") }
            + [("multi-queue-max-queues", "\(configuration.maximumQueueCount)"), ("hotplug-status", "connected")]
    }

    // MARK: - the bus

    public func connect(_ frontend: DeviceNodes) throws(DeviceFailure) -> [(name: String, value: String)] {
        let wakeUp = wakeUp
        let new = try NetConnection(configuration, frontend, guest, link: link, counters: counters) { wakeUp.signal() }
        let handed = Handed(new)
        perform { device in device.connection = handed.value }
        return []
    }

    public var liveFrontendNodes: [String] { ["request-multicast-control"] }

    public func update(_ frontend: DeviceNodes) -> Bool {
        let features = FrontendFeatures(frontend)
        perform { device in device.connection?.update(features) }
        return true
    }

    public func disconnect() {
        perform { device in device.dropConnection() }
    }

    public func close() {
        guard let thread else { return }
        isStopping.store(true, ordering: .sequentiallyConsistent)
        wakeUp.signal()
        thread.join()
        self.thread = nil
        dropConnection()
        link.close()
    }

    /// Does something on the device's thread, and returns when it is done.
    private func perform(_ body: @escaping @Sendable (NetDevice) -> Void) {
        let done = Handover()
        errands.withLock { errands in
            errands.append { device in
                body(device)
                done.finish()
            }
        }
        wakeUp.signal()
        done.wait()
    }

    // MARK: - the thread

    private func run() {
        while true {
            wakeUp.clear()
            if isStopping.load(ordering: .sequentiallyConsistent) { return }
            for errand in errands.withLock({ errands in
                defer { errands = [] }
                return errands
            }) { errand(self) }
            serveRound()
        }
    }

    private func serveRound() {
        var isBusy = false
        guarded { connection throws(BrokenRing) in
            isBusy = try connection.serve()
            try connection.flush()
        }
        poll.begin()
        poll.add(wakeUp.descriptor.rawValue, POLLIN)
        link.prepare(poll, wantsFrames: connection?.wantsFrames ?? true)
        if isBusy { poll.wake(at: 0) }
        if let deadline = connection?.deadline { poll.wake(at: deadline) }
        poll.wait()
        link.serve(poll)
        guarded { connection throws(BrokenRing) in try connection.flush() }
    }

    /// A guest that breaks its ring loses the connection, not the interface: its driver can make another one.
    private func guarded(_ body: (NetConnection) throws(BrokenRing) -> Void) {
        guard let connection else { return }
        do throws(BrokenRing) {
            try body(connection)
        } catch {
            counters.failed()
            log("\(configuration.name): the guest broke a ring; the interface is disconnected")
            dropConnection()
        }
    }

    private func dropConnection() {
        connection?.close()
        connection = nil
    }
}

extension NetDevice: FrameReceiver {
    public func receive(_ frame: Frame) { connection?.receive(frame) }
}

/// Carries an object from the bus's thread to the device's.
private struct Handed<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
}
