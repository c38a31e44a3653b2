extension Extended80 {
    /// FADD. Operands come unpacked, so that memory operands of every format take part without a rounding of their own.
    public static func add(_ a: Unpacked, _ b: Unpacked, _ context: inout FloatContext) -> Extended80 {
        rounded(Unpacked.sum(a, b, x87: true, &context), &context)
    }

    /// FSUB: `a - b`.
    public static func subtract(_ a: Unpacked, _ b: Unpacked, _ context: inout FloatContext) -> Extended80 {
        rounded(Unpacked.sum(a, b.isNaN ? b : b.negated, x87: true, &context), &context)
    }

    /// FMUL.
    public static func multiply(_ a: Unpacked, _ b: Unpacked, _ context: inout FloatContext) -> Extended80 {
        rounded(Unpacked.product(a, b, x87: true, &context), &context)
    }

    /// FDIV: `a / b`.
    public static func divide(_ a: Unpacked, _ b: Unpacked, _ context: inout FloatContext) -> Extended80 {
        rounded(Unpacked.quotient(a, b, x87: true, &context), &context)
    }

    /// FSQRT.
    public static func squareRoot(_ a: Unpacked, _ context: inout FloatContext) -> Extended80 {
        rounded(a.squareRoot(&context), &context)
    }

    /// Rounds under precision control.
    private static func rounded(_ value: Unpacked, _ context: inout FloatContext) -> Extended80 {
        guard !context.stopsBeforeComputation else { return .indefinite }
        return Extended80(value.rounded(to: .register(context.precision), &context))
    }

    /// FCOM (signaling) and FUCOM (quiet): the order of `a` relative to `b`.
    public static func compare(_ a: Unpacked, _ b: Unpacked, signaling: Bool, _ context: inout FloatContext) -> FloatOrdering {
        Unpacked.compare(a, b, signaling: signaling, &context)
    }

    /// FRNDINT, in the rounding mode of the context.
    public static func integral(_ a: Unpacked, _ context: inout FloatContext) -> Extended80 {
        if a.isDenormal {
            context.raise(.denormal)
            guard !context.stopsBeforeComputation else { return .indefinite }
        }
        return Extended80(a.integral(context.rounding, &context))
    }

    /// FIST and FISTTP: a signed integer of 16, 32 or 64 bits; invalid and the least value when it does not fit.
    public func integer(bitCount: Int32, truncating: Bool, _ context: inout FloatContext) -> Int64 {
        unpacked.integer(bitCount: bitCount, truncating ? .towardZero : context.rounding, &context)
    }
}

extension Extended80 {
    /// FLD of a 32- or 64-bit operand: exact, raises denormal, and invalid for a signaling NaN.
    public init(loading operand: Unpacked, _ context: inout FloatContext) {
        if let nan = operand.propagatedNaN(&context) {
            self.init(nan)
        } else {
            Unpacked.noteDenormals(operand, operand, &context)
            self.init(operand)
        }
    }

    /// FILD: any integer, exactly.
    public init(_ value: Int64) { self.init(Unpacked(value)) }

    /// FST to 32 bits. With overflow or underflow raised and unmasked nothing may be stored.
    public func binary32(_ context: inout FloatContext) -> UInt32 { stored(as: .binary32, &context).binary32 }

    /// FST to 64 bits. With overflow or underflow raised and unmasked nothing may be stored.
    public func binary64(_ context: inout FloatContext) -> UInt64 { stored(as: .binary64, &context).binary64 }

    /// A store that an unmasked exception stops has rounded nothing: it does not note inexactness.
    private func stored(as format: FloatFormat, _ context: inout FloatContext) -> Unpacked {
        let value = unpacked
        if let nan = value.propagatedNaN(&context) { return nan }
        let result = value.rounded(to: format, &context)
        if !context.unmasked.isDisjoint(with: [.overflow, .underflow]) {
            context.raised.remove(.inexact)
            context.roundedUp = false
        }
        return result
    }
}
