import TestSupport
import Testing

@testable import NetBackend

@Suite("Joining segments") struct CoalescerTests {
    /// What comes out for frames that go in one after the other.
    private func joined(_ frames: [[UInt8]], checksum: Offload.Checksum = .valid) -> [(bytes: [UInt8], offload: Offload)] {
        let coalescer = Coalescer(for: [.tcp4, .tcp6])
        var result: [([UInt8], Offload)] = []
        let keep: (Frame) -> Void = { frame in result.append((unsafe Array(frame.bytes), frame.offload)) }
        for bytes in frames { withFrame(bytes, Offload(checksum: checksum)) { coalescer.push($0, keep) } }
        coalescer.flush(keep)
        return result
    }

    private func train(_ flow: Packets.Flow, _ sizes: [Int], flags: [UInt8] = []) -> [[UInt8]] {
        var sequence: UInt32 = 0xffff_f000
        return sizes.enumerated().map { index, size in
            defer { sequence &+= UInt32(size) }
            return Packets.tcp(
                flow, sequence: sequence, flags: index < flags.count ? flags[index] : 0x10, payload: Packets.bytes(size, seed: index),
                id: UInt16(index))
        }
    }

    @Test("Segments that follow each other become one, and cutting it gives them back", arguments: [1, 2, 10, 40])
    func train(count: Int) {
        for flow in ChecksumTests.flows.filter({ $0.options.isEmpty }) {
            let frames = train(flow, [Int](repeating: 1448, count: count) + [700])
            let result = joined(frames)
            #expect(result.count == 1)
            guard let whole = result.first else { continue }
            #expect(whole.offload == Offload(checksum: .blank, segmentation: flow.isIPv6 ? .tcp6 : .tcp4, segmentByteCount: 1448))
            var parts: [[UInt8]] = []
            withFrame(whole.bytes, whole.offload) { frame in
                FrameCompletion().complete(frame, for: []) { parts.append(unsafe Array($0.bytes)) }
            }
            #expect(parts == frames)
        }
    }

    @Test("No packet grows beyond what IP can say")
    func limit() {
        let frames = train(Packets.Flow(), [Int](repeating: 1448, count: 100))
        let result = joined(frames)
        #expect(result.count == 3)
        #expect(result.allSatisfy { $0.bytes.count <= 65535 + 14 })
        #expect(result.reduce(0) { $0 + $1.bytes.count - 54 } == 144_800)
    }

    @Test("A pushed segment ends the train at once and keeps its flag")
    func push() {
        let frames = train(Packets.Flow(), [1448, 1448, 1448], flags: [0x10, 0x18, 0x10])
        let result = joined(frames)
        #expect(result.map(\.bytes.count) == [54 + 2896, 54 + 1448])
        #expect(result[0].bytes[47] == 0x18)
    }

    @Test(
        "What does not follow stays apart",
        arguments: [
            "gap", "other port", "other address", "acknowledgement", "window", "FIN", "larger", "time to live", "unchecked", "options",
            "tiny",
        ])
    func apart(_ name: String) {
        var frames = train(Packets.Flow(), [1000, 1000])
        var second = Packets.Flow()
        let sequence = UInt32(0xffff_f000) &+ 1000
        let payload = Packets.bytes(1000, seed: 1)
        switch name {
        case "gap": frames[1] = Packets.tcp(sequence: sequence &+ 1, payload: payload)
        case "other port":
            second.sourcePort += 1
            frames[1] = Packets.tcp(second, sequence: sequence, payload: payload)
        case "other address":
            second.source[3] += 1
            frames[1] = Packets.tcp(second, sequence: sequence, payload: payload)
        case "acknowledgement": frames[1] = Packets.tcp(sequence: sequence, acknowledgement: 1, payload: payload)
        case "window": frames[1] = Packets.tcp(sequence: sequence, window: 1, payload: payload)
        case "FIN": frames[1] = Packets.tcp(sequence: sequence, flags: 0x11, payload: payload)
        case "larger": frames[1] = Packets.tcp(sequence: sequence, payload: Packets.bytes(1001))
        case "time to live": frames[1][22] -= 1
        case "options":
            second.tcpOptions = [1, 1, 1, 1]
            frames[1] = Packets.tcp(second, sequence: sequence, payload: payload)
        case "tiny": frames = train(Packets.Flow(), [40, 40])
        default: break
        }
        #expect(joined(frames, checksum: name == "unchecked" ? .unchecked : .valid).map(\.bytes) == frames)
    }

    @Test("Whatever comes, no payload is lost, added or reordered within a flow", arguments: 0..<20)
    func random(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let flows = (0..<3).map { index in
            var flow = Packets.Flow()
            flow.sourcePort = UInt16(2000 + index)
            flow.isIPv6 = index == 2
            return flow
        }
        var sequences: [UInt32] = [0, 1 << 31, .max - 5000]
        var sent: [[UInt8]] = [[], [], []]
        var frames: [[UInt8]] = []
        for _ in 0..<200 {
            let index = random.below(3)
            let payload = Packets.bytes(random.pick([0, 1, 100, 1448, 1448, 1448]), seed: random.below(256))
            frames.append(
                Packets.tcp(flows[index], sequence: sequences[index], flags: random.pick([0x10, 0x10, 0x10, 0x18]), payload: payload))
            sequences[index] &+= UInt32(payload.count)
            sent[index] += payload
        }
        var received: [[UInt8]] = [[], [], []]
        for (bytes, _) in joined(frames) {
            withFrame(bytes) { frame in
                let layout = FrameLayout(frame)!
                let index = Int(frame.word(layout.transportOffset)) - 2000
                received[index] += bytes[layout.payload..<layout.end]
            }
        }
        #expect(received == sent, "seed \(seed)")
    }
}
