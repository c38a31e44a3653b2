@testable import KernelImage
import TestSupport
import Testing

@Suite("LZO1X") struct LZO1XTests {
    private static let end: [UInt8] = [0x11, 0, 0]

    /// `count` literals as a first instruction, then the literals.
    private static func literals(_ count: Int) -> [UInt8] {
        [UInt8(17 + count)] + (0..<count).map { UInt8($0) }
    }

    private static func first(_ count: Int) -> [UInt8] { (0..<count).map { UInt8($0) } }

    @Test(
        "Each instruction copies what its fields say",
        arguments: [
            // Literals in the first byte, then nothing.
            (literals(4) + end, first(4)),
            // 0000LLLL: a run of 3 + 2 literals; extended: 18 + 1.
            ([0x02, 9, 8, 7, 6, 5] + end, [9, 8, 7, 6, 5]),
            ([0x00, 0x01] + first(19) + end, first(19)),
            // 01LDDDSS: 3 bytes from distance 4, one literal after; 4 bytes from distance 8 * 0 + 1.
            (literals(4) + [0x4d, 0, 0xaa] + end, first(4) + [0, 1, 2, 0xaa]),
            (literals(4) + [0x60, 0] + end, first(4) + [3, 3, 3, 3]),
            // 1LLDDDSS: 5 and 8 bytes from distance 2.
            (literals(4) + [0x84, 0] + end, first(4) + [2, 3, 2, 3, 2]),
            (literals(4) + [0xe4, 0] + end, first(4) + [2, 3, 2, 3, 2, 3, 2, 3]),
            // 001LLLLL: 3 bytes from distance 2; extended: 33 + 1 bytes from distance 1.
            (literals(4) + [0x21, 0x04, 0] + end, first(4) + [2, 3, 2]),
            (literals(4) + [0x20, 0x01, 0x00, 0] + end, first(4) + [UInt8](repeating: 3, count: 34)),
            // 0000DDSS after one trailing literal: 2 bytes from distance 2.
            (literals(4) + [0x4d, 0, 0xaa, 0x04, 0] + end, first(4) + [0, 1, 2, 0xaa, 2, 0xaa]),
        ] as [([UInt8], [UInt8])])
    func instructions(stream: [UInt8], output: [UInt8]) {
        #expect(lzo1xUnpack(stream, 0..<stream.count, outputCount: output.count) == output)
    }

    /// A run of literals long enough to need an extended length.
    private static func longRun(_ bytes: [UInt8]) -> [UInt8] {
        let beyond = bytes.count - 18
        let zeros = (beyond - 1) / 255
        return [UInt8](repeating: 0, count: 1 + zeros) + [UInt8(beyond - zeros * 255)] + bytes
    }

    private static func pattern(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 13) >> 3) }
    }

    @Test(
        "Matches reach far back",
        arguments: [
            // 0000DDSS after a run: 3 bytes from distance 2049.
            (2052, [0x00, 0x00], 2049, 3),
            // 001LLLLL: 3 bytes from distance 16384.
            (20000, [0x21, 0xfc, 0xff], 16384, 3),
            // 0001HLLL: 4 bytes from distance 16384 + 100, 3 bytes from distance 32768 + 1.
            (20000, [0x12, 0x90, 0x01], 16484, 4),
            (40000, [0x19, 0x04, 0x00], 32769, 3),
        ] as [(Int, [UInt8], Int, Int)])
    func farMatches(count: Int, instruction: [UInt8], distance: Int, length: Int) {
        let bytes = Self.pattern(count)
        let stream = Self.longRun(bytes) + instruction + Self.end
        let from = count - distance
        #expect(lzo1xUnpack(stream, 0..<stream.count, outputCount: count + length) == bytes + bytes[from..<from + length])
    }

    @Test(
        "Streams that reach outside of either buffer are refused",
        arguments: [
            ([], 0), ([0x11, 0], 0), (literals(4), 4), (literals(4) + end, 3), (literals(4) + end, 5),
            (literals(4) + [0x4c, 1] + end, 7), (literals(4) + [0x00, 0x00], 300), ([UInt8](repeating: 0, count: 50), 100),
            (Array(literals(4).dropLast()), 4), (literals(4) + [0x84, 0] + end, 8),
        ] as [([UInt8], Int)])
    func refused(stream: [UInt8], count: Int) {
        #expect(lzo1xUnpack(stream, 0..<stream.count, outputCount: count) == nil)
    }

    @Test("Random streams never reach outside of either buffer")
    func randomStreams() {
        var random = SeededRandom(seed: 1)
        for _ in 0..<20000 {
            let stream = (0..<Int.random(in: 0...40, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            let count = Int.random(in: 0...600, using: &random)
            let output = lzo1xUnpack(stream, 0..<stream.count, outputCount: count)
            #expect(output == nil || output?.count == count)
        }
    }
}
