/// What a result is rounded to.
struct FloatFormat: BitwiseCopyable {
    /// Bits of the significand, the integer bit included.
    var precision: Int32
    var minExponent: Int32
    var maxExponent: Int32
    /// Unmasked overflow and underflow deliver the result with its exponent moved by 24576 (x87 registers).
    var wrapsExponent: Bool

    static let binary32 = FloatFormat(precision: 24, minExponent: -126, maxExponent: 127, wrapsExponent: false)
    static let binary64 = FloatFormat(precision: 53, minExponent: -1022, maxExponent: 1023, wrapsExponent: false)
    static let extended = FloatFormat(precision: 64, minExponent: -16382, maxExponent: 16383, wrapsExponent: true)

    /// The x87 register format under precision control, which leaves the range of exponents alone.
    static func register(_ precision: Int32) -> FloatFormat {
        FloatFormat(precision: precision, minExponent: -16382, maxExponent: 16383, wrapsExponent: true)
    }
}

extension UInt128 {
    /// Shifts right; the lowest bit stays set when a set bit was shifted out.
    func shiftedRightJamming(_ count: Int32) -> UInt128 {
        guard count > 0 else { return self }
        guard count < 128 else { return self == 0 ? 0 : 1 }
        let shift = UInt128(truncatingIfNeeded: count)
        let lost = self & (1 &<< shift &- 1)
        return self &>> shift | (lost == 0 ? 0 : 1)
    }
}

extension Unpacked {
    /// A significand cut to `kept` bits from the top of the word.
    private struct Cut {
        var significand: UInt128
        var carry: Bool
        var inexact: Bool
        var up: Bool
    }

    private static func cut(_ bits: UInt128, keeping kept: Int32, sign: Bool, _ mode: RoundingMode) -> Cut {
        let unit = UInt128(1) &<< UInt128(truncatingIfNeeded: 128 &- kept)
        let rest = bits & (unit &- 1)
        let base = bits &- rest
        guard rest != 0 else { return Cut(significand: base, carry: false, inexact: false, up: false) }
        let half = unit &>> 1
        let up =
            switch mode {
            case .nearestEven: rest > half || (rest == half && base & unit != 0)
            case .down: sign
            case .up: !sign
            case .towardZero: false
            }
        guard up else { return Cut(significand: base, carry: false, inexact: true, up: false) }
        let (sum, carry) = base.addingReportingOverflow(unit)
        return Cut(significand: carry ? 1 &<< 127 : sum, carry: carry, inexact: true, up: true)
    }

    /// Rounds to `format`, raising overflow, underflow and inexact as x86 does: tininess is judged after rounding, and
    /// masked underflow is only raised together with inexact (SDM vol. 1, 4.9.1.5).
    func rounded(to format: FloatFormat, _ context: inout FloatContext) -> Unpacked {
        guard kind == .finite else { return self }
        let cut = Unpacked.cut(significand, keeping: format.precision, sign: sign, context.rounding)
        let result = Unpacked(.finite, sign: sign, exponent: cut.carry ? exponent &+ 1 : exponent, significand: cut.significand)
        let tiny = result.exponent < format.minExponent
        if tiny && context.masked.contains(.underflow) { return denormalized(to: format, &context) }
        if result.exponent > format.maxExponent && context.masked.contains(.overflow) { return overflowed(format, &context) }
        if cut.inexact { context.raise(.inexact) }
        context.roundedUp = cut.up
        if tiny {
            context.raise(.underflow)
            return result.wrapped(by: 24576, format, &context)
        }
        if result.exponent > format.maxExponent {
            context.raise(.overflow)
            return result.wrapped(by: -24576, format, &context)
        }
        return result
    }

    /// The response to unmasked overflow and underflow in a register: the exponent moved into range. What FSCALE makes too
    /// large or too small even for that becomes infinity or zero.
    private func wrapped(by distance: Int32, _ format: FloatFormat, _ context: inout FloatContext) -> Unpacked {
        guard format.wrapsExponent else { return self }
        var result = self
        result.exponent &+= distance
        if result.exponent < format.minExponent {
            context.raise(.inexact)
            return .zero(sign: sign)
        }
        if result.exponent > format.maxExponent {
            context.raise(.inexact)
            context.roundedUp = true
            return .infinity(sign: sign)
        }
        return result
    }

    private func denormalized(to format: FloatFormat, _ context: inout FloatContext) -> Unpacked {
        if context.flushToZero {
            context.raise([.underflow, .inexact])
            return .zero(sign: sign)
        }
        let shifted = significand.shiftedRightJamming(format.minExponent &- exponent)
        let cut = Unpacked.cut(shifted, keeping: format.precision, sign: sign, context.rounding)
        if cut.inexact { context.raise([.underflow, .inexact]) }
        context.roundedUp = cut.up
        guard cut.significand != 0 else { return .zero(sign: sign) }
        return Unpacked(.finite, sign: sign, exponent: format.minExponent, significand: cut.significand)
    }

    private func overflowed(_ format: FloatFormat, _ context: inout FloatContext) -> Unpacked {
        context.raise([.overflow, .inexact])
        let toInfinity =
            switch context.rounding {
            case .nearestEven: true
            case .down: sign
            case .up: !sign
            case .towardZero: false
            }
        context.roundedUp = toInfinity
        guard !toInfinity else { return .infinity(sign: sign) }
        let ones = ~UInt128(0) &<< UInt128(truncatingIfNeeded: 128 &- format.precision)
        return Unpacked(.finite, sign: sign, exponent: format.maxExponent, significand: ones)
    }
}
