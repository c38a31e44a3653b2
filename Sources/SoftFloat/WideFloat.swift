/// A number with 128 significand bits, the arithmetic the transcendental functions are evaluated in.
///
/// The value is `significand` × 2^(`exponent` - 127) with the top bit set, or zero. Operations are wrong by a few units in the
/// last place, 2^-64 of what a register shows, so that results are correctly rounded but for one case in about 2^58.
struct WideFloat: BitwiseCopyable {
    var sign: Bool
    var exponent: Int32
    var significand: UInt128

    static let zero = WideFloat(sign: false, exponent: 0, significand: 0)
    static let one = WideFloat(sign: false, exponent: 0, significand: 1 << 127)
    static let two = WideFloat(sign: false, exponent: 1, significand: 1 << 127)
    static let ln2 = WideFloat(sign: false, exponent: -1, significand: 0xb172_17f7_d1cf_79ab_c9e3_b398_03f2_f6af)
    static let log2ofE = WideFloat(sign: false, exponent: 0, significand: 0xb8aa_3b29_5c17_f0bb_be87_fed0_691d_3e89)
    static let pi = WideFloat(sign: false, exponent: 1, significand: 0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1)

    init(sign: Bool, exponent: Int32, significand: UInt128) {
        self.sign = sign
        self.exponent = exponent
        self.significand = significand
    }

    init(sign: Bool, exponent: Int32, normalizing bits: UInt128) {
        guard bits != 0 else {
            self = .zero
            return
        }
        let value = Unpacked(sign: sign, exponent: exponent, normalizing: bits)
        self.init(sign: sign, exponent: value.exponent, significand: value.significand)
    }

    /// A finite number or zero.
    init(_ value: Unpacked) {
        self.init(sign: value.sign, exponent: value.exponent, significand: value.kind == .zero ? 0 : value.significand)
    }

    init(_ value: Int64) { self.init(Unpacked(value)) }

    var isZero: Bool { significand == 0 }
    var magnitude: WideFloat { WideFloat(sign: false, exponent: exponent, significand: significand) }
    var negated: WideFloat { WideFloat(sign: !sign, exponent: exponent, significand: significand) }

    /// The number as a result to round; `inexact` marks one that only approximates a value with more bits.
    func unpacked(inexact: Bool) -> Unpacked {
        guard !isZero else { return .zero(sign: sign) }
        return Unpacked(.finite, sign: sign, exponent: exponent, significand: significand | (inexact ? 1 : 0))
    }

    /// Multiplied by a power of two.
    func scaled(by power: Int32) -> WideFloat {
        isZero ? self : WideFloat(sign: sign, exponent: exponent &+ power, significand: significand)
    }

    static func + (a: WideFloat, b: WideFloat) -> WideFloat {
        if a.isZero { return b }
        if b.isZero { return a }
        let sum =
            a.sign == b.sign
            ? Unpacked.magnitudeSum(a.unpacked(inexact: false), b.unpacked(inexact: false))
            : Unpacked.magnitudeDifference(a.unpacked(inexact: false), b.unpacked(inexact: false), zeroSign: false)
        return WideFloat(sum)
    }

    static func - (a: WideFloat, b: WideFloat) -> WideFloat { a + b.negated }

    static func * (a: WideFloat, b: WideFloat) -> WideFloat {
        let product = a.significand.multipliedFullWidth(by: b.significand)
        let sign = a.sign != b.sign
        if product.high &>> 127 != 0 || product.high == 0 {
            return WideFloat(sign: sign, exponent: a.exponent &+ b.exponent &+ 1, normalizing: product.high)
        }
        return WideFloat(sign: sign, exponent: a.exponent &+ b.exponent, significand: product.high &<< 1 | product.low &>> 127)
    }

    /// Long division; the divisor is not zero.
    static func / (a: WideFloat, b: WideFloat) -> WideFloat {
        guard !a.isZero else { return a }
        var exponent = a.exponent &- b.exponent
        var remainder = a.significand
        var carry = false
        if remainder < b.significand {
            carry = remainder &>> 127 != 0
            remainder &<<= 1
            exponent &-= 1
        }
        var quotient: UInt128 = 0
        for _ in 0..<128 {
            quotient &<<= 1
            if carry || remainder >= b.significand {
                remainder &-= b.significand
                quotient |= 1
            }
            carry = remainder &>> 127 != 0
            remainder &<<= 1
        }
        return WideFloat(sign: a.sign != b.sign, exponent: exponent, significand: quotient)
    }

    /// Divided by a small whole number.
    func divided(by divisor: UInt32) -> WideFloat {
        WideFloat(sign: sign, exponent: exponent, normalizing: significand / UInt128(truncatingIfNeeded: divisor))
    }

    /// A term this far below the sum cannot change it any more, but as a sticky bit.
    func isNegligible(beside sum: WideFloat) -> Bool { isZero || exponent < sum.exponent &- 130 }
}
