extension SSEArithmetic {
    /// COMISS/COMISD (`signaling`) and UCOMISS/UCOMISD: the order of `a` relative to `b`.
    @inlinable @inline(__always)
    public static func compare<T: SSEScalar>(_ a: T, _ b: T, signaling: Bool, mxcsr: inout UInt32) -> FloatOrdering {
        if a.isPlain && b.isPlain { return a < b ? .less : a == b ? .equal : .greater }
        return softCompare(a, b, signaling: signaling, &mxcsr)
    }

    /// CMPSS, CMPSD, CMPPS, CMPPD: the predicate in bits 0-2 of `predicate` (SDM vol. 2A, table 3-1): 0 EQ, 1 LT, 2 LE,
    /// 3 UNORD, then their negations.
    @inlinable @inline(__always)
    public static func holds<T: SSEScalar>(_ predicate: UInt8, _ a: T, _ b: T, mxcsr: inout UInt32) -> Bool {
        let order = compare(a, b, signaling: predicate & 3 == 1 || predicate & 3 == 2, mxcsr: &mxcsr)
        let positive =
            switch predicate & 3 {
            case 0: order == .equal
            case 1: order == .less
            case 2: order == .less || order == .equal
            default: order == .unordered
            }
        return positive != (predicate & 4 != 0)
    }

    /// MINSS, MINSD and each element of MINPS, MINPD: the second operand when either is a NaN or both are zeros.
    @inlinable @inline(__always)
    public static func minimum<T: SSEScalar>(_ a: T, _ b: T, mxcsr: inout UInt32) -> T {
        if a.isPlain && b.isPlain { return a < b ? a : b }
        return softCompare(a, b, signaling: true, &mxcsr) == .less ? flushed(a, mxcsr) : flushed(b, mxcsr)
    }

    /// MAXSS, MAXSD and each element of MAXPS, MAXPD: the second operand when either is a NaN or both are zeros.
    @inlinable @inline(__always)
    public static func maximum<T: SSEScalar>(_ a: T, _ b: T, mxcsr: inout UInt32) -> T {
        if a.isPlain && b.isPlain { return a > b ? a : b }
        return softCompare(a, b, signaling: true, &mxcsr) == .greater ? flushed(a, mxcsr) : flushed(b, mxcsr)
    }

    /// The operand a minimum or maximum answers with: under DAZ a denormal is a zero of its sign.
    @inlinable
    static func flushed<T: SSEScalar>(_ a: T, _ mxcsr: UInt32) -> T {
        guard mxcsr & 0x40 != 0, a.biasedExponent == 0 else { return a }
        return a.sign == .minus ? -T.zero : T.zero
    }

    @inline(never) @usableFromInline
    @_specialize(where T == Float) @_specialize(where T == Double)
    static func softCompare<T: SSEScalar>(_ a: T, _ b: T, signaling: Bool, _ mxcsr: inout UInt32) -> FloatOrdering {
        var context = FloatContext(mxcsr: mxcsr)
        let order = Unpacked.compare(a.unpacked.operand(context), b.unpacked.operand(context), signaling: signaling, &context)
        settle(context, &mxcsr)
        return order
    }
}
