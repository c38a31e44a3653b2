extension Extended80 {
    /// An angle folded into -π/4 ... π/4, with the count of quarter turns taken off.
    private struct FoldedAngle: BitwiseCopyable {
        var rest: WideFloat
        var quarters: UInt8
    }

    /// What FSIN and its kin do before they compute: nil for a finite operand below 2^63 that is not zero.
    private enum Prepared {
        case result(Extended80)
        case outOfRange
        case angle(FoldedAngle)
    }

    /// FSIN; nil when |a| ≥ 2^63: C2 is set and the operand stays.
    public static func sine(_ a: Unpacked, _ context: inout FloatContext) -> Extended80? {
        switch prepare(a, &context) {
        case .result(let value): value
        case .outOfRange: nil
        case .angle(let angle): rounded(sine(angle), &context)
        }
    }

    /// FCOS; nil when |a| ≥ 2^63: C2 is set and the operand stays.
    public static func cosine(_ a: Unpacked, _ context: inout FloatContext) -> Extended80? {
        switch prepare(a, &context) {
        case .result(let value): a.kind == .zero ? one : value
        case .outOfRange: nil
        case .angle(let angle): rounded(cosine(angle), &context)
        }
    }

    /// FSINCOS; nil when |a| ≥ 2^63: C2 is set and the operand stays.
    public static func sineAndCosine(_ a: Unpacked, _ context: inout FloatContext) -> (sine: Extended80, cosine: Extended80)? {
        switch prepare(a, &context) {
        case .result(let value): (value, a.kind == .zero ? one : value)
        case .outOfRange: nil
        case .angle(let angle): (rounded(sine(angle), &context), rounded(cosine(angle), &context))
        }
    }

    /// FPTAN without the 1.0 it pushes; nil when |a| ≥ 2^63: C2 is set and the operand stays.
    public static func tangent(_ a: Unpacked, _ context: inout FloatContext) -> Extended80? {
        switch prepare(a, &context) {
        case .result(let value): value
        case .outOfRange: nil
        case .angle(let angle): rounded(sine(angle) / cosine(angle), &context)
        }
    }

    private static func prepare(_ a: Unpacked, _ context: inout FloatContext) -> Prepared {
        if let nan = a.propagatedNaN(&context) { return .result(Extended80(nan)) }
        if a.kind == .infinity { return .result(Extended80(Unpacked.invalid(&context))) }
        if a.kind == .zero { return .result(Extended80(a)) }
        if a.exponent >= 63 { return .outOfRange }
        Unpacked.noteDenormals(a, a, &context)
        guard !context.stopsBeforeComputation else { return .result(.indefinite) }
        return .angle(fold(a))
    }

    /// Takes quarter turns off with the 66-bit π of the processor (SDM vol. 1, 8.3.8), exactly.
    private static func fold(_ a: Unpacked) -> FoldedAngle {
        // π/2 in units of 2^-67, where an operand of at least 2^-4 is a whole number.
        let quarter: UInt128 = 0xc_90fd_aa22_168c_234c
        guard a.exponent >= -4 else { return FoldedAngle(rest: WideFloat(a), quarters: 0) }
        var rest = a.significand &>> 64
        var quarters: UInt8 = 0
        for _ in 0..<(a.exponent &+ 4) {
            rest &<<= 1
            quarters &<<= 1
            if rest >= quarter {
                rest &-= quarter
                quarters |= 1
            }
        }
        var sign = a.sign
        if rest &<< 1 > quarter {
            rest = quarter &- rest
            sign.toggle()
            quarters &+= 1
        }
        if a.sign { quarters = 0 &- quarters }
        return FoldedAngle(rest: WideFloat(sign: sign, exponent: 60, normalizing: rest), quarters: quarters & 3)
    }

    private static func sine(_ angle: FoldedAngle) -> WideFloat {
        let value = angle.quarters & 1 == 0 ? WideFloat.sine(angle.rest) : WideFloat.cosine(angle.rest)
        return angle.quarters & 2 == 0 ? value : value.negated
    }

    private static func cosine(_ angle: FoldedAngle) -> WideFloat {
        let value = angle.quarters & 1 == 0 ? WideFloat.cosine(angle.rest) : WideFloat.sine(angle.rest)
        return angle.quarters == 1 || angle.quarters == 2 ? value.negated : value
    }

    private static func rounded(_ value: WideFloat, _ context: inout FloatContext) -> Extended80 {
        Extended80(rounding: value.unpacked(inexact: true), &context)
    }
}

extension Extended80 {
    /// FPATAN: the angle of the point (x, y) (SDM vol. 2A, FPATAN).
    public static func arctangent(_ y: Unpacked, over x: Unpacked, _ context: inout FloatContext) -> Extended80 {
        if let nan = Unpacked.propagatedNaN(x, y, x87: true, &context) { return Extended80(nan) }
        Unpacked.noteDenormals(x, y, &context)
        guard !context.stopsBeforeComputation else { return .indefinite }
        if y.kind == .zero && !x.sign { return Extended80(.zero(sign: y.sign)) }
        if x.kind == .infinity && !x.sign && y.kind != .infinity { return Extended80(.zero(sign: y.sign)) }
        var angle = firstQuadrant(y, over: x)
        if x.sign { angle = .pi - angle }
        angle.sign = y.sign
        return rounded(angle, &context)
    }

    /// The angle of (|x|, |y|).
    private static func firstQuadrant(_ y: Unpacked, over x: Unpacked) -> WideFloat {
        if y.kind == .zero { return .zero }
        if x.kind == .infinity { return y.kind == .infinity ? WideFloat.pi.scaled(by: -2) : .zero }
        if y.kind == .infinity || x.kind == .zero { return WideFloat.pi.scaled(by: -1) }
        if Unpacked.magnitudeOrder(y, x) != .greater { return .arctangent(WideFloat(y).magnitude / WideFloat(x).magnitude) }
        return WideFloat.pi.scaled(by: -1) - .arctangent(WideFloat(x).magnitude / WideFloat(y).magnitude)
    }
}
