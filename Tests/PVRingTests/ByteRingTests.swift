import GuestMemory
import PVRing
import Testing

@Suite("Byte rings") struct ByteRingTests {
    static let page = GuestFrameNumber(5)
    let memory: GuestMemory
    let shared: SharedPage

    init() throws {
        memory = try GuestMemory(poolPageCount: 4)
        try memory.populate(Self.page)
        shared = try SharedPage(memory, Self.page)
    }

    private func word(_ offset: Int) throws -> UInt32 { try memory.load(GuestPhysicalAddress(Self.page) + UInt64(offset), as: UInt32.self) }
    private func setWord(_ offset: Int, _ value: UInt32) throws {
        try memory.store(GuestPhysicalAddress(Self.page) + UInt64(offset), value)
    }

    @Test(
        "fields lie where Xen's headers put them",
        arguments: [
            (ByteRingLayout.storeRequests, 0, 1024, 2048, 2052), (.storeReplies, 1024, 1024, 2056, 2060),
            (.consoleInput, 0, 1024, 3072, 3076), (.consoleOutput, 1024, 2048, 3080, 3084),
        ])
    func layout(layout: ByteRingLayout, buffer: Int, count: Int, consumer: Int, producer: Int) throws {
        let ring = ByteRing(shared, layout)
        #expect(try ring.write([1, 2, 3]) == 3)
        #expect(try word(producer) == 3)
        #expect(try word(consumer) == 0)
        #expect(try memory.bytes(GuestPhysicalAddress(Self.page) + UInt64(buffer), count: 3) == [1, 2, 3])
        #expect(try ring.writableByteCount() == count - 3)
        var bytes: [UInt8] = []
        #expect(try ring.read(into: &bytes, limit: 2) == 2)
        #expect(bytes == [1, 2])
        #expect(try word(consumer) == 2)
    }

    @Test("a full ring takes nothing, an empty one gives nothing") func bounds() throws {
        let ring = ByteRing(shared, .consoleInput)
        #expect(try ring.write([UInt8](repeating: 7, count: 2000)[...]) == 1024)
        #expect(try ring.write([1]) == 0)
        var bytes: [UInt8] = []
        #expect(try ring.read(into: &bytes) == 1024)
        #expect(try ring.read(into: &bytes) == 0)
        #expect(bytes == [UInt8](repeating: 7, count: 1024))
    }

    @Test("indices run through 2^32", arguments: [UInt32(0xffff_fff0), 0xffff_fc00, 0x7fff_fff8, 1023])
    func wrap(start: UInt32) throws {
        try setWord(2048, start)
        try setWord(2052, start)
        let ring = ByteRing(shared, .storeRequests)
        let sent = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        #expect(try ring.write(sent[...]) == 1000)
        #expect(try word(2052) == start &+ 1000)
        var bytes: [UInt8] = []
        #expect(try ring.read(into: &bytes) == 1000)
        #expect(bytes == sent)
    }

    @Test(
        "indices that cannot be are an error, whatever they are",
        arguments: [
            (0, 1025), (1, 0), (0, 0xffff_ffff), (0x8000_0000, 0), (5, 5 + 1025), (0xffff_ffff, 1024),
        ] as [(UInt32, UInt32)])
    func hostile(consumer: UInt32, producer: UInt32) throws {
        try setWord(2048, consumer)
        try setWord(2052, producer)
        let ring = ByteRing(shared, .storeRequests)
        let expected = BrokenRing(consumer: consumer, producer: producer)
        var bytes: [UInt8] = []
        #expect(throws: expected) { try ring.read(into: &bytes) }
        #expect(throws: expected) { try ring.write([1]) }
        #expect(bytes == [])
        #expect(try word(2048) == consumer)
        ring.reset()
        #expect(try ring.readableByteCount() == 0)
    }

    @Test("random reads and writes keep every byte in order", arguments: 0..<20 as Range<UInt64>)
    func stream(seed: UInt64) throws {
        var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
        func random(_ bound: Int) -> Int {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return Int(state % UInt64(bound))
        }
        let start = UInt32(truncatingIfNeeded: seed &* 0x3fff_ff01)
        try setWord(3080, start)
        try setWord(3084, start)
        let ring = ByteRing(shared, .consoleOutput)
        var sent: [UInt8] = []
        var received: [UInt8] = []
        for _ in 0..<500 {
            let chunk = (0..<random(3000)).map { _ in UInt8(random(256)) }
            sent += chunk.prefix(try ring.write(chunk[...]))
            try ring.read(into: &received, limit: random(3000))
        }
        try ring.read(into: &received)
        #expect(received == sent)
    }

    @Test("a page the guest does not have is an error") func missing() {
        #expect(throws: GuestMemoryError.notPopulated(GuestPhysicalAddress(GuestFrameNumber(9)))) {
            try SharedPage(memory, GuestFrameNumber(9))
        }
    }
}
