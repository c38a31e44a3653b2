extension Extended80 {
    /// FSCALE: `a` × 2^trunc(`b`) (SDM vol. 2A, FSCALE).
    public static func scale(_ a: Unpacked, by b: Unpacked, _ context: inout FloatContext) -> Extended80 {
        if let nan = Unpacked.propagatedNaN(a, b, x87: true, &context) { return Extended80(nan) }
        if b.kind == .infinity {
            if b.sign ? a.kind == .infinity : a.kind == .zero { return Extended80(Unpacked.invalid(&context)) }
            Unpacked.noteDenormals(a, b, &context)
            if b.sign { return Extended80(.zero(sign: a.sign)) }
            return Extended80(.infinity(sign: a.sign))
        }
        Unpacked.noteDenormals(a, b, &context)
        guard !context.stopsBeforeComputation else { return .indefinite }
        guard a.kind == .finite, b.kind == .finite else { return Extended80(rounding: a, &context) }
        var result = a
        // Beyond this every finite number overflows or vanishes, and adjusted exponents still fit.
        let reach: Int32 = 0x10000
        let whole = b.exponent > 15 ? reach : Int32(truncatingIfNeeded: b.wholeMagnitude(.towardZero)?.magnitude ?? 0)
        result.exponent &+= b.sign ? 0 &- whole : whole
        return Extended80(rounding: result, &context)
    }

    /// FXTRACT: the unbiased exponent as a number, and the significand with exponent 0.
    public static func extract(_ a: Unpacked, _ context: inout FloatContext) -> (exponent: Extended80, significand: Extended80) {
        if let nan = a.propagatedNaN(&context) { return (Extended80(nan), Extended80(nan)) }
        switch a.kind {
        case .zero:
            context.raise(.divideByZero)
            return (Extended80(.infinity(sign: true)), Extended80(a))
        case .infinity: return (Extended80(.infinity(sign: false)), Extended80(a))
        case .finite, .quietNaN, .signalingNaN, .unsupported:
            Unpacked.noteDenormals(a, a, &context)
            var significand = a
            significand.exponent = 0
            return (Extended80(Int64(truncatingIfNeeded: a.exponent)), Extended80(significand))
        }
    }
}
