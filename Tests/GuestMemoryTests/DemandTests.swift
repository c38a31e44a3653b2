import Synchronization
import Testing

@testable import GuestMemory

private final class Tally: Sendable {
    let given = Mutex<Set<FrameIndex>>([])
    let emptied = Atomic<Int>(0)
}

@Suite("Memory that is populated on demand") struct DemandTests {
    private func memory(frames: Int = 8, stock: Int = 4) throws -> GuestMemory {
        let memory = try GuestMemory(poolPageCount: 16)
        try memory.populateOnDemand(GuestFrameNumber(0), count: frames, stock: stock)
        return memory
    }

    @Test("A frame gets a zeroed page with the first touch, by a read or a write, and keeps it")
    func touch() throws {
        let memory = try memory()
        #expect(memory.demand == GuestMemory.Demand(frames: 8, stock: 4))
        #expect(memory.highestFrame == GuestFrameNumber(7))
        #expect(try memory.load(GuestPhysicalAddress(0x2000), as: UInt64.self) == 0)
        try memory.store(GuestPhysicalAddress(0x5000), UInt32(7))
        try memory.store(GuestPhysicalAddress(0x5004), UInt32(8))
        #expect(try memory.load(GuestPhysicalAddress(0x5000), as: UInt32.self) == 7)
        #expect(memory.demand == GuestMemory.Demand(frames: 6, stock: 2))
    }

    @Test("Looking is no touch")
    func look() throws {
        let memory = try memory()
        #expect(memory.populated(GuestFrameNumber(1)) == nil && memory.isOccupied(GuestFrameNumber(1)))
        #expect(!memory.isOccupied(GuestFrameNumber(8)) && !memory.isOccupied(GuestFrameNumber(.max)))
        #expect(memory.demand.frames == 8)
        let frame = try #require(memory.lookup(GuestFrameNumber(1))).frame
        #expect(memory.populated(GuestFrameNumber(1))?.frame == frame)
    }

    @Test("A touch that finds the stock empty is told, and finds nothing there")
    func empty() throws {
        let memory = try memory(stock: 1)
        let told = Mutex<[GuestFrameNumber]>([])
        memory.whenStockIsEmpty { frame in told.withLock { $0.append(frame) } }
        try memory.store(GuestPhysicalAddress(0), UInt8(1))
        #expect(throws: GuestMemoryError.notPopulated(GuestPhysicalAddress(0x3000))) {
            try memory.store(GuestPhysicalAddress(0x3000), UInt8(1))
        }
        #expect(told.withLock { $0 } == [GuestFrameNumber(3)])
        memory.addToStock(1)
        try memory.store(GuestPhysicalAddress(0x3000), UInt8(1))
        #expect(told.withLock { $0.count } == 1 && memory.demand == GuestMemory.Demand(frames: 6, stock: 0))
    }

    @Test("Frames nobody touched are emptied without a page")
    func cancel() throws {
        let memory = try memory()
        #expect(memory.cancelDemand(GuestFrameNumber(0)) && !memory.cancelDemand(GuestFrameNumber(0)))
        #expect(memory.unmap(GuestFrameNumber(1)) == nil)
        #expect(memory.demand == GuestMemory.Demand(frames: 6, stock: 4))
        #expect(!memory.isOccupied(GuestFrameNumber(0)) && !memory.isOccupied(GuestFrameNumber(1)))
        try memory.store(GuestPhysicalAddress(0x2000), UInt8(1))
        #expect(!memory.cancelDemand(GuestFrameNumber(2)))
        #expect(memory.unmap(GuestFrameNumber(2)) != nil)
    }

    @Test("Frames that are populated stay as they are; frames beyond the address width are refused")
    func bounds() throws {
        let memory = try GuestMemory(poolPageCount: 16)
        try memory.populate(GuestFrameNumber(1))
        try memory.populateOnDemand(GuestFrameNumber(0), count: 3, stock: 3)
        #expect(memory.demand.frames == 2)
        let beyond = GuestFrameNumber(1 << 28)
        #expect(throws: GuestMemoryError.outOfRange(beyond)) { try memory.populateOnDemand(beyond - 1, count: 2, stock: 0) }
        #expect(memory.demand.frames == 2)
    }

    @Test("Threads that touch, empty and look at the same frames agree about what is left")
    func threads() async throws {
        let memory = try GuestMemory(poolPageCount: 4096)
        try memory.populateOnDemand(GuestFrameNumber(0), count: 4096, stock: 4096)
        let tally = Tally()
        await withTaskGroup(of: Void.self) { group in
            for thread in 0..<4 as Range<UInt64> {
                group.addTask {
                    for index in 0..<4096 as Range<UInt64> {
                        let frame = GuestFrameNumber((index * 7 + thread) % 4096)
                        if thread == 0 {
                            if memory.cancelDemand(frame) { tally.emptied.add(1, ordering: .relaxed) }
                        } else if let found = memory.lookup(frame) {
                            _ = tally.given.withLock { $0.insert(found.frame) }
                        }
                    }
                }
            }
        }
        let count = tally.given.withLock { $0.count }
        #expect(count + tally.emptied.load(ordering: .relaxed) == 4096)
        #expect(memory.demand == GuestMemory.Demand(frames: 0, stock: 4096 - count))
    }
}

extension GuestFrameNumber {
    fileprivate static func - (a: Self, count: UInt64) -> Self { Self(a.rawValue - count) }
}
