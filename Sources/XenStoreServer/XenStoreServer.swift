public import HostIO
public import PVRing
import Synchronization
public import XenStore

/// One guest's store behind its ring and behind a Unix socket with xenstored's wire protocol.
///
/// One thread serves ring and socket. The store lies behind a lock which that thread holds while it works and others
/// hold in ``perform(_:)``; a vCPU never takes it.
public final class XenStoreServer: Sendable {
    public typealias WatchCallback = @Sendable (_ path: String) -> Void

    /// Clients beyond this number are turned away.
    public static let maximumClientCount = 256

    private struct State: Sendable {
        var store: Store
        var guest: RingSession?
        var clients: [SocketSession] = []
        var callbacks: [[UInt8]: (path: StorePath, call: WatchCallback)] = [:]
        var nextWatch: UInt64 = 1
    }

    private let state: Mutex<State>
    private let listener: UnixListener?
    private let notifyGuest: any EventSending
    private let wakeUp: WakeUp
    private let isStopping = Atomic(false)
    private let thread = Mutex<HostThread?>(nil)

    /// Binds the socket and sets the ring's feature field; nothing is served before ``start()``.
    ///
    /// - Parameters:
    ///   - domain: the guest at the ring.
    ///   - ring: the guest's xenstore page, nil for a store without a guest.
    ///   - socketPath: where clients of domain 0 connect, nil for none; at most 107 bytes.
    ///   - notifyGuest: raises the guest's xenstore port; called on the server's thread.
    /// - Throws: ``HostError``; nothing stays behind then.
    public init(
        store: Store, domain: UInt16, ring: SharedPage?, socketPath: String?, notifyGuest: any EventSending
    ) throws(HostError) {
        var store = store
        let guest = ring.map { RingSession(page: $0, connection: store.connect(domain: domain)) }
        state = Mutex(State(store: store, guest: guest))
        self.notifyGuest = notifyGuest
        wakeUp = try WakeUp()
        if let socketPath { listener = try UnixListener(path: socketPath) } else { listener = nil }
    }

    /// Starts the thread. Once.
    ///
    /// - Throws: ``HostError`` when the host gives no thread.
    public func start() throws(HostError) {
        // Paths may have 1500 names, and the tree is walked by recursion.
        let started = try HostThread(stackByteCount: 8 << 20) { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// The guest raised its xenstore port. Never blocks; from any thread.
    public func guestNotified() { wakeUp.signal() }

    /// Ends the thread, closes all clients and removes the socket. Safe to call twice, and without ``start()``.
    public func stop() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        wakeUp.signal()
        let running = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        running?.join()
        state.withLock { $0.clients.removeAll() }
        listener?.remove()
    }

    /// Runs `body` with the store, alone; watchers hear of its changes soon after.
    ///
    /// Waits for the lock. Not from inside another `perform`; a watch callback may.
    public func perform<Result: Sendable, Failure: Error>(
        _ body: (inout Store) throws(Failure) -> sending Result
    ) throws(Failure) -> Result {
        defer { wakeUp.signal() }
        return try state.withLock { state throws(Failure) in try body(&state.store) }
    }

    /// Calls `callback` on the server's thread at once and whenever something at or below `path` changes.
    ///
    /// - Returns: a number for ``unwatch(_:)``.
    /// - Throws: ``StoreError/invalidArgument`` if `path` is no path.
    public func watch(_ path: String, _ callback: @escaping WatchCallback) throws(StoreError) -> UInt64 {
        let place = try StorePath(path)
        defer { wakeUp.signal() }
        return try state.withLock { state throws(StoreError) in
            let number = state.nextWatch
            let token = Array(String(number).utf8)
            try state.store.watch(place, token: token, by: state.store.local)
            state.callbacks[token] = (place, callback)
            state.nextWatch += 1
            return number
        }
    }

    /// Ends a watch. A callback that is under way on the server's thread may still finish.
    public func unwatch(_ number: UInt64) {
        let token = Array(String(number).utf8)
        state.withLock { state in
            guard let (path, _) = state.callbacks.removeValue(forKey: token) else { return }
            do { try state.store.unwatch(path, token: token, by: state.store.local) } catch {
                preconditionFailure("a watch we keep is there")
            }
        }
    }

    // MARK: - the thread

    private func run() {
        var poller = Poller()
        var hasMore = false
        while !isStopping.load(ordering: .sequentiallyConsistent) {
            poller.removeAll()
            poller.add(wakeUp.descriptor, .readable)
            if let listener { poller.add(listener.descriptor, .readable) }
            state.withLock { for client in $0.clients { poller.add(client.descriptor, client.interest) } }
            poller.wait(milliseconds: hasMore ? 0 : nil)
            wakeUp.clear()
            hasMore = serve(poller)
        }
    }

    /// One round for everybody.
    private func serve(_ poller: Poller) -> Bool {
        let firstClient = listener == nil ? 1 : 2
        let (hasMore, notifies) = state.withLock { state in
            var hasMore = false
            for index in state.clients.indices {
                let readiness = poller[firstClient + index]
                if !readiness.isDisjoint(with: .hungUp), !readiness.contains(.readable) { state.clients[index].hangUp() }
                if state.clients[index].service(&state.store, isReadable: readiness.contains(.readable)) { hasMore = true }
            }
            let guest = state.guest?.service(&state.store) ?? (notifies: false, hasMore: false)
            if listener != nil, poller[1].contains(.readable) { accept(&state) }
            removeFinished(&state)
            // Events of this round for a client that was served before its cause came.
            if state.clients.contains(where: { $0.interest.contains(.readable) && state.store.waitingEventCount(for: $0.connection) > 0 }) {
                hasMore = true
            }
            return (hasMore || guest.hasMore, guest.notifies)
        }
        if notifies { notifyGuest.notify() }
        return callWatchers() || hasMore
    }

    private func accept(_ state: inout State) {
        while let client = listener?.accept() {
            guard state.clients.count < Self.maximumClientCount else { continue }
            state.clients.append(SocketSession(client, state.store.connect(domain: 0)))
        }
    }

    private func removeFinished(_ state: inout State) {
        for client in state.clients where client.isOver { state.store.disconnect(client.connection) }
        state.clients.removeAll { $0.isOver }
    }

    /// Outside the lock, so that a callback may use the store.
    ///
    /// - Returns: whether any callback ran, which may have changed something.
    private func callWatchers() -> Bool {
        var calledAny = false
        while let (path, call) = nextCallback() {
            call(path)
            calledAny = true
        }
        // Events that found no room may have been anybody's.
        let everybody = state.withLock { state in
            state.store.takeLostEventCount(for: state.store.local) > 0 ? Array(state.callbacks.values) : []
        }
        for (path, call) in everybody { call(path.description) }
        return calledAny || !everybody.isEmpty
    }

    private func nextCallback() -> (String, WatchCallback)? {
        state.withLock { state in
            while let event = state.store.nextEvent(for: state.store.local) {
                let words = event.payload.split(separator: 0, omittingEmptySubsequences: false)
                if let callback = state.callbacks[Array(words[1])] { return (String(decoding: words[0], as: UTF8.self), callback.call) }
            }
            return nil
        }
    }
}
