import TestSupport
import Testing

@testable import NetBackend

@Suite("Queues, credit, addresses") struct QueueTests {
    @Test("A queue gives frames back in order, with what is known of them, around its end many times", arguments: 0..<10)
    func order(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let queue = FrameQueue(byteCount: 200_000)
        var model: [([UInt8], Offload, Int64)] = []
        for step in 0..<3000 {
            if random.below(5) < 3 {
                let bytes = Packets.bytes(14 + random.pick([0, 60, 1500, random.below(65000)]), seed: step)
                let offload = Offload(
                    checksum: random.pick([.unchecked, .blank, .valid]), segmentation: random.pick([.none, .tcp4, .tcp6]),
                    segmentByteCount: UInt16(random.below(65536)))
                let size = (bytes.count + 31) & ~15
                let isTaken = withFrame(bytes, offload) { queue.push($0, now: Int64(step)) }
                if isTaken { model.append((bytes, offload, Int64(step))) } else { #expect(queue.byteCount + 2 * size > 200_000 - 65_600) }
            } else if let (frame, time) = queue.first {
                let wanted = model.removeFirst()
                #expect(unsafe Array(frame.bytes) == wanted.0)
                #expect(frame.offload == wanted.1 && time == wanted.2)
                queue.removeFirst()
            } else {
                #expect(model.isEmpty)
            }
            #expect(queue.frameCount == model.count && queue.byteCount <= 200_000)
        }
    }

    @Test("Credit comes with each interval, and a saved burst is bounded")
    func credit() {
        var limit = RateLimit(.init(bytesPerInterval: 1000, intervalMicroseconds: 50_000), now: 0)
        var sent = 0
        while limit.moment(now: 0) == nil {
            limit.spend(1500)
            sent += 1500
        }
        // The burst, and what the last packet took beyond it.
        #expect((131_072..<131_072 + 1500).contains(sent))
        #expect(limit.moment(now: 49_999) == 50_000)
        var now: Int64 = 0
        sent = 0
        while now < 10_000_000 {
            if let moment = limit.moment(now: now) {
                now = moment
            } else {
                limit.spend(1500)
                sent += 1500
            }
        }
        #expect((197_000...201_500).contains(sent))
        #expect(limit.moment(now: .max / 2) == nil)
        limit.spend(131_072)
        #expect(limit.moment(now: .max / 2) != nil)
    }

    @Test(
        "An address is six bytes with colons",
        arguments: [
            ("00:16:3e:12:34:56", "00:16:3e:12:34:56"), ("0:16:3E:1:2:ff", "00:16:3e:01:02:ff"), ("00:16:3e:12:34", nil),
            ("00:16:3e:12:34:56:78", nil), ("00:16:3e:12:34:567", nil), ("", nil), ("00:16:3e:12:34:-1", nil), ("00:16:3e::34:56", nil),
        ] as [(String, String?)])
    func address(text: String, expected: String?) { #expect(MACAddress(text)?.description == expected) }

    @Test("Frames of a flow have one hash; flows have different ones")
    func flows() {
        var hashes: Set<UInt32> = []
        for port in UInt16(1)...200 {
            var flow = Packets.Flow()
            flow.sourcePort = port
            let values = [0, 5, 900].map { withFrame(Packets.tcp(flow, payload: Packets.bytes($0))) { $0.flowHash } }
            #expect(Set(values).count == 1)
            hashes.insert(values[0] % 4)
        }
        #expect(hashes.count == 4)
    }
}
