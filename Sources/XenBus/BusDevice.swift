internal import Synchronization

/// One device on the bus: the backend's half of the xenbus handshake. Everything but the two atomics belongs to the bus's thread.
///
///     Initialising -> InitWait -> (frontend 3 or 4) Connected -> (frontend 5) Closing -> (frontend 6) Closed
///                        ^--------------------- frontend 1 again, while online ----------------------'
///
/// A connected frontend that enters 7 wants its nodes looked at again: the backend answers with 8, and with 4 when the frontend does.
///
/// Reference: Xen `public/io/xenbus.h`.
final class BusDevice: @unchecked Sendable {
    let backend: any DeviceBackend
    let paths: DevicePaths
    /// Something may have changed; set by the store's thread.
    let isDirty = Atomic(true)
    /// Its nodes are written: the bus may look at it.
    let isReady = Atomic(false)
    /// Numbers of the store's watches.
    var watches: [UInt64] = []
    var pace: Pace
    /// When to look again although nothing happened.
    var nextLook: Int64?
    /// Who waits for the device to go, and until when.
    var detachment: Detachment?

    struct Detachment {
        var deadline: Int64
        var completion: @Sendable (DeviceFailure?) -> Void
    }

    private let store: any StoreAccess
    /// Most of what is told, a guest can bring about.
    private let log: PacedLog
    private var state = XenbusState.initialising
    /// The rings in use; nil while the backend serves none.
    private var connection: [String: String]?

    init(
        _ backend: any DeviceBackend, _ paths: DevicePaths, _ store: any StoreAccess, now: Int64, log: @escaping @Sendable (String) -> Void
    ) {
        self.backend = backend
        self.paths = paths
        self.store = store
        self.log = PacedLog(log)
        pace = Pace(now: now)
    }

    var name: String { "\(paths.kind) \(paths.id)" }

    // MARK: - the handshake

    /// Does what the frontend's state asks for.
    ///
    /// - Returns: false when the device is to go.
    func look() -> Bool {
        // Whoever removes the backend's nodes wants the device gone whatever the guest says.
        guard let online = store.value("\(paths.backend)/online") else { return false }
        let isOnline = online != "0"
        switch XenbusState(text: store.value("\(paths.frontend)/state")) {
        case .initialising:
            guard isOnline else { return false }
            offer()
        case .initialised, .connected:
            guard isOnline || connection != nil else { return false }
            connect()
        case .closing: if state != .closing, state != .closed { enter(.closing) }
        case .closed, .unknown:
            end()
            if state != .closed { enter(.closed) }
            return isOnline
        case .reconfiguring: reconfigure()
        case .initWait, .reconfigured: break
        }
        return true
    }

    /// The frontend starts, for the first time or again.
    private func offer() {
        guard state != .initWait else { return }
        end()
        enter(.initWait, backend.features())
    }

    private func connect() {
        guard let nodes = store.snapshot(paths.frontend) else { return }
        // A frontend that went through a whole hand-over before we looked has other rings now.
        guard connection == nil || connection != nodes.connection else { return refresh(nodes) }
        end()
        do throws(DeviceFailure) {
            let answer = try backend.connect(nodes)
            connection = nodes.connection
            enter(.connected, answer)
        } catch {
            log("\(name): the guest's driver cannot be connected: \(error.message)")
            enter(.closing, [("error", error.message)])
        }
    }

    /// A connected frontend changed something else, or is back from reconfiguring.
    private func refresh(_ nodes: DeviceNodes) {
        if !backend.liveFrontendNodes.isEmpty { _ = backend.update(nodes) }
        if state == .reconfigured { enter(.connected) }
    }

    /// The frontend waits until what it wrote counts.
    private func reconfigure() {
        guard connection != nil, state == .connected || state == .reconfigured, let nodes = store.snapshot(paths.frontend) else { return }
        if backend.update(nodes) { enter(.reconfigured) }
    }

    private func end() {
        guard connection != nil else { return }
        connection = nil
        backend.disconnect()
    }

    private func enter(_ new: XenbusState, _ nodes: [(name: String, value: String)] = []) {
        do throws(DeviceFailure) {
            try store.update([.remove(path: "\(paths.backend)/error")] + paths.announcement(nodes, new))
            state = new
        } catch {
            log("\(name): its state cannot be written: \(error.message)")
        }
    }

    // MARK: - what others want

    /// Asks the frontend to let go.
    ///
    /// - Returns: false when it holds nothing, so that the device can go at once.
    func askToClose() -> Bool {
        guard connection != nil else { return false }
        write([.write(path: "\(paths.backend)/online", value: "0")] + paths.announcement([], .closing))
        state = .closing
        return true
    }

    /// The frontend did not let go: the device stays as it was.
    func keep() {
        let serves = connection != nil
        if serves { state = .connected }
        write([.write(path: "\(paths.backend)/online", value: "1")] + paths.announcement([], state))
    }

    /// Shows a connected frontend new values; its driver looks at them because the state is written again.
    func announce(_ nodes: [(name: String, value: String)]) {
        guard connection != nil, state == .connected else { return }
        enter(.connected, nodes)
    }

    /// Releases everything of the guest's and of the host's.
    func shutDown() {
        end()
        for watch in watches { store.unwatch(watch) }
        watches = []
        backend.close()
    }

    private func write(_ changes: [StoreChange]) {
        do throws(DeviceFailure) { try store.update(changes) } catch { log("\(name): its nodes cannot be written: \(error.message)") }
    }
}
