extension Unpacked {
    /// A finite magnitude cut to a whole number below 2^64; nil when it does not fit. Notes inexactness in the answer only.
    func wholeMagnitude(_ mode: RoundingMode) -> (magnitude: UInt64, inexact: Bool, up: Bool)? {
        guard exponent < 64 else { return nil }
        // Bit 64 is the unit: everything below one bit is kept as a sticky fraction.
        let aligned = significand.shiftedRightJamming(63 &- exponent)
        let whole = UInt64(truncatingIfNeeded: aligned &>> 64)
        let rest = UInt64(truncatingIfNeeded: aligned)
        guard rest != 0 else { return (whole, false, false) }
        let half = UInt64(1) &<< 63
        let up =
            switch mode {
            case .nearestEven: rest > half || (rest == half && whole & 1 != 0)
            case .down: sign
            case .up: !sign
            case .towardZero: false
            }
        guard up else { return (whole, true, false) }
        let (sum, carry) = whole.addingReportingOverflow(1)
        return carry ? nil : (sum, true, true)
    }

    /// Converts to a signed integer of `bitCount` bits; the integer indefinite (its least value) with invalid raised when it does not fit.
    func integer(bitCount: Int32, _ mode: RoundingMode, _ context: inout FloatContext) -> Int64 {
        let least = Int64.min &>> Int64(truncatingIfNeeded: 64 &- bitCount)
        if kind == .zero { return 0 }
        guard kind == .finite, let whole = wholeMagnitude(mode),
            whole.magnitude <= least.magnitude &- (sign ? 0 : 1)
        else {
            context.raise(.invalid)
            return least
        }
        if whole.inexact { context.raise(.inexact) }
        context.roundedUp = whole.up
        let value = Int64(truncatingIfNeeded: whole.magnitude)
        return sign ? 0 &- value : value
    }

    /// Rounds to a whole number of the same format; the sign of a zero result is the operand's. Raises inexact, and
    /// invalid for signaling NaNs.
    func integral(_ mode: RoundingMode, _ context: inout FloatContext) -> Unpacked {
        if let nan = propagatedNaN(&context) { return nan }
        guard kind == .finite, exponent < 63, let whole = wholeMagnitude(mode) else { return self }
        if whole.inexact { context.raise(.inexact) }
        context.roundedUp = whole.up
        guard whole.magnitude != 0 else { return .zero(sign: sign) }
        return Unpacked(sign: sign, exponent: 127, normalizing: UInt128(truncatingIfNeeded: whole.magnitude))
    }
}
