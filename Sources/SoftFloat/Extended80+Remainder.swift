extension Extended80 {
    /// What FPREM and FPREM1 leave.
    public struct Remainder: BitwiseCopyable, Sendable {
        public var value: Extended80
        /// The low three bits of the quotient, when the reduction is complete.
        public var quotient: UInt8
        /// Only part of the exponent difference is gone: C2 is set and the program repeats.
        public var isPartial: Bool
    }

    /// FPREM (quotient truncated) or FPREM1 (quotient to nearest even) of `a` by `b`, always exact.
    ///
    /// An exponent difference of 64 and more is reduced by 32 to 63 at a time (SDM vol. 2A, FPREM), so that the work is bounded.
    public static func remainder(_ a: Unpacked, _ b: Unpacked, nearest: Bool, _ context: inout FloatContext) -> Remainder {
        if let special = specialRemainder(a, b, &context) {
            let value = context.stopsBeforeComputation ? indefinite : Extended80(rounding: special, &context)
            return Remainder(value: value, quotient: 0, isPartial: false)
        }
        guard !context.stopsBeforeComputation else { return Remainder(value: indefinite, quotient: 0, isPartial: false) }
        let difference = a.exponent &- b.exponent
        if difference >= 64 {
            let steps = difference & 31 | 32
            let part = divide(a, by: b, bits: steps)
            let rest = Unpacked(whole: part.remainder, sign: a.sign, exponent: b.exponent &+ difference &- steps)
            return Remainder(value: Extended80(rounding: rest, &context), quotient: 0, isPartial: true)
        }
        if difference < -1 || (difference < 0 && !nearest) {
            return Remainder(value: Extended80(rounding: a, &context), quotient: 0, isPartial: false)
        }
        return complete(a, b, difference, nearest: nearest, &context)
    }

    /// The last reduction, for exponents that differ by -1 to 63. Remainders count in halves of `b`'s last place.
    private static func complete(
        _ a: Unpacked, _ b: Unpacked, _ difference: Int32, nearest: Bool,
        _ context: inout FloatContext
    ) -> Remainder {
        var quotient: UInt64 = 0
        var remainder = a.significand &>> 64
        if difference >= 0 {
            (quotient, remainder) = divide(a, by: b, bits: difference)
            remainder &<<= 1
        }
        var sign = a.sign
        let divisor = b.significand &>> 63
        if nearest && (remainder &<< 1 > divisor || (remainder &<< 1 == divisor && quotient & 1 != 0)) {
            quotient &+= 1
            remainder = divisor &- remainder
            sign.toggle()
        }
        let rest = Unpacked(whole: remainder, sign: remainder == 0 ? a.sign : sign, exponent: b.exponent &- 1)
        return Remainder(value: Extended80(rounding: rest, &context), quotient: UInt8(truncatingIfNeeded: quotient & 7), isPartial: false)
    }

    private static func specialRemainder(_ a: Unpacked, _ b: Unpacked, _ context: inout FloatContext) -> Unpacked? {
        if let nan = Unpacked.propagatedNaN(a, b, x87: true, &context) { return nan }
        if a.kind == .infinity || b.kind == .zero { return Unpacked.invalid(&context) }
        Unpacked.noteDenormals(a, b, &context)
        return a.kind == .zero || b.kind == .infinity ? a : nil
    }

    /// `a` by `b` as if the exponents differed by `bits`: the quotient's low bits, and the remainder in units of `b`'s last place.
    private static func divide(_ a: Unpacked, by b: Unpacked, bits: Int32) -> (quotient: UInt64, remainder: UInt128) {
        let divisor = b.significand &>> 64
        var remainder = a.significand &>> 64
        var quotient: UInt64 = 0
        var step = bits
        while true {
            quotient &<<= 1
            if remainder >= divisor {
                remainder &-= divisor
                quotient |= 1
            }
            guard step > 0 else { return (quotient, remainder) }
            remainder &<<= 1
            step &-= 1
        }
    }
}

extension Unpacked {
    /// `whole` × 2^(`exponent` - 63), zero included.
    init(whole: UInt128, sign: Bool, exponent: Int32) {
        self = whole == 0 ? .zero(sign: sign) : Unpacked(sign: sign, exponent: exponent &+ 64, normalizing: whole)
    }
}
