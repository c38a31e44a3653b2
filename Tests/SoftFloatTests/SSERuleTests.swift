import SoftFloat
import Testing

/// Rules of the manual that hold on every host (SDM vol. 1, 4.8.3, 11.5).
@Suite("SSE rules") struct SSERuleTests {
    static let quiet = Float(bitPattern: 0x7fc0_1234)
    static let signaling = Float(bitPattern: 0x7f80_1234)
    static let denormal = Float(bitPattern: 1)

    @Test(
        "The first NaN operand is the result, quieted; a signaling one raises invalid",
        arguments: [
            (quiet, Float(1), UInt32(0x7fc0_1234), UInt32(0)),
            (1, quiet, 0x7fc0_1234, 0),
            (signaling, quiet, 0x7fc0_1234, 1),
            (Float(bitPattern: 0xffc0_0001), signaling, 0xffc0_0001, 1),
            (.infinity, -.infinity, 0xffc0_0000, 1),
        ] as [(Float, Float, UInt32, UInt32)])
    func nan(a: Float, b: Float, result: UInt32, flags: UInt32) {
        var mxcsr: UInt32 = 0x1f80
        #expect(SSEArithmetic.add(a, b, mxcsr: &mxcsr).bitPattern == result)
        #expect(mxcsr == 0x1f80 | flags)
    }

    @Test(
        "Each exception marks MXCSR exactly when it is not masked",
        arguments: [
            (UInt32(0x01), Float(0), Float(0)), (0x02, denormal, 1), (0x04, 1, 0),
            (0x08, .greatestFiniteMagnitude, 0.5), (0x10, .leastNormalMagnitude, 3), (0x20, 1, 3),
        ] as [(UInt32, Float, Float)])
    func unmasked(flag: UInt32, a: Float, b: Float) {
        var masked: UInt32 = 0x1f80
        _ = SSEArithmetic.divide(a, b, mxcsr: &masked)
        #expect(masked & flag != 0)
        #expect(masked & SSEArithmetic.unmaskedException == 0)
        var open: UInt32 = 0x1f80 & ~(flag << 7)
        _ = SSEArithmetic.divide(a, b, mxcsr: &open)
        #expect(open & flag != 0)
        #expect(open & SSEArithmetic.unmaskedException != 0)
    }

    @Test("A sticky flag alone does not fault")
    func sticky() {
        var mxcsr: UInt32 = 0x1f3f & ~0x80
        #expect(SSEArithmetic.add(Float(1), Float(1), mxcsr: &mxcsr) == 2)
        #expect(mxcsr & SSEArithmetic.unmaskedException == 0)
    }

    @Test("Exact tiny results raise underflow only when it is not masked")
    func exactTiny() {
        var masked: UInt32 = 0x1f80
        #expect(SSEArithmetic.divide(Float.leastNormalMagnitude, 2, mxcsr: &masked).bitPattern == 0x40_0000)
        #expect(masked == 0x1f80)
        var open: UInt32 = 0x1780
        _ = SSEArithmetic.divide(Float.leastNormalMagnitude, 2, mxcsr: &open)
        #expect(open == 0x1790 | SSEArithmetic.unmaskedException)
    }

    @Test("FTZ gives a signed zero with underflow and inexact; DAZ reads denormals as zero and stays silent")
    func flush() {
        var mxcsr: UInt32 = 0x9f80
        #expect(SSEArithmetic.divide(-Float.leastNormalMagnitude, 2, mxcsr: &mxcsr).bitPattern == 0x8000_0000)
        #expect(mxcsr == 0x9fb0)
        mxcsr = 0x1fc0
        #expect(SSEArithmetic.add(Self.denormal, 0, mxcsr: &mxcsr).bitPattern == 0)
        #expect(mxcsr == 0x1fc0)
    }
}
