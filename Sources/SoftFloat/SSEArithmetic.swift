/// Scalar steps of SSE arithmetic under MXCSR, equal to the processor in result and flags.
///
/// Every function adds the exceptions it raises to the sticky flags in `mxcsr`, and sets ``unmaskedException`` there when one
/// of them is not masked: the instruction then faults with #XM after its last element and stores nothing. The caller looks at
/// that bit once per instruction and clears it with ``stoppedBeforeComputation``; no other reserved bit is touched.
public enum SSEArithmetic {
    /// Bit 31, reserved in MXCSR: an unmasked exception was raised since the caller last cleared it.
    public static let unmaskedException: UInt32 = 1 << 31
    /// Bit 30, set with it when the exception is one found before computing (invalid, denormal, division by zero): then the
    /// instruction reports no overflow, underflow or inexact of its other elements.
    public static let stoppedBeforeComputation: UInt32 = 1 << 30

    /// The host's operation is exact here when its result is: rounding to nearest, no DAZ, no FTZ, inexact masked and already noted.
    @inlinable @inline(__always)
    static func hostRounds(_ mxcsr: UInt32) -> Bool { mxcsr & 0xf060 == 0x1020 }

    /// ADDSS, ADDSD and each element of ADDPS, ADDPD.
    @inlinable @inline(__always)
    public static func add<T: SSEScalar>(_ a: T, _ b: T, mxcsr: inout UInt32) -> T {
        if hostRounds(mxcsr) && a.isPlain && b.isPlain {
            let sum = a + b
            if sum.isComfortablyNormal || sum == 0 { return sum }
        }
        return softSum(a, b, negating: false, &mxcsr)
    }

    /// SUBSS, SUBSD and each element of SUBPS, SUBPD: `a - b`.
    @inlinable @inline(__always)
    public static func subtract<T: SSEScalar>(_ a: T, _ b: T, mxcsr: inout UInt32) -> T {
        if hostRounds(mxcsr) && a.isPlain && b.isPlain {
            let difference = a - b
            if difference.isComfortablyNormal || difference == 0 { return difference }
        }
        return softSum(a, b, negating: true, &mxcsr)
    }

    /// MULSS, MULSD and each element of MULPS, MULPD.
    @inlinable @inline(__always)
    public static func multiply<T: SSEScalar>(_ a: T, _ b: T, mxcsr: inout UInt32) -> T {
        if hostRounds(mxcsr) && a.isPlain && b.isPlain {
            let product = a * b
            if product.isComfortablyNormal || a == 0 || b == 0 { return product }
        }
        return softProduct(a, b, &mxcsr)
    }

    /// DIVSS, DIVSD and each element of DIVPS, DIVPD: `a / b`.
    @inlinable @inline(__always)
    public static func divide<T: SSEScalar>(_ a: T, _ b: T, mxcsr: inout UInt32) -> T {
        if hostRounds(mxcsr) && a.isPlain && b.isPlain && b != 0 {
            let quotient = a / b
            if quotient.isComfortablyNormal || a == 0 { return quotient }
        }
        return softQuotient(a, b, &mxcsr)
    }

    /// SQRTSS, SQRTSD and each element of SQRTPS, SQRTPD.
    @inlinable @inline(__always)
    public static func squareRoot<T: SSEScalar>(_ a: T, mxcsr: inout UInt32) -> T {
        if hostRounds(mxcsr) && a.isPlain && a >= 0 { return a.squareRoot() }
        return softSquareRoot(a, &mxcsr)
    }

    @inline(never) @usableFromInline
    @_specialize(where T == Float) @_specialize(where T == Double)
    static func softSum<T: SSEScalar>(_ a: T, _ b: T, negating: Bool, _ mxcsr: inout UInt32) -> T {
        var context = FloatContext(mxcsr: mxcsr)
        let addend = b.unpacked.operand(context)
        let value = Unpacked.sum(
            a.unpacked.operand(context), negating && !addend.isNaN ? addend.negated : addend,
            x87: false, &context)
        return finish(value, &context, &mxcsr)
    }

    @inline(never) @usableFromInline
    @_specialize(where T == Float) @_specialize(where T == Double)
    static func softProduct<T: SSEScalar>(_ a: T, _ b: T, _ mxcsr: inout UInt32) -> T {
        var context = FloatContext(mxcsr: mxcsr)
        let value = Unpacked.product(a.unpacked.operand(context), b.unpacked.operand(context), x87: false, &context)
        return finish(value, &context, &mxcsr)
    }

    @inline(never) @usableFromInline
    @_specialize(where T == Float) @_specialize(where T == Double)
    static func softQuotient<T: SSEScalar>(_ a: T, _ b: T, _ mxcsr: inout UInt32) -> T {
        var context = FloatContext(mxcsr: mxcsr)
        let value = Unpacked.quotient(a.unpacked.operand(context), b.unpacked.operand(context), x87: false, &context)
        return finish(value, &context, &mxcsr)
    }

    @inline(never) @usableFromInline
    @_specialize(where T == Float) @_specialize(where T == Double)
    static func softSquareRoot<T: SSEScalar>(_ a: T, _ mxcsr: inout UInt32) -> T {
        var context = FloatContext(mxcsr: mxcsr)
        let value = a.unpacked.operand(context).squareRoot(&context)
        return finish(value, &context, &mxcsr)
    }

    /// Rounds unless an unmasked exception already stopped the element, and settles the flags.
    static func finish<T: SSEScalar>(_ value: Unpacked, _ context: inout FloatContext, _ mxcsr: inout UInt32) -> T {
        let result = context.stopsBeforeComputation ? T.zero : T(rounding: value, &context)
        settle(context, &mxcsr)
        return result
    }

    /// Adds what was raised to the sticky flags.
    static func settle(_ context: FloatContext, _ mxcsr: inout UInt32) {
        mxcsr |= UInt32(truncatingIfNeeded: context.raised.rawValue)
        if !context.unmasked.isEmpty { mxcsr |= unmaskedException }
        if context.stopsBeforeComputation { mxcsr |= stoppedBeforeComputation }
    }
}
