import DeviceTestSupport
import Synchronization
import TestSupport
import Testing
import XenBus

/// A backend that remembers what it was asked for.
final class RecordingBackend: DeviceBackend {
    let kind: String
    let id: UInt32
    let frontendNodes: [(name: String, value: String)]
    let guardedFrontendNodes: [(name: String, value: String)]
    let backendNodes: [(name: String, value: String)]
    let liveFrontendNodes: [String]
    private let changes: Bool
    let calls = Lines()
    let failure = Mutex<DeviceFailure?>(nil)

    init(
        kind: String = "vbd", id: UInt32 = 51712, frontend: [(String, String)] = [], guarded: [(String, String)] = [],
        backend: [(String, String)] = [], live: [String] = [], changes: Bool = true
    ) {
        liveFrontendNodes = live
        self.changes = changes
        self.kind = kind
        self.id = id
        frontendNodes = frontend.map { (name: $0, value: $1) }
        guardedFrontendNodes = guarded.map { (name: $0, value: $1) }
        backendNodes = backend.map { (name: $0, value: $1) }
    }

    func features() -> [(name: String, value: String)] {
        calls.append("features")
        return [("feature-test", "1")]
    }

    func connect(_ frontend: DeviceNodes) throws(DeviceFailure) -> [(name: String, value: String)] {
        calls.append("connect \(frontend["ring-ref"] ?? "nothing")")
        if let failure = failure.withLock({ $0 }) { throw failure }
        return [("sectors", "8")]
    }

    func update(_ frontend: DeviceNodes) -> Bool {
        calls.append("update \(frontend["room"] ?? "nothing")")
        return changes
    }

    func disconnect() { calls.append("disconnect") }
    func close() { calls.append("close") }
}

/// A guest with a bus, and the test as the guest's driver.
final class BusBench {
    let guest: TestGuest
    let bus: DeviceBus
    let log = Lines()

    init(detachMilliseconds: Int64 = DeviceBus.detachMilliseconds) throws {
        let log = log
        guest = try TestGuest()
        bus = try DeviceBus(domain: TestGuest.domainID, store: guest.store, detachMilliseconds: detachMilliseconds) { log.append($0) }
        try bus.start()
    }

    deinit { bus.stop() }

    let device = "device/vbd/51712"
    func enter(_ state: Int, ring: UInt32? = nil) throws {
        if let ring { try guest.write("\(device)/ring-ref", "\(ring)") }
        try guest.write("\(device)/state", "\(state)")
    }
    func backend(_ node: String) -> String? { guest.node("/local/domain/0/backend/vbd/7/51712/\(node)") }
    func waitForBackend(_ state: Int) -> Bool { eventually { backend("state") == "\(state)" } }

    /// A device whose frontend has come as far as the backend's being connected.
    func connected(ring: UInt32) throws -> RecordingBackend {
        let backend = RecordingBackend()
        try bus.attach(backend)
        #expect(waitForBackend(2))
        try enter(3, ring: ring)
        #expect(waitForBackend(4))
        return backend
    }

    /// Asks for a device's removal and waits for the answer.
    func detach(forced: Bool = false) -> DeviceFailure? { detach(forced: forced) {} }

    func detach(forced: Bool = false, while waiting: () throws -> Void) rethrows -> DeviceFailure? {
        let answers = Mutex<[DeviceFailure?]>([])
        bus.detach(kind: "vbd", id: 51712, forced: forced) { failure in answers.withLock { $0.append(failure) } }
        try waiting()
        _ = eventually { answers.withLock { !$0.isEmpty } }
        return answers.withLock { $0.first ?? DeviceFailure("no answer") }
    }
}
