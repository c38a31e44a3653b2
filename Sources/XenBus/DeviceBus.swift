public import HostIO
internal import Synchronization

/// The paravirtual devices of one guest, as its xenstore shows them: makes and removes their nodes and takes each backend through the
/// handshake with its frontend. One thread.
///
/// What a guest writes costs one look at its state, and those are paced; see `Pace`.
public final class DeviceBus: Sendable {
    /// How long ``detach(kind:id:forced:completion:)`` waits for the guest, if nothing else was said.
    public static let detachMilliseconds: Int64 = 10_000

    private struct State: Sendable {
        var devices: [DeviceKey: BusDevice] = [:]
        /// What the thread has been asked to do.
        var errands: [@Sendable (DeviceBus) -> Void] = []
        var isStopping = false
    }

    private let domain: UInt16
    private let store: any StoreAccess
    private let detachMilliseconds: Int64
    private let log: @Sendable (String) -> Void
    private let state = Mutex(State())
    /// Held while the nodes of a kind come or go, so that the last device's removal takes no new device's nodes along.
    private let plugging = Mutex(())
    private let wakeUp: WakeUp
    private let thread = Mutex<HostThread?>(nil)

    /// A bus without devices.
    ///
    /// - Parameters:
    ///   - domain: the guest's number.
    ///   - detachMilliseconds: how long a frontend has to let go of its device.
    ///   - log: gets a line for whatever an operator should know of; from the bus's thread.
    /// - Throws: ``HostError`` when the process has no descriptor left.
    public init(
        domain: UInt16, store: any StoreAccess, detachMilliseconds: Int64 = DeviceBus.detachMilliseconds,
        log: @escaping @Sendable (String) -> Void
    ) throws(HostError) {
        self.domain = domain
        self.store = store
        self.detachMilliseconds = detachMilliseconds
        self.log = log
        wakeUp = try WakeUp()
    }

