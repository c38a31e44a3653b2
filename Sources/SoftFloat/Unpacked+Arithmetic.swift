extension Unpacked {
    static func sum(_ a: Unpacked, _ b: Unpacked, x87: Bool, _ context: inout FloatContext) -> Unpacked {
        if let nan = propagatedNaN(a, b, x87: x87, &context) { return nan }
        if a.kind == .infinity || b.kind == .infinity {
            if a.kind == b.kind && a.sign != b.sign { return invalid(&context) }
            noteDenormals(a, b, &context)
            return a.kind == .infinity ? a : b
        }
        noteDenormals(a, b, &context)
        if a.kind == .zero && b.kind == .zero {
            return a.sign == b.sign ? a : .zero(sign: context.rounding == .down)
        }
        if a.kind == .zero { return b }
        if b.kind == .zero { return a }
        return a.sign == b.sign ? magnitudeSum(a, b) : magnitudeDifference(a, b, zeroSign: context.rounding == .down)
    }

    /// Adds finite numbers of equal sign.
    static func magnitudeSum(_ a: Unpacked, _ b: Unpacked) -> Unpacked {
        let (large, small) = a.exponent >= b.exponent ? (a, b) : (b, a)
        let shifted = small.significand.shiftedRightJamming(large.exponent &- small.exponent)
        let (sum, carry) = large.significand.addingReportingOverflow(shifted)
        guard carry else { return Unpacked(.finite, sign: a.sign, exponent: large.exponent, significand: sum) }
        return Unpacked(.finite, sign: a.sign, exponent: large.exponent &+ 1, significand: sum.shiftedRightJamming(1) | 1 &<< 127)
    }

    /// Adds finite numbers of opposite sign.
    static func magnitudeDifference(_ a: Unpacked, _ b: Unpacked, zeroSign: Bool) -> Unpacked {
        if a.exponent == b.exponent && a.significand == b.significand { return .zero(sign: zeroSign) }
        let aIsLarger = a.exponent > b.exponent || (a.exponent == b.exponent && a.significand > b.significand)
        let (large, small) = aIsLarger ? (a, b) : (b, a)
        let shifted = small.significand.shiftedRightJamming(large.exponent &- small.exponent)
        return Unpacked(sign: large.sign, exponent: large.exponent, normalizing: large.significand &- shifted)
    }

    static func product(_ a: Unpacked, _ b: Unpacked, x87: Bool, _ context: inout FloatContext) -> Unpacked {
        if let nan = propagatedNaN(a, b, x87: x87, &context) { return nan }
        let sign = a.sign != b.sign
        if a.kind == .infinity || b.kind == .infinity {
            if a.kind == .zero || b.kind == .zero { return invalid(&context) }
            noteDenormals(a, b, &context)
            return .infinity(sign: sign)
        }
        noteDenormals(a, b, &context)
        if a.kind == .zero || b.kind == .zero { return .zero(sign: sign) }
        let full = (a.significand &>> 64) &* (b.significand &>> 64)
        return Unpacked(sign: sign, exponent: a.exponent &+ b.exponent &+ 1, normalizing: full)
    }

    static func quotient(_ a: Unpacked, _ b: Unpacked, x87: Bool, _ context: inout FloatContext) -> Unpacked {
        if let nan = propagatedNaN(a, b, x87: x87, &context) { return nan }
        let sign = a.sign != b.sign
        if a.kind == b.kind && a.kind != .finite { return invalid(&context) }
        if b.kind == .zero && a.kind == .finite {
            context.raise(.divideByZero)
            return .infinity(sign: sign)
        }
        noteDenormals(a, b, &context)
        if a.kind == .infinity || b.kind == .zero { return .infinity(sign: sign) }
        if a.kind == .zero || b.kind == .infinity { return .zero(sign: sign) }
        return finiteQuotient(a, b, sign: sign)
    }

    private static func finiteQuotient(_ a: Unpacked, _ b: Unpacked, sign: Bool) -> Unpacked {
        let dividend = UInt64(truncatingIfNeeded: a.significand &>> 64)
        let divisor = UInt64(truncatingIfNeeded: b.significand &>> 64)
        var exponent = a.exponent &- b.exponent
        let first: (quotient: UInt64, remainder: UInt64)
        if dividend >= divisor {
            first = divisor.dividingFullWidth((dividend &>> 1, dividend &<< 63))
        } else {
            first = divisor.dividingFullWidth((dividend, 0))
            exponent &-= 1
        }
        let second = divisor.dividingFullWidth((first.remainder, 0))
        let low = second.quotient | (second.remainder == 0 ? 0 : 1)
        let bits = UInt128(truncatingIfNeeded: first.quotient) &<< 64 | UInt128(truncatingIfNeeded: low)
        return Unpacked(.finite, sign: sign, exponent: exponent, significand: bits)
    }

    func squareRoot(_ context: inout FloatContext) -> Unpacked {
        if let nan = propagatedNaN(&context) { return nan }
        if kind == .zero { return self }
        if sign { return Unpacked.invalid(&context) }
        if kind == .infinity { return self }
        Unpacked.noteDenormals(self, self, &context)
        // An even exponent puts the root of [1, 4) into [1, 2).
        let radicand = exponent & 1 == 0 ? significand &>> 1 : significand
        let (root, remainder) = Unpacked.integerRoot(radicand)
        // The root of an integer never lies exactly halfway: above means the remainder exceeds the root.
        let tail: UInt128 = remainder == 0 ? 0 : remainder > root ? 1 &<< 63 | 1 : 1
        return Unpacked(.finite, sign: false, exponent: exponent &>> 1, significand: root &<< 64 | tail)
    }

    /// The whole part of a square root and what is left, digit by digit.
    private static func integerRoot(_ radicand: UInt128) -> (root: UInt128, remainder: UInt128) {
        var remainder = radicand
        var root: UInt128 = 0
        var bit: UInt128 = 1 &<< 126
        while bit != 0 {
            let trial = root &+ bit
            root &>>= 1
            if remainder >= trial {
                remainder &-= trial
                root |= bit
            }
            bit &>>= 2
        }
        return (root, remainder)
    }
}
