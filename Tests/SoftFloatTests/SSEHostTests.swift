#if arch(x86_64)
import SoftFloat
import Testing

/// One instruction with its host encoding and our function.
struct SSECase<T: SSEScalar>: CustomTestStringConvertible, Sendable {
    var name: String
    var code: [UInt8]
    var ours: @Sendable (T, T, inout UInt32) -> T
    var testDescription: String { name }
}

@Suite("SSE arithmetic against the host processor") struct SSEHostTests {
    static func cases<T: SSEScalar>(_ prefix: UInt8, rounding: UInt8, _: T.Type) -> [SSECase<T>] {
        var list: [SSECase<T>] = [
            SSECase(name: "add", code: [prefix, 0x0f, 0x58, 0xc1]) { SSEArithmetic.add($0, $1, mxcsr: &$2) },
            SSECase(name: "subtract", code: [prefix, 0x0f, 0x5c, 0xc1]) { SSEArithmetic.subtract($0, $1, mxcsr: &$2) },
            SSECase(name: "multiply", code: [prefix, 0x0f, 0x59, 0xc1]) { SSEArithmetic.multiply($0, $1, mxcsr: &$2) },
            SSECase(name: "divide", code: [prefix, 0x0f, 0x5e, 0xc1]) { SSEArithmetic.divide($0, $1, mxcsr: &$2) },
            SSECase(name: "squareRoot", code: [prefix, 0x0f, 0x51, 0xc1]) { SSEArithmetic.squareRoot($1, mxcsr: &$2) },
            SSECase(name: "minimum", code: [prefix, 0x0f, 0x5d, 0xc1]) { SSEArithmetic.minimum($0, $1, mxcsr: &$2) },
            SSECase(name: "maximum", code: [prefix, 0x0f, 0x5f, 0xc1]) { SSEArithmetic.maximum($0, $1, mxcsr: &$2) },
        ]
        for control in [0, 1, 2, 3, 4, 8, 11, 12] as [UInt8] {
            list.append(
                SSECase(name: "integral \(control)", code: [0x66, 0x0f, 0x3a, rounding, 0xc1, control]) {
                    SSEArithmetic.integral($1, control: control, mxcsr: &$2)
                })
        }
        return list
    }

    /// Any rounding, DAZ, FTZ and sticky flags; half the time what makes the host's own operation eligible.
    static func controls(_ random: inout SeededGenerator) -> UInt32 {
        let bits = random.next()
        if bits & 1 != 0 { return 0x1fa0 }
        return 0x1f80 | UInt32(truncatingIfNeeded: bits >> 8) & 0xe040 | (bits & 2 != 0 ? UInt32(truncatingIfNeeded: bits >> 40) & 0x3f : 0)
    }

    @Test("binary32 operations equal the host's in result and flags", arguments: cases(0xf3, rounding: 0x0a, Float.self))
    func single(_ c: SSECase<Float>) {
        let host = HostFPU(c.code)
        var random = SeededGenerator(seed: 32)
        for _ in 0..<15_000 {
            let (a, b, controls) = (random.binary32(), random.binary32(), Self.controls(&random))
            host.mxcsr = controls
            host.set(a.bitPattern, at: 160)
            host.set(b.bitPattern, at: 176)
            host.run()
            var mxcsr = controls
            let result = c.ours(a, b, &mxcsr).bitPattern
            let expected = host.get(160, as: UInt32.self)
            guard result != expected || mxcsr != host.mxcsr else { continue }
            Issue.record(
                "\(c.name) \(hex(a.bitPattern)) \(hex(b.bitPattern)) mxcsr \(hex(controls)): \(hex(result)) \(hex(mxcsr)), host \(hex(expected)) \(hex(host.mxcsr))"
            )
            return
        }
    }

    @Test("binary64 operations equal the host's in result and flags", arguments: cases(0xf2, rounding: 0x0b, Double.self))
    func double(_ c: SSECase<Double>) {
        let host = HostFPU(c.code)
        var random = SeededGenerator(seed: 64)
        for _ in 0..<15_000 {
            let (a, b, controls) = (random.binary64(), random.binary64(), Self.controls(&random))
            host.mxcsr = controls
            host.set(a.bitPattern, at: 160)
            host.set(b.bitPattern, at: 176)
            host.run()
            var mxcsr = controls
            let result = c.ours(a, b, &mxcsr).bitPattern
            let expected = host.get(160, as: UInt64.self)
            guard result != expected || mxcsr != host.mxcsr else { continue }
            Issue.record(
                "\(c.name) \(hex(a.bitPattern)) \(hex(b.bitPattern)) mxcsr \(hex(controls)): \(hex(result)) \(hex(mxcsr)), host \(hex(expected)) \(hex(host.mxcsr))"
            )
            return
        }
    }

    @Test("Predicates hold exactly when the host says so", arguments: 0..<UInt8(8))
    func predicates(_ predicate: UInt8) {
        let host = HostFPU([0xf2, 0x0f, 0xc2, 0xc1, predicate])
        var random = SeededGenerator(seed: 7)
        for _ in 0..<8_000 {
            let (a, controls) = (random.binary64(), Self.controls(&random))
            let b = random.next() % 4 == 0 ? a : random.binary64()
            host.mxcsr = controls
            host.set(a.bitPattern, at: 160)
            host.set(b.bitPattern, at: 176)
            host.run()
            var mxcsr = controls
            let holds = SSEArithmetic.holds(predicate, a, b, mxcsr: &mxcsr)
            guard holds != (host.get(160, as: UInt64.self) != 0) || mxcsr != host.mxcsr else { continue }
            Issue.record(
                "\(hex(a.bitPattern)) \(hex(b.bitPattern)) mxcsr \(hex(controls)): \(holds) \(hex(mxcsr)), host \(hex(host.mxcsr))")
            return
        }
    }

    @Test("Ordered comparisons set the flags the host sets", arguments: [false, true])
    func ordered(signaling: Bool) {
        // comiss xmm0, xmm1; pushfq; pop rax; mov [rdi+528], rax
        let host = HostFPU([0x0f, signaling ? 0x2f : 0x2e, 0xc1, 0x9c, 0x58, 0x48, 0x89, 0x87, 0x10, 2, 0, 0])
        var random = SeededGenerator(seed: 8)
        for _ in 0..<8_000 {
            let (a, controls) = (random.binary32(), Self.controls(&random))
            let b = random.next() % 4 == 0 ? a : random.binary32()
            host.mxcsr = controls
            host.set(a.bitPattern, at: 160)
            host.set(b.bitPattern, at: 176)
            host.run()
            var mxcsr = controls
            let order = SSEArithmetic.compare(a, b, signaling: signaling, mxcsr: &mxcsr)
            let flags: UInt64 =
                switch order {
                case .less: 0x01
                case .equal: 0x40
                case .greater: 0
                case .unordered: 0x45
                }
            #expect(flags == host.get(HostFPU.memory, as: UInt64.self) & 0x45)
            #expect(mxcsr == host.mxcsr)
        }
    }
}

func hex<T: FixedWidthInteger>(_ value: T) -> String { String(value, radix: 16) }
func hex(_ value: Extended80) -> String { hex(value.signExponent) + ":" + hex(value.significand) }
#endif
