import DeviceTestSupport
import HostIO
import Synchronization
import TestSupport
import Testing
import XenBus

@Suite("Changes of a connected frontend") struct ReconfigurationTests {
    private func connected(_ bench: BusBench, live: [String] = [], changes: Bool = true) throws -> RecordingBackend {
        let backend = RecordingBackend(live: live, changes: changes)
        try bench.bus.attach(backend)
        #expect(bench.waitForBackend(2))
        try bench.enter(3, ring: 8)
        #expect(bench.waitForBackend(4))
        try bench.enter(4)
        return backend
    }

    @Test("A frontend that reconfigures gets an answer when what it wrote counts, and its rings stay")
    func reconfiguring() throws {
        let bench = try BusBench()
        let backend = try connected(bench)
        for round in 1...3 {
            try bench.guest.write("\(bench.device)/room", "\(round)")
            try bench.enter(7)
            #expect(bench.waitForBackend(8))
            #expect(backend.calls.all.last == "update \(round)")
            try bench.enter(4)
            #expect(bench.waitForBackend(4))
        }
        #expect(backend.calls.all.filter { !$0.hasPrefix("update") } == ["features", "connect 8"])
    }

    @Test("Without rings, or with a backend that has nothing to change, reconfiguring changes nothing")
    func idle() throws {
        let bench = try BusBench()
        let backend = RecordingBackend()
        try bench.bus.attach(backend)
        #expect(bench.waitForBackend(2))
        try bench.enter(7)
        try bench.enter(3, ring: 8)
        #expect(bench.waitForBackend(4))
        #expect(backend.calls.all == ["features", "connect 8"])
        let other = try BusBench()
        _ = try connected(other, changes: false)
        try other.enter(7)
        try other.enter(5)
        #expect(other.waitForBackend(5))
    }

    @Test("A live node is looked at whenever the frontend writes it")
    func live() throws {
        let bench = try BusBench()
        let backend = try connected(bench, live: ["room"])
        try bench.guest.write("\(bench.device)/room", "5")
        #expect(eventually { backend.calls.all.last == "update 5" })
        #expect(bench.backend("state") == "4")
    }

    @Test("A driver that fails for ever does not fill the log")
    func flood() throws {
        let bench = try BusBench()
        let backend = RecordingBackend()
        backend.failure.withLock { $0 = DeviceFailure("no") }
        try bench.bus.attach(backend)
        #expect(bench.waitForBackend(2))
        for round in UInt32(1)...60 {
            try bench.enter(3, ring: round)
            #expect(eventually { backend.calls.all.count == Int(round) + 1 })
        }
        #expect((1...PacedLog.burst + 1).contains(bench.log.all.count))
    }

    @Test("A device that is just being plugged in is not taken away meanwhile")
    func halfPlugged() throws {
        let guest = try TestGuest()
        let (store, backend) = (SlowStore(guest.store), RecordingBackend())
        let bus = try DeviceBus(domain: TestGuest.domainID, store: store) { _ in }
        try bus.start()
        let attacher = try HostThread { do { try bus.attach(backend) } catch { Issue.record(error) } }
        #expect(eventually { store.isWaiting.load(ordering: .sequentiallyConsistent) })
        func detach() -> DeviceFailure? {
            let answers = Mutex<[DeviceFailure?]>([])
            bus.detach(kind: "vbd", id: 51712, forced: true) { failure in answers.withLock { $0.append(failure) } }
            _ = eventually { answers.withLock { !$0.isEmpty } }
            return answers.withLock { $0.first ?? DeviceFailure("no answer") }
        }
        #expect(detach() == DeviceFailure("vbd 51712 is just being plugged in"))
        store.goesOn.store(true, ordering: .sequentiallyConsistent)
        attacher.join()
        #expect(bus.devices.count == 1)
        #expect(detach() == nil)
        #expect(guest.listing(below: "/").filter { $0.contains("vbd") } == [])
        bus.stop()
    }
}

/// A store whose watches take as long as the test wants.
private final class SlowStore: StoreAccess {
    private let store: any StoreAccess
    let isWaiting = Atomic(false)
    let goesOn = Atomic(false)

    init(_ store: any StoreAccess) { self.store = store }

    func value(_ path: String) -> String? { store.value(path) }
    func snapshot(_ directory: String) -> DeviceNodes? { store.snapshot(directory) }
    func update(_ changes: [StoreChange]) throws(DeviceFailure) { try store.update(changes) }
    func unwatch(_ number: UInt64) { store.unwatch(number) }

    func watch(_ path: String, _ callback: @escaping @Sendable () -> Void) throws(DeviceFailure) -> UInt64 {
        isWaiting.store(true, ordering: .sequentiallyConsistent)
        _ = eventually { goesOn.load(ordering: .sequentiallyConsistent) }
        return try store.watch(path, callback)
    }
}
