extension Unpacked {
    /// The result when an operand is no number: nil when both are numbers or infinities (SDM vol. 1, table 4-7).
    ///
    /// Raises invalid for signaling NaNs and unsupported encodings.
    static func propagatedNaN(_ a: Unpacked, _ b: Unpacked, x87: Bool, _ context: inout FloatContext) -> Unpacked? {
        guard a.kind.rawValue | b.kind.rawValue >= Kind.quietNaN.rawValue else { return nil }
        if a.kind == .unsupported || b.kind == .unsupported {
            context.raise(.invalid)
            return .indefinite
        }
        guard a.isNaN || b.isNaN else { return nil }
        if a.kind == .signalingNaN || b.kind == .signalingNaN { context.raise(.invalid) }
        guard a.isNaN else { return b.quieted }
        guard b.isNaN, x87 else { return a.quieted }
        if a.kind != b.kind { return a.kind == .quietNaN ? a : b }
        if a.significand != b.significand { return a.significand > b.significand ? a.quieted : b.quieted }
        return a.sign ? b.quieted : a.quieted
    }

    /// The same for one operand.
    func propagatedNaN(_ context: inout FloatContext) -> Unpacked? {
        switch kind {
        case .zero, .finite, .infinity: return nil
        case .quietNaN: return self
        case .signalingNaN:
            context.raise(.invalid)
            return quieted
        case .unsupported:
            context.raise(.invalid)
            return .indefinite
        }
    }

    /// Raises denormal when an operand is one.
    static func noteDenormals(_ a: Unpacked, _ b: Unpacked, _ context: inout FloatContext) {
        if a.isDenormal || b.isDenormal { context.raise(.denormal) }
    }

    static func invalid(_ context: inout FloatContext) -> Unpacked {
        context.raise(.invalid)
        return .indefinite
    }
}
