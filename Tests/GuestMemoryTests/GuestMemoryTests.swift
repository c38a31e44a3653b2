import Synchronization
import Testing

@testable import GuestMemory

/// Remembers what it was told.
private final class Listener: CodeWriteObserver {
    let written = Mutex<[FrameIndex]>([])
    let decoded = Mutex<[FrameIndex]>([])
    let wanted = Atomic<Int>(0)

    func codeWritten(in frame: FrameIndex) { written.withLock { $0.append(frame) } }
    func codeDecoded(in frame: FrameIndex) { decoded.withLock { $0.append(frame) } }
    func rendezvousWanted() { wanted.add(1, ordering: .relaxed) }
}

@Suite("Guest memory") struct GuestMemoryTests {
    private func memory(pages: Int = 16, populated: Int = 8) throws -> GuestMemory {
        let memory = try GuestMemory(poolPageCount: pages)
        try memory.populate(GuestFrameNumber(0), count: populated)
        return memory
    }

    @Test func freshPagesAreZeroAndKeepWhatIsWritten() throws {
        let memory = try memory()
        #expect(try memory.bytes(GuestPhysicalAddress(0x1000), count: 4096).allSatisfy { $0 == 0 })
        try memory.store(GuestPhysicalAddress(0x1234), UInt64(0x1122_3344_5566_7788))
        #expect(try memory.load(GuestPhysicalAddress(0x1234), as: UInt64.self) == 0x1122_3344_5566_7788)
        #expect(try memory.bytes(GuestPhysicalAddress(0x1234), count: 2) == [0x88, 0x77])
    }

    @Test func accessesCrossPagesWhateverFramesTheyHave() throws {
        let memory = try memory()
        // Pages 2 and 3 change places in the pool.
        let second = try #require(memory.unmap(GuestFrameNumber(2)))
        let third = try #require(memory.unmap(GuestFrameNumber(3)))
        try memory.map(GuestFrameNumber(2), to: third)
        try memory.map(GuestFrameNumber(3), to: second)
        try memory.write(GuestPhysicalAddress(0x2ffd), bytes: [1, 2, 3, 4, 5, 6])
        #expect(try memory.bytes(GuestPhysicalAddress(0x2ffd), count: 6) == [1, 2, 3, 4, 5, 6])
        #expect(try memory.load(GuestPhysicalAddress(0x2ffe), as: UInt32.self) == 0x0504_0302)
    }

    @Test func anAccessBeyondWhatIsPopulatedNamesTheFirstByteThatIsNot() throws {
        let memory = try memory()
        #expect(throws: GuestMemoryError.notPopulated(GuestPhysicalAddress(0x8000))) {
            try memory.load(GuestPhysicalAddress(0x7ffe), as: UInt32.self)
        }
        #expect(throws: GuestMemoryError.notPopulated(GuestPhysicalAddress(0xffff_ffff_ffff_f000))) {
            try memory.store(GuestPhysicalAddress(0xffff_ffff_ffff_f000), UInt8(1))
        }
    }

    @Test func aReadOnlyFrameCanBeReadButNotWritten() throws {
        let memory = try memory()
        let frame = try memory.allocateFrame()
        try memory.map(GuestFrameNumber(0x100), to: frame, isWritable: false)
        #expect(try memory.load(GuestPhysicalAddress(0x10_0000), as: UInt8.self) == 0)
        #expect(throws: GuestMemoryError.readOnly(GuestPhysicalAddress(0x10_0010))) {
            try memory.store(GuestPhysicalAddress(0x10_0010), UInt8(1))
        }
        #expect(try #require(memory.lookup(GuestFrameNumber(0x100))).isWritable == false)
    }

    @Test func thePoolEndsAndWhatIsFreedComesBackZeroed() throws {
        let memory = try memory(pages: 4, populated: 4)
        #expect(throws: GuestMemoryError.exhausted) { try memory.allocateFrame() }
        try memory.store(GuestPhysicalAddress(0x3000), UInt64.max)
        memory.freeFrame(try #require(memory.unmap(GuestFrameNumber(3))))
        #expect(memory.lookup(GuestFrameNumber(3)) == nil)
        try memory.populate(GuestFrameNumber(0x80), count: 1)
        #expect(try memory.load(GuestPhysicalAddress(0x8_0000), as: UInt64.self) == 0)
        #expect(throws: GuestMemoryError.exhausted) { try memory.populate(GuestFrameNumber(3)) }
    }

    @Test func populatingTwiceChangesNothing() throws {
        let memory = try memory()
        try memory.store(GuestPhysicalAddress(0), UInt8(7))
        try memory.populate(GuestFrameNumber(0), count: 8)
        #expect(try memory.load(GuestPhysicalAddress(0), as: UInt8.self) == 7)
    }

    @Test func framesBeyondTheAddressWidthAreRefused() throws {
        let memory = try memory()
        let beyond = GuestFrameNumber(1 << 28)
        #expect(throws: GuestMemoryError.outOfRange(beyond)) { try memory.populate(beyond) }
        #expect(throws: GuestMemoryError.outOfRange(beyond)) { try memory.map(beyond, to: FrameIndex(0)) }
        #expect(memory.unmap(beyond) == nil)
        #expect(memory.lookup(GuestFrameNumber(.max)) == nil)
    }

    @Test func theHighestFrameIsTheHighestThatEverWas() throws {
        let memory = try memory()
        #expect(memory.highestFrame == GuestFrameNumber(7))
        try memory.populate(GuestFrameNumber(0xff000))
        memory.unmap(GuestFrameNumber(0xff000))
        #expect(memory.highestFrame == GuestFrameNumber(0xff000))
    }

    // MARK: - decoded code

    @Test(arguments: [
        (0, 1, UInt64(1)), (63, 1, 1), (63, 2, 3), (64, 64, 2), (0, 4096, .max), (4095, 1, 1 << 63), (128, 0, 0), (4032, 64, 1 << 63),
    ])
    func chunksAreTheSixtyFourthsOfAPage(offset: Int, count: Int, mask: UInt64) {
        #expect(GuestMemory.chunkMask(offset: offset, byteCount: count) == mask)
    }

    @Test func writesToDecodedBytesAreToldAndOthersAreNot() throws {
        let memory = try memory()
        let listener = Listener()
        memory.addObserver(listener)
        let frame = try #require(memory.lookup(GuestFrameNumber(2))).frame
        #expect(memory.markCode(frame, chunks: 0b10))
        #expect(!memory.markCode(frame, chunks: 0b100))
        #expect(listener.decoded.withLock { $0 } == [frame])
        try memory.store(GuestPhysicalAddress(0x2000), UInt64(1))
        try memory.store(GuestPhysicalAddress(0x3040), UInt64(1))
        #expect(listener.written.withLock { $0 }.isEmpty)
        // The last byte of this one is decoded.
        try memory.store(GuestPhysicalAddress(0x2039), UInt64(1))
        #expect(listener.written.withLock { $0 } == [frame])
        memory.clearCode(frame)
        try memory.store(GuestPhysicalAddress(0x2040), UInt64(1))
        #expect(listener.written.withLock { $0 }.count == 1)
    }

    @Test func freeingAPageWithDecodedBytesIsTold() throws {
        let memory = try memory()
        let listener = Listener()
        memory.addObserver(listener)
        let frame = try #require(memory.unmap(GuestFrameNumber(5)))
        memory.markCode(frame, chunks: 1 << 40)
        memory.freeFrame(frame)
        #expect(listener.written.withLock { $0 } == [frame])
    }
}

