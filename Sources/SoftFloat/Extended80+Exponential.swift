extension Extended80 {
    /// F2XM1: 2^a - 1 for a in -1...1; outside, where the result is undefined, the operand itself.
    public static func exponential2MinusOne(_ a: Unpacked, _ context: inout FloatContext) -> Extended80 {
        if let nan = a.propagatedNaN(&context) { return Extended80(nan) }
        if a.kind == .zero { return Extended80(a) }
        if a.kind == .infinity { return a.sign ? one.negated : Extended80(a) }
        Unpacked.noteDenormals(a, a, &context)
        guard !context.stopsBeforeComputation else { return .indefinite }
        let isOne = a.exponent == 0 && a.significand &<< 1 == 0
        if isOne { return a.sign ? Extended80(significand: 1 &<< 63, signExponent: 0xbffe) : one }
        guard a.exponent < 0 else { return Extended80(a) }
        let value = WideFloat.exponentialMinusOne(WideFloat(a) * .ln2)
        return Extended80(rounding: value.unpacked(inexact: true), &context)
    }

    /// FYL2X: y × log2 x (SDM vol. 2A, FYL2X).
    public static func logarithm2(_ x: Unpacked, times y: Unpacked, _ context: inout FloatContext) -> Extended80 {
        if let nan = Unpacked.propagatedNaN(x, y, x87: true, &context) { return Extended80(nan) }
        if x.kind != .zero && x.sign { return Extended80(Unpacked.invalid(&context)) }
        switch x.kind {
        case .zero: return logarithmOfZero(times: y, &context)
        case .infinity:
            if y.kind == .zero { return Extended80(Unpacked.invalid(&context)) }
            Unpacked.noteDenormals(x, y, &context)
            return Extended80(.infinity(sign: y.sign))
        case .finite, .quietNaN, .signalingNaN, .unsupported: break
        }
        let isPower = x.significand &<< 1 == 0
        let logarithm = isPower ? WideFloat(Int64(truncatingIfNeeded: x.exponent)) : WideFloat.logarithm2(WideFloat(x))
        return product(logarithm, negativeZero: false, exact: isPower, x, y, &context)
    }

    /// FYL2XP1: y × log2(x + 1), meant for |x| < 1 - √½ and answered for every x above -1.
    public static func logarithm2PlusOne(_ x: Unpacked, times y: Unpacked, _ context: inout FloatContext) -> Extended80 {
        if let nan = Unpacked.propagatedNaN(x, y, x87: true, &context) { return Extended80(nan) }
        if x.kind == .infinity {
            if x.sign || y.kind == .zero { return Extended80(Unpacked.invalid(&context)) }
            Unpacked.noteDenormals(x, y, &context)
            return Extended80(.infinity(sign: y.sign))
        }
        if x.kind == .finite && x.sign && x.exponent >= 0 { return Extended80(Unpacked.invalid(&context)) }
        let wide = WideFloat(x)
        let logarithm =
            x.exponent < -2
            ? WideFloat.twiceArtanh(wide / (.two + wide)) * .log2ofE
            : WideFloat.logarithm2(.one + wide)
        return product(x.kind == .zero ? .zero : logarithm, negativeZero: x.sign, exact: false, x, y, &context)
    }

    private static func logarithmOfZero(times y: Unpacked, _ context: inout FloatContext) -> Extended80 {
        switch y.kind {
        case .zero: return Extended80(Unpacked.invalid(&context))
        case .infinity: return Extended80(.infinity(sign: !y.sign))
        case .finite, .quietNaN, .signalingNaN, .unsupported:
            context.raise(.divideByZero)
            return Extended80(.infinity(sign: !y.sign))
        }
    }

    /// A logarithm times `y`, whatever `y` is but a NaN. `negativeZero` is the sign of a logarithm that is zero.
    private static func product(
        _ logarithm: WideFloat, negativeZero: Bool, exact: Bool, _ x: Unpacked, _ y: Unpacked,
        _ context: inout FloatContext
    ) -> Extended80 {
        let sign = (logarithm.isZero ? negativeZero : logarithm.sign) != y.sign
        if y.kind == .infinity && logarithm.isZero { return Extended80(Unpacked.invalid(&context)) }
        Unpacked.noteDenormals(x, y, &context)
        guard !context.stopsBeforeComputation else { return .indefinite }
        if y.kind == .infinity { return Extended80(.infinity(sign: sign)) }
        if y.kind == .zero || logarithm.isZero { return Extended80(.zero(sign: sign)) }
        return Extended80(rounding: (logarithm * WideFloat(y)).unpacked(inexact: !exact), &context)
    }
}
