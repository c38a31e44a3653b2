extension SSEArithmetic {
    /// CVTSS2SI, CVTSD2SI, CVTPS2DQ, CVTPD2DQ and their truncating forms to 32 bits; invalid and 0x80000000 when it does not fit.
    @inlinable @inline(__always)
    public static func int32<T: SSEScalar>(_ a: T, truncating: Bool, mxcsr: inout UInt32) -> Int32 {
        if truncating && mxcsr & 0x1020 == 0x1020 && a > -2_147_483_648 && a < 2_147_483_648 && a.isPlain { return Int32(a) }
        return Int32(truncatingIfNeeded: softInteger(a, bitCount: 32, truncating: truncating, &mxcsr))
    }

    /// The same to 64 bits; invalid and 0x8000000000000000 when it does not fit.
    @inlinable @inline(__always)
    public static func int64<T: SSEScalar>(_ a: T, truncating: Bool, mxcsr: inout UInt32) -> Int64 {
        if truncating && mxcsr & 0x1020 == 0x1020 && a > -9_223_372_036_854_775_808 && a < 9_223_372_036_854_775_808 && a.isPlain {
            return Int64(a)
        }
        return softInteger(a, bitCount: 64, truncating: truncating, &mxcsr)
    }

    /// CVTSI2SS, CVTSI2SD, CVTDQ2PS, CVTDQ2PD.
    @inlinable @inline(__always)
    public static func from<T: SSEScalar>(_ value: Int64, as: T.Type, mxcsr: inout UInt32) -> T {
        if mxcsr & 0x7020 == 0x1020 { return T(value) }
        return softFromInteger(value, &mxcsr)
    }

    /// CVTSS2SD, CVTPS2PD: exact.
    @inlinable @inline(__always)
    public static func widen(_ a: Float, mxcsr: inout UInt32) -> Double {
        a.isPlain ? Double(a) : softConvert(a, &mxcsr)
    }

    /// CVTSD2SS, CVTPD2PS.
    @inlinable @inline(__always)
    public static func narrow(_ a: Double, mxcsr: inout UInt32) -> Float {
        if hostRounds(mxcsr) && a.isPlain {
            let result = Float(a)
            if result.isComfortablyNormal || a == 0 { return result }
        }
        return softConvert(a, &mxcsr)
    }

    /// ROUNDSS, ROUNDSD, ROUNDPS, ROUNDPD: bits 0-1 of `control` the mode unless bit 2 chooses MXCSR's, bit 3 suppresses inexact.
    @inline(never)
    @_specialize(where T == Float) @_specialize(where T == Double)
    public static func integral<T: SSEScalar>(_ a: T, control: UInt8, mxcsr: inout UInt32) -> T {
        var context = FloatContext(mxcsr: mxcsr)
        let mode = control & 4 != 0 ? context.rounding : RoundingMode(field: UInt32(truncatingIfNeeded: control))
        let value = a.unpacked.operand(context).integral(mode, &context)
        if control & 8 != 0 { context.raised.remove(.inexact) }
        return finish(value, &context, &mxcsr)
    }

    @inline(never) @usableFromInline
    @_specialize(where T == Float) @_specialize(where T == Double)
    static func softInteger<T: SSEScalar>(_ a: T, bitCount: Int32, truncating: Bool, _ mxcsr: inout UInt32) -> Int64 {
        var context = FloatContext(mxcsr: mxcsr)
        let value = a.unpacked.operand(context)
        let result = value.integer(bitCount: bitCount, truncating ? .towardZero : context.rounding, &context)
        settle(context, &mxcsr)
        return result
    }

    @inline(never) @usableFromInline
    @_specialize(where T == Float) @_specialize(where T == Double)
    static func softFromInteger<T: SSEScalar>(_ value: Int64, _ mxcsr: inout UInt32) -> T {
        var context = FloatContext(mxcsr: mxcsr)
        return finish(Unpacked(value), &context, &mxcsr)
    }

    @inline(never) @usableFromInline
    @_specialize(where From == Float, To == Double) @_specialize(where From == Double, To == Float)
    static func softConvert<From: SSEScalar, To: SSEScalar>(_ a: From, _ mxcsr: inout UInt32) -> To {
        var context = FloatContext(mxcsr: mxcsr)
        let value = a.unpacked.operand(context)
        if let nan = value.propagatedNaN(&context) { return finish(nan, &context, &mxcsr) }
        Unpacked.noteDenormals(value, value, &context)
        return finish(value, &context, &mxcsr)
    }
}