    /// Starts the thread. Once.
    ///
    /// - Throws: ``HostError`` when the host gives no thread.
    public func start() throws(HostError) {
        let started = try HostThread(stackByteCount: 1 << 20) { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// Ends the service of all devices and the thread: what is under way is finished, and backends are closed. The nodes stay. Safe to call
    /// twice, and without ``start()``.
    public func stop() {
        state.withLock { $0.isStopping = true }
        wakeUp.signal()
        let running = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        running?.join()
        for device in takeDevices() {
            device.shutDown()
            device.detachment?.completion(nil)
        }
    }

    private func takeDevices() -> [BusDevice] {
        state.withLock { state in
            defer { state.devices = [:] }
            return Array(state.devices.values)
        }
    }

    // MARK: - plugging

    /// Makes a device's nodes, in one transaction; the guest may find it from then on. Before or after ``start()``.
    ///
    /// - Throws: ``DeviceFailure`` when there is such a device or the store refuses; the backend is not in use then.
    public func attach(_ backend: any DeviceBackend) throws(DeviceFailure) {
        let paths = DevicePaths(domain: domain, kind: backend.kind, id: backend.id)
        let device = BusDevice(backend, paths, store, now: monotonicMilliseconds(), log: log)
        let isNew = state.withLock { state in
            guard !state.isStopping, state.devices[DeviceKey(paths)] == nil else { return false }
            state.devices[DeviceKey(paths)] = device
            return true
        }
        guard isNew else { throw DeviceFailure("there is a \(device.name) already") }
        do throws(DeviceFailure) {
            try plugging.withLock { (_) throws(DeviceFailure) in try store.update(paths.creation(of: backend)) }
            let notice: @Sendable () -> Void = { [weak self, weak device] in
                device?.isDirty.store(true, ordering: .sequentiallyConsistent)
                self?.wakeUp.signal()
            }
            device.watches = [try store.watch("\(paths.frontend)/state", notice)]
            device.watches.append(try store.watch("\(paths.backend)/online", notice))
            for node in backend.liveFrontendNodes { device.watches.append(try store.watch("\(paths.frontend)/\(node)", notice)) }
            device.isReady.store(true, ordering: .sequentiallyConsistent)
            wakeUp.signal()
        } catch {
            state.withLock { $0.devices[DeviceKey(paths)] = nil }
            for watch in device.watches { store.unwatch(watch) }
            throw error
        }
    }

    /// Takes a device away. The guest is asked to let go of it, unless it is `forced` or nothing of it is in use.
    ///
    /// - Parameter completion: called once, on the bus's thread (on this one when the guest has ended), with nil when the device is gone, else with the reason why it stays as it was.
    public func detach(kind: String, id: UInt32, forced: Bool, completion: @escaping @Sendable (DeviceFailure?) -> Void) {
        let isTaken = errand { bus in bus.detach(DeviceKey(kind: kind, id: id), forced, completion) }
        if !isTaken { completion(DeviceFailure("the guest has ended")) }
    }

    /// Shows a device's frontend new values of its backend's nodes, such as another size. Nothing happens while it is not connected: it
    /// gets them when it connects.
    public func announce(kind: String, id: UInt32, _ nodes: [(name: String, value: String)]) {
        errand { bus in bus.device(DeviceKey(kind: kind, id: id))?.announce(nodes) }
    }

    /// What is plugged in, and the frontends' nodes as they are now.
    public var devices: [(backend: any DeviceBackend, backendPath: String, frontend: DeviceNodes)] {
        let devices = state.withLock { $0.devices.values.sorted { ($0.paths.kind, $0.paths.id) < ($1.paths.kind, $1.paths.id) } }
        return devices.map { ($0.backend, $0.paths.backend, store.snapshot($0.paths.frontend) ?? DeviceNodes()) }
    }

    /// - Returns: false when the bus is at its end.
    @discardableResult
    private func errand(_ body: @escaping @Sendable (DeviceBus) -> Void) -> Bool {
        let isTaken = state.withLock { state in
            if !state.isStopping { state.errands.append(body) }
            return !state.isStopping
        }
        if isTaken { wakeUp.signal() }
        return isTaken
    }

    private func device(_ key: DeviceKey) -> BusDevice? { state.withLock { $0.devices[key] } }

    // MARK: - the thread

    private func run() {
        var poller = Poller()
        while true {
            wakeUp.clear()
            let (errands, isStopping) = state.withLock { state in
                defer { state.errands = [] }
                return (state.errands, state.isStopping)
            }
            for errand in errands { errand(self) }
            if isStopping { return }
            let devices = state.withLock { Array($0.devices.values) }
            for device in devices where device.isReady.load(ordering: .sequentiallyConsistent) { serve(device, monotonicMilliseconds()) }
            poller.removeAll()
            poller.add(wakeUp.descriptor, .readable)
            poller.wait(milliseconds: wait(for: devices))
        }
    }

    private func serve(_ device: BusDevice, _ now: Int64) {
        guard !isDue(device, now) || device.look() else { return remove(device) }
        guard let detachment = device.detachment, detachment.deadline <= now else { return }
        device.detachment = nil
        device.keep()
        detachment.completion(DeviceFailure("the guest does not let go of \(device.name)"))
    }

    /// Whether to look at a device now; if it may have changed and it is too early, its ``BusDevice/nextLook`` says when.
    private func isDue(_ device: BusDevice, _ now: Int64) -> Bool {
        guard device.isDirty.load(ordering: .sequentiallyConsistent), (device.nextLook ?? now) <= now else { return false }
        device.nextLook = device.pace.take(now: now)
        guard device.nextLook == nil else { return false }
        device.isDirty.store(false, ordering: .sequentiallyConsistent)
        return true
    }

    private func wait(for devices: [BusDevice]) -> Int32? {
        let moments = devices.flatMap { [$0.nextLook, $0.detachment?.deadline] }.compactMap { $0 }
        return moments.min().map { Int32(clamping: max(0, $0 - monotonicMilliseconds())) }
    }

    private func detach(_ key: DeviceKey, _ forced: Bool, _ completion: @escaping @Sendable (DeviceFailure?) -> Void) {
        guard let device = device(key) else { return completion(DeviceFailure("there is no \(key.kind) \(key.id)")) }
        // Its caller is not done with it yet.
        guard device.isReady.load(ordering: .sequentiallyConsistent) else {
            return completion(DeviceFailure("\(device.name) is just being plugged in"))
        }
        if let earlier = device.detachment {
            device.detachment = nil
            earlier.completion(DeviceFailure("another request takes \(device.name) away"))
        }
        guard !forced, device.askToClose() else {
            remove(device)
            return completion(nil)
        }
        device.detachment = BusDevice.Detachment(deadline: monotonicMilliseconds() + detachMilliseconds, completion: completion)
    }

    private func remove(_ device: BusDevice) {
        device.shutDown()
        do throws(DeviceFailure) {
            try plugging.withLock { (_) throws(DeviceFailure) in
                let isLast = state.withLock { state in
                    state.devices[DeviceKey(device.paths)] = nil
                    return !state.devices.keys.contains { $0.kind == device.paths.kind }
                }
                try store.update(device.paths.removal(isLast: isLast))
            }
        } catch {
            log("\(device.name): its nodes cannot be removed: \(error.message)")
        }
        device.detachment?.completion(nil)
        device.detachment = nil
    }
}

/// Names a device among those of a guest.
private struct DeviceKey: Hashable, Sendable {
    var kind: String
    var id: UInt32

    init(kind: String, id: UInt32) {
        self.kind = kind
        self.id = id
    }

    init(_ paths: DevicePaths) { self.init(kind: paths.kind, id: paths.id) }
}
