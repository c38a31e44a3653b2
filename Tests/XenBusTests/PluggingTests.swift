import DeviceTestSupport
import Glibc
import TestSupport
import Testing
import XenBus

@Suite("Plugging devices") struct PluggingTests {
    @Test("A connected frontend is asked to close, and the device goes when it has")
    func detach() throws {
        let bench = try BusBench()
        let backend = try bench.connected(ring: 1)
        let failure = try bench.detach {
            #expect(bench.waitForBackend(5))
            #expect(bench.backend("online") == "0")
            try bench.enter(5)
            try bench.enter(6)
        }
        #expect(failure == nil)
        #expect(backend.calls.all == ["features", "connect 1", "disconnect", "close"])
        #expect(bench.guest.listing(below: "/").filter { $0.contains("vbd") } == [])
    }

    @Test("A device that no frontend holds goes at once")
    func unused() throws {
        let bench = try BusBench()
        let backend = RecordingBackend()
        try bench.bus.attach(backend)
        #expect(bench.waitForBackend(2))
        #expect(bench.detach() == nil)
        #expect(backend.calls.all == ["features", "close"])
        #expect(bench.detach() == DeviceFailure("there is no vbd 51712"))
    }

    @Test("A frontend that does not let go keeps its device, unless it is taken by force")
    func stubborn() throws {
        let bench = try BusBench(detachMilliseconds: 50)
        let backend = try bench.connected(ring: 1)
        #expect(bench.detach() == DeviceFailure("the guest does not let go of vbd 51712"))
        #expect(bench.backend("online") == "1" && bench.backend("state") == "4")
        #expect(backend.calls.all == ["features", "connect 1"])
        #expect(bench.detach(forced: true) == nil)
        #expect(backend.calls.all == ["features", "connect 1", "disconnect", "close"])
    }

    @Test("A toolstack that removes the nodes through the store takes the device away")
    func removedFromOutside() throws {
        let bench = try BusBench()
        let backend = try bench.connected(ring: 1)
        try bench.guest.store.update([.remove(path: "/local/domain/0/backend/vbd/7/51712")])
        #expect(eventually { backend.calls.all.last == "close" })
        #expect(bench.bus.devices.isEmpty)
    }

    @Test("The same device cannot be attached twice; its neighbours stay when it goes")
    func neighbours() throws {
        let bench = try BusBench()
        try bench.bus.attach(RecordingBackend())
        try bench.bus.attach(RecordingBackend(id: 51728))
        #expect(throws: DeviceFailure("there is a vbd 51712 already")) { try bench.bus.attach(RecordingBackend()) }
        #expect(bench.detach() == nil)
        #expect(bench.bus.devices.map(\.backend.id) == [51728])
        #expect(bench.guest.node("device/vbd/51728/virtual-device") == nil && bench.guest.node("device/vbd/51728/state") != nil)
    }

    @Test("A thousand devices come, connect and go, and nothing is left")
    func thousand() throws {
        let bench = try BusBench()
        for round in UInt32(0)..<1000 {
            let backend = try bench.connected(ring: round)
            let failure = try bench.detach {
                #expect(bench.waitForBackend(5))
                try bench.enter(6)
            }
            #expect(failure == nil)
            #expect(backend.calls.all == ["features", "connect \(round)", "disconnect", "close"])
        }
        #expect(bench.guest.listing(below: "/").filter { $0.contains("vbd") } == [])
    }

    @Test("Stopping the bus closes all backends and leaves their nodes")
    func stop() throws {
        let bench = try BusBench()
        let backends = [RecordingBackend(), RecordingBackend(id: 51728)]
        for backend in backends { try bench.bus.attach(backend) }
        #expect(bench.waitForBackend(2))
        try bench.enter(3, ring: 1)
        #expect(bench.waitForBackend(4))
        bench.bus.stop()
        #expect(backends[0].calls.all.suffix(2) == ["disconnect", "close"])
        #expect(backends[1].calls.all.last == "close")
        #expect(bench.backend("state") == "4")
        #expect(bench.detach() == DeviceFailure("the guest has ended"))
        #expect(throws: DeviceFailure.self) { try bench.bus.attach(RecordingBackend(id: 1)) }
    }
}