/// What the engines of a test count.
private final class Counts: Sendable {
    let inside = Atomic<Int>(0)
    let violations = Atomic<Int>(0)
    let turns = Atomic<Int>(0)
}

@Suite("Rendezvous of engines") struct RendezvousTests {
    @Test func whoeverIsAloneIsAlone() async throws {
        let memory = try GuestMemory(poolPageCount: 1)
        let counts = Counts()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    let rendezvous = memory.rendezvous
                    rendezvous.enter()
                    for round in 0..<2000 {
                        rendezvous.pauseIfWanted()
                        counts.inside.add(1, ordering: .sequentiallyConsistent)
                        counts.inside.subtract(1, ordering: .sequentiallyConsistent)
                        guard round % 20 == 0 else { continue }
                        memory.alone {
                            for _ in 0..<100 where counts.inside.load(ordering: .sequentiallyConsistent) != 0 {
                                counts.violations.add(1, ordering: .relaxed)
                            }
                            counts.turns.add(1, ordering: .relaxed)
                        }
                    }
                    rendezvous.leave()
                }
            }
        }
        #expect(counts.violations.load(ordering: .relaxed) == 0)
        #expect(counts.turns.load(ordering: .relaxed) == 300)
    }

    @Test func whoeverWantsToBeAloneAsksTheOthers() throws {
        let memory = try GuestMemory(poolPageCount: 1)
        let listener = Listener()
        memory.addObserver(listener)
        let released = Atomic<Bool>(false)
        memory.rendezvous.enter()
        memory.rendezvous.enter()
        // The second engine leaves when it has been asked.
        memory.rendezvous.alone(asking: {
            listener.rendezvousWanted()
            if !released.exchange(true, ordering: .relaxed) { memory.rendezvous.leave() }
        }) { #expect(memory.rendezvous.isWanted) }
        #expect(listener.wanted.load(ordering: .relaxed) == 1)
        #expect(!memory.rendezvous.isWanted)
        memory.rendezvous.leave()
    }

    @Test func anErrorOfTheWorkLetsTheOthersGoOn() throws {
        let memory = try GuestMemory(poolPageCount: 1)
        memory.rendezvous.enter()
        #expect(throws: GuestMemoryError.exhausted) {
            try memory.alone { () throws(GuestMemoryError) in throw .exhausted }
        }
        #expect(!memory.rendezvous.isWanted)
        memory.rendezvous.leave()
        memory.rendezvous.enter()
        memory.rendezvous.leave()
    }
}
