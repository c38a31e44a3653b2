import SoftFloat
import Testing

/// Rules of the x87 that hold on every host (SDM vol. 1, 4.8.3, 8.2.2, 8.5).
@Suite("x87 rules") struct ExtendedRuleTests {
    static let infinity = Extended80(significand: 1 << 63, signExponent: 0x7fff)
    static let small = Extended80(significand: 0xc000_0000_0000_0001, signExponent: 0x7fff)
    static let large = Extended80(significand: 0xc000_0000_0000_0002, signExponent: 0xffff)

    @Test("The NaN with the larger significand wins, in either order")
    func nan() {
        for (a, b) in [(Self.small, Self.large), (Self.large, Self.small)] {
            var context = FloatContext(controlWord: 0x37f)
            #expect(Extended80.add(a.unpacked, b.unpacked, &context) == Self.large)
            #expect(context.raised == [])
        }
    }

    @Test(
        "Unsupported encodings are invalid operands",
        arguments: [
            Extended80(significand: 1 << 62, signExponent: 0x3fff), Extended80(significand: 0, signExponent: 0x7fff),
            Extended80(significand: 5, signExponent: 0xffff),
        ])
    func unsupported(value: Extended80) {
        var context = FloatContext(controlWord: 0x37f)
        #expect(Extended80.multiply(value.unpacked, Self.small.unpacked, &context) == .indefinite)
        #expect(context.raised == .invalid)
    }

    @Test("A pseudo-denormal has the value its bits say and counts as denormal")
    func pseudoDenormal() {
        var context = FloatContext(controlWord: 0x37f)
        let pseudo = Extended80(significand: 1 << 63, signExponent: 0)
        #expect(Extended80.add(pseudo.unpacked, Extended80.zero.unpacked, &context) == Extended80(significand: 1 << 63, signExponent: 1))
        #expect(context.raised == .denormal)
    }

    @Test("Unmasked overflow and underflow move the exponent by 24576")
    func wrapped() {
        let huge = Extended80(significand: 1 << 63, signExponent: 0x7ffe)
        var context = FloatContext(controlWord: 0x377)
        #expect(Extended80.multiply(huge.unpacked, huge.unpacked, &context) == Extended80(significand: 1 << 63, signExponent: 0x5ffd))
        #expect(context.unmasked == .overflow)
        let tiny = Extended80(significand: 1 << 63, signExponent: 1)
        context = FloatContext(controlWord: 0x36f)
        #expect(Extended80.multiply(tiny.unpacked, tiny.unpacked, &context) == Extended80(significand: 1 << 63, signExponent: 0x2003))
        #expect(context.unmasked == .underflow)
    }

    @Test(
        "Precision control shortens the significand",
        arguments: [
            (UInt16(0x07f), UInt64(0xaaaa_ab00_0000_0000)), (0x27f, 0xaaaa_aaaa_aaaa_a800), (0x37f, 0xaaaa_aaaa_aaaa_aaab),
        ])
    func precision(control: UInt16, significand: UInt64) {
        var context = FloatContext(controlWord: control)
        let third = Extended80.divide(Extended80(1).unpacked, Extended80(3).unpacked, &context)
        #expect(third == Extended80(significand: significand, signExponent: 0x3ffd))
        #expect(context.raised == .inexact)
    }

    @Test("Known values of the transcendental functions come out to the last bit")
    func functions() {
        var context = FloatContext(controlWord: 0x37f)
        // arctan(1) = π/4, log2(10), sin of half.
        #expect(
            Extended80.arctangent(Extended80.one.unpacked, over: Extended80.one.unpacked, &context)
                == Extended80(significand: 0xc90f_daa2_2168_c235, signExponent: 0x3ffe))
        #expect(
            Extended80.logarithm2(Extended80(10).unpacked, times: Extended80.one.unpacked, &context)
                == Extended80(Extended80.Constant.log2of10, .nearestEven))
        #expect(Extended80.logarithm2(Extended80(1 << 40).unpacked, times: Extended80(3).unpacked, &context) == Extended80(120))
    }

    @Test(
        "Packed decimals hold eighteen digits and no more",
        arguments: [
            (999_999_999_999_999_999, PackedDecimal(low: 0x9999_9999_9999_9999, high: 0x0099)),
            (-120, PackedDecimal(low: 0x120, high: 0x8000)),
            (1_000_000_000_000_000_000, .indefinite),
        ] as [(Int64, PackedDecimal)])
    func decimal(value: Int64, expected: PackedDecimal) {
        var context = FloatContext(controlWord: 0x37f)
        #expect(Extended80(value).packedDecimal(&context) == expected)
        #expect(context.raised == (expected == .indefinite ? .invalid : []))
    }
}
