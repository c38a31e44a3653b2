import DeviceTestSupport
import Synchronization
import TestSupport
import Testing
import XenBus

@Suite("The handshake of a device") struct HandshakeTests {
    @Test("Features come before InitWait, the connection before Connected")
    func connection() throws {
        let bench = try BusBench()
        let backend = RecordingBackend()
        try bench.bus.attach(backend)
        #expect(bench.waitForBackend(2))
        #expect(bench.backend("feature-test") == "1" && bench.backend("sectors") == nil)
        try bench.enter(3, ring: 8)
        #expect(bench.waitForBackend(4))
        #expect(bench.backend("sectors") == "8")
        try bench.enter(4)
        #expect(backend.calls.all == ["features", "connect 8"])
    }

    @Test("A frontend that closes and starts again is connected again, as when GRUB hands over to Linux")
    func reconnection() throws {
        let bench = try BusBench()
        let backend = RecordingBackend()
        try bench.bus.attach(backend)
        for round in UInt32(1)...3 {
            #expect(bench.waitForBackend(2))
            try bench.enter(3, ring: round)
            #expect(bench.waitForBackend(4))
            try bench.enter(4)
            try bench.enter(5)
            #expect(bench.waitForBackend(5))
            try bench.enter(6)
            #expect(bench.waitForBackend(6))
            try bench.enter(1)
        }
        #expect(bench.waitForBackend(2))
        let round = { (ring: Int) in ["features", "connect \(ring)", "disconnect"] }
        #expect(backend.calls.all == round(1) + round(2) + round(3) + ["features"])
    }

    @Test("A frontend that starts again without closing is disconnected first")
    func crash() throws {
        let bench = try BusBench()
        let backend = try bench.connected(ring: 1)
        try bench.enter(1)
        #expect(bench.waitForBackend(2))
        #expect(backend.calls.all == ["features", "connect 1", "disconnect", "features"])
    }

    @Test("A hand-over that went by unseen shows in other rings")
    func unseen() throws {
        let bench = try BusBench()
        let backend = try bench.connected(ring: 1)
        try bench.enter(4)
        try bench.enter(3, ring: 2)
        #expect(eventually { backend.calls.all.count == 4 })
        #expect(backend.calls.all == ["features", "connect 1", "disconnect", "connect 2"])
    }

    @Test("A driver that cannot be connected finds out why, and may try again")
    func failure() throws {
        let bench = try BusBench()
        let backend = RecordingBackend()
        backend.failure.withLock { $0 = DeviceFailure("ring-ref is no grant") }
        try bench.bus.attach(backend)
        #expect(bench.waitForBackend(2))
        try bench.enter(3, ring: 1)
        #expect(bench.waitForBackend(5))
        #expect(bench.backend("error") == "ring-ref is no grant")
        #expect(bench.log.all == ["vbd 51712: the guest's driver cannot be connected: ring-ref is no grant"])
        backend.failure.withLock { $0 = nil }
        try bench.enter(6)
        #expect(bench.waitForBackend(6))
        try bench.enter(1)
        #expect(bench.waitForBackend(2))
        try bench.enter(3, ring: 2)
        #expect(bench.waitForBackend(4))
        #expect(bench.backend("error") == nil)
    }

    @Test("A frontend's directory that vanishes ends the connection")
    func vanished() throws {
        let bench = try BusBench()
        let backend = try bench.connected(ring: 1)
        try bench.guest.remove(bench.device)
        #expect(bench.waitForBackend(6))
        #expect(backend.calls.all.last == "disconnect")
        #expect(bench.detach() == nil)
        #expect(backend.calls.all.last == "close")
    }

    @Test("Texts that are no state close the device", arguments: ["", "9", "-1", "connected", "99999999999999999999"])
    func nonsense(text: String) throws {
        let bench = try BusBench()
        try bench.bus.attach(RecordingBackend())
        #expect(bench.waitForBackend(2))
        try bench.guest.write("\(bench.device)/state", text)
        #expect(bench.waitForBackend(6))
    }

    @Test("New values are shown to a connected frontend by writing the state again")
    func announcement() throws {
        let bench = try BusBench()
        try bench.bus.attach(RecordingBackend())
        #expect(bench.waitForBackend(2))
        bench.bus.announce(kind: "vbd", id: 51712, [("sectors", "1")])
        try bench.enter(3, ring: 1)
        #expect(bench.waitForBackend(4))
        #expect(bench.backend("sectors") == "8")
        bench.bus.announce(kind: "vbd", id: 51712, [("sectors", "16")])
        #expect(eventually { bench.backend("sectors") == "16" })
        #expect(bench.backend("state") == "4")
    }

    @Test("A guest that writes its state without end costs few looks")
    func flood() throws {
        let bench = try BusBench()
        let backend = RecordingBackend()
        try bench.bus.attach(backend)
        #expect(bench.waitForBackend(2))
        for round in 0..<20_000 { try bench.enter(round & 1 == 0 ? 6 : 1) }
        try bench.enter(6)
        #expect(bench.waitForBackend(6))
        // 33 at once and one in 10 ms; these many writes do not take half a minute anywhere.
        #expect(backend.calls.all.count < 3_000)
    }
}
