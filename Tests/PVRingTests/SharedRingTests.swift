import GuestMemory
import PVRing
import Synchronization
import Testing
import XenABI

/// A guest whose references are its frames.
private final class FrameGuest: GuestAccess {
    let domainID: UInt16 = 1
    let memory: GuestMemory
    let inUse = Mutex<[UInt32: Int]>([:])

    init() throws {
        memory = try GuestMemory(poolPageCount: 16)
        try memory.populate(GuestFrameNumber(0), count: 16)
    }

    func acquireGrant(_ reference: UInt32, readOnly: Bool) throws(GrantStatus) -> FrameIndex {
        guard let (frame, _) = memory.lookup(GuestFrameNumber(UInt64(reference))) else { throw .badReference }
        inUse.withLock { $0[reference, default: 0] += 1 }
        return frame
    }

    func releaseGrant(_ reference: UInt32, frame: FrameIndex, readOnly: Bool) { inUse.withLock { $0[reference]! -= 1 } }
    func bindEventChannel(_ port: UInt32, handler: @escaping @Sendable () -> Void) throws(XenError) {}
    func unbindEventChannel(_ port: UInt32) {}
    func notify(_ port: UInt32) {}

    func ring(_ references: [UInt32], entryByteCount: Int) throws -> BackRing {
        BackRing(pages: try references.map { try GrantedPage(self, $0, readOnly: false) }, entryByteCount: entryByteCount)
    }

    func put(_ value: UInt32, _ address: UInt64) throws { try memory.store(GuestPhysicalAddress(address), value) }
    func get(_ address: UInt64) throws -> UInt32 { try memory.load(GuestPhysicalAddress(address), as: UInt32.self) }
}

@Suite("Rings of requests") struct SharedRingTests {
    @Test(
        "Hold a power of two of entries",
        arguments: [(112, 1, 32), (108, 1, 32), (112, 2, 64), (112, 4, 128), (112, 8, 256), (12, 1, 256), (8, 1, 256)])
    func size(entryByteCount: Int, pageCount: Int, entries: UInt32) throws {
        let guest = try FrameGuest()
        #expect(try guest.ring((0..<UInt32(pageCount)).map { $0 }, entryByteCount: entryByteCount).entryCount == entries)
        #expect(guest.inUse.withLock { $0.values.allSatisfy { $0 == 0 } })
    }

    @Test("Entries cross from one page into the next, whatever order the pages have")
    func crossing() throws {
        let guest = try FrameGuest()
        var ring = try guest.ring([5, 2], entryByteCount: 108)
        // Entry 37 lies at 4060 to 4168 of the ring.
        let count: UInt32 = 40
        try guest.put(count, 5 << 12)
        for index in UInt64(0)..<UInt64(count) {
            for (offset, value) in [(UInt64(0), UInt32(1000)), (104, 2000)] {
                let place = 64 + index * 108 + offset
                try guest.put(value + UInt32(index), place < 4096 ? 5 << 12 + place : 2 << 12 + place - 4096)
            }
        }
        for index in 0..<count {
            var words = [UInt32](repeating: 0, count: 27)
            let isTaken = try unsafe words.withUnsafeMutableBytes { unsafe try ring.takeRequest(into: $0) }
            #expect(isTaken && words[0] == index + 1000 && words[26] == index + 2000)
        }
        #expect(ring.owedResponseCount == count)
    }

    @Test("Indices that cannot be are refused and change nothing", arguments: [UInt32(33), 64, 0x8000_0000, .max])
    func broken(producer: UInt32) throws {
        let guest = try FrameGuest()
        let ring = try guest.ring([3], entryByteCount: 112)
        try guest.put(producer, 3 << 12)
        #expect(throws: BrokenRing(consumer: 0, producer: producer)) { try ring.waitingRequestCount() }
        #expect(throws: BrokenRing.self) { try ring.awaitRequests() }
    }

    @Test("Requests that are taken and not answered leave so much less room")
    func owed() throws {
        let guest = try FrameGuest()
        var ring = try guest.ring([3], entryByteCount: 112)
        try guest.put(32, 3 << 12)
        var entry = [UInt8](repeating: 0, count: 112)
        for _ in 0..<32 { #expect(try unsafe entry.withUnsafeMutableBytes { unsafe try ring.takeRequest(into: $0) }) }
        try guest.put(33, 3 << 12)
        #expect(throws: BrokenRing.self) { try ring.waitingRequestCount() }
        unsafe entry.withUnsafeBytes { unsafe ring.putResponse($0) }
        #expect(try ring.waitingRequestCount() == 1)
    }

    @Test("An event is asked for when the guest's mark is passed, across the wrap of the index")
    func events() throws {
        let guest = try FrameGuest()
        // A ring that has come a long way.
        for offset in [UInt64(0), 8] { try guest.put(.max - 1, 3 << 12 + offset) }
        var ring = try guest.ring([3], entryByteCount: 112)
        try guest.put(1, 3 << 12 + 12)
        try guest.put(2, 3 << 12)
        var entry = [UInt8](repeating: 0, count: 112)
        var events: [Bool] = []
        for _ in 0..<4 {
            #expect(try unsafe entry.withUnsafeMutableBytes { unsafe try ring.takeRequest(into: $0) })
            unsafe entry.withUnsafeBytes { unsafe ring.putResponse($0) }
            events.append(ring.publishResponses())
        }
        #expect(events == [false, false, true, false])
        #expect(try guest.get(3 << 12 + 8) == 2)
        #expect(try !ring.awaitRequests())
        #expect(try guest.get(3 << 12 + 4) == 3)
        let isEventWanted = ring.publishResponses()
        #expect(!isEventWanted)
    }
}
