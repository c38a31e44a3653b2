import ConsoleBackend
import ControlProtocol
import HostIO
import PVRing
import Synchronization
import XenDomain

/// The console of a guest through all its lives: the same log, socket and clients, whatever domain is at the other end.
final class ConsoleLine: Sendable {
    private let peer = Peer()
    private let backend = Mutex<ConsoleBackend?>(nil)
    private let logPath: String?
    private let socketPath: String

    /// Whom the backend notifies.
    private final class Peer: EventSending {
        private let domain = Mutex<Domain?>(nil)
        func set(_ new: Domain?) { domain.withLock { $0 = new } }
        func notify() {
            let current = domain.withLock { $0 }
            current?.notify(current?.consolePort ?? 0)
        }
    }

    init(logPath: String?, socketPath: String) {
        self.logPath = logPath
        self.socketPath = socketPath
    }

    /// Takes the ring of a guest that does not run yet. The first call opens log and socket.
    ///
    /// - Throws: ``HostError`` naming the path.
    func connect(_ ring: SharedPage, to domain: Domain) throws(HostError) {
        peer.set(domain)
        if let console = backend.withLock({ $0 }) { return console.attach(ring: ring) }
        let console = try ConsoleBackend(ring: ring, logPath: logPath, socketPath: socketPath, notifyGuest: peer)
        try console.start()
        backend.withLock { $0 = console }
    }

    /// The domain is not notified any more; its ring is still read.
    func disconnect() { peer.set(nil) }

    /// The guest raised its console port. Never blocks for long.
    func guestNotified() { backend.withLock { $0 }?.guestNotified() }

    /// Sends what is left to clients that take it, and closes.
    func close() {
        let console = backend.withLock { console in
            defer { console = nil }
            return console
        }
        console?.stop()
    }
}
