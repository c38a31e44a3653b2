#if arch(x86_64)
import SoftFloat
import Testing

@Suite("SSE conversions against the host processor") struct SSEConversionHostTests {
    /// CVT(T)S[SD]2SI rax, xmm0; mov [rdi+528], rax
    static func toInteger(_ prefix: UInt8, truncating: Bool, wide: Bool) -> [UInt8] {
        [prefix] + (wide ? [0x48] : []) + [0x0f, truncating ? 0x2c : 0x2d, 0xc0, 0x48, 0x89, 0x87, 0x10, 2, 0, 0]
    }

    static let variants = [(false, false), (false, true), (true, false), (true, true)]

    @Test("Integers come out of binary64 as on the host", arguments: variants)
    func fromDouble(truncating: Bool, wide: Bool) {
        let host = HostFPU(Self.toInteger(0xf2, truncating: truncating, wide: wide))
        var random = SeededGenerator(seed: 11)
        for _ in 0..<15_000 {
            let (a, controls) = (random.binary64(), SSEHostTests.controls(&random))
            host.mxcsr = controls
            host.set(a.bitPattern, at: 160)
            host.run()
            var mxcsr = controls
            let result =
                wide
                ? SSEArithmetic.int64(a, truncating: truncating, mxcsr: &mxcsr)
                : Int64(UInt32(bitPattern: SSEArithmetic.int32(a, truncating: truncating, mxcsr: &mxcsr)))
            #expect(result == host.get(HostFPU.memory), "\(hex(a.bitPattern)) \(hex(controls))")
            #expect(mxcsr == host.mxcsr, "\(hex(a.bitPattern)) \(hex(controls))")
        }
    }

    @Test("Integers come out of binary32 as on the host", arguments: variants)
    func fromFloat(truncating: Bool, wide: Bool) {
        let host = HostFPU(Self.toInteger(0xf3, truncating: truncating, wide: wide))
        var random = SeededGenerator(seed: 12)
        for _ in 0..<15_000 {
            let (a, controls) = (random.binary32(), SSEHostTests.controls(&random))
            host.mxcsr = controls
            host.set(a.bitPattern, at: 160)
            host.run()
            var mxcsr = controls
            let result =
                wide
                ? SSEArithmetic.int64(a, truncating: truncating, mxcsr: &mxcsr)
                : Int64(UInt32(bitPattern: SSEArithmetic.int32(a, truncating: truncating, mxcsr: &mxcsr)))
            #expect(result == host.get(HostFPU.memory), "\(hex(a.bitPattern)) \(hex(controls))")
            #expect(mxcsr == host.mxcsr, "\(hex(a.bitPattern)) \(hex(controls))")
        }
    }

    @Test("Integers go into binary32 and binary64 as on the host")
    func fromInteger() {
        // cvtsi2ss xmm0, [rdi+528]; cvtsi2sd xmm1, [rdi+528]
        let single = HostFPU([0xf3, 0x48, 0x0f, 0x2a, 0x87, 0x10, 2, 0, 0])
        let double = HostFPU([0xf2, 0x48, 0x0f, 0x2a, 0x87, 0x10, 2, 0, 0])
        var random = SeededGenerator(seed: 13)
        for _ in 0..<15_000 {
            let (bits, controls) = (random.pattern(), SSEHostTests.controls(&random))
            let value = Int64(bitPattern: bits) >> Int64(random.next() % 64)
            for host in [single, double] {
                host.mxcsr = controls
                host.set(value, at: HostFPU.memory)
                host.run()
            }
            var mxcsr = controls
            #expect(SSEArithmetic.from(value, as: Float.self, mxcsr: &mxcsr).bitPattern == single.get(160, as: UInt32.self))
            #expect(mxcsr == single.mxcsr)
            mxcsr = controls
            #expect(SSEArithmetic.from(value, as: Double.self, mxcsr: &mxcsr).bitPattern == double.get(160, as: UInt64.self))
            #expect(mxcsr == double.mxcsr)
        }
    }

    @Test("binary32 and binary64 turn into each other as on the host")
    func betweenFormats() {
        let widen = HostFPU([0xf3, 0x0f, 0x5a, 0xc0])
        let narrow = HostFPU([0xf2, 0x0f, 0x5a, 0xc0])
        var random = SeededGenerator(seed: 14)
        for _ in 0..<30_000 {
            let (a, controls) = (random.binary32(), SSEHostTests.controls(&random))
            // Exponents around those of binary32, or anything.
            let b = random.next() & 1 == 0 ? random.binary64() : Double(a) * 0x1.0000001p-3
            widen.mxcsr = controls
            widen.set(a.bitPattern, at: 160)
            widen.run()
            var mxcsr = controls
            #expect(SSEArithmetic.widen(a, mxcsr: &mxcsr).bitPattern == widen.get(160, as: UInt64.self))
            #expect(mxcsr == widen.mxcsr)
            narrow.mxcsr = controls
            narrow.set(b.bitPattern, at: 160)
            narrow.run()
            mxcsr = controls
            #expect(
                SSEArithmetic.narrow(b, mxcsr: &mxcsr).bitPattern == narrow.get(160, as: UInt32.self),
                "\(hex(b.bitPattern)) \(hex(controls))")
            #expect(mxcsr == narrow.mxcsr, "\(hex(b.bitPattern)) \(hex(controls))")
        }
    }
}
#endif
