/// The outcome of a comparison.
public enum FloatOrdering: UInt8, BitwiseCopyable, Sendable {
    case less, equal, greater, unordered
}

extension Unpacked {
    /// Compares two operands. A signaling comparison raises invalid for every NaN, a quiet one only for signaling NaNs.
    static func compare(_ a: Unpacked, _ b: Unpacked, signaling: Bool, _ context: inout FloatContext) -> FloatOrdering {
        if a.kind.rawValue >= Kind.quietNaN.rawValue || b.kind.rawValue >= Kind.quietNaN.rawValue {
            if signaling || a.kind.rawValue > Kind.quietNaN.rawValue || b.kind.rawValue > Kind.quietNaN.rawValue {
                context.raise(.invalid)
            }
            return .unordered
        }
        noteDenormals(a, b, &context)
        if a.kind == .zero && b.kind == .zero { return .equal }
        if a.kind == .zero { return b.sign ? .greater : .less }
        if b.kind == .zero || a.sign != b.sign { return a.sign ? .less : .greater }
        let order = magnitudeOrder(a, b)
        guard a.sign else { return order }
        return order == .less ? .greater : order == .greater ? .less : .equal
    }

    /// Orders non-zero numbers and infinities without their signs.
    static func magnitudeOrder(_ a: Unpacked, _ b: Unpacked) -> FloatOrdering {
        if a.kind != b.kind { return a.kind == .infinity ? .greater : .less }
        if a.kind == .infinity { return .equal }
        if a.exponent != b.exponent { return a.exponent > b.exponent ? .greater : .less }
        if a.significand != b.significand { return a.significand > b.significand ? .greater : .less }
        return .equal
    }
}
