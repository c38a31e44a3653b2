/// Ten bytes of packed decimal (SDM vol. 1, 4.7): eighteen digits, two in a byte, least first; the sign in bit 79.
public struct PackedDecimal: BitwiseCopyable, Equatable, Sendable {
    /// Sixteen digits.
    public var low: UInt64
    /// Two digits in the low byte, the sign in bit 15.
    public var high: UInt16

    @inlinable
    public init(low: UInt64, high: UInt16) {
        self.low = low
        self.high = high
    }

    /// What a masked invalid FBSTP stores.
    public static let indefinite = PackedDecimal(low: 0xc000_0000_0000_0000, high: 0xffff)
}

extension Extended80 {
    /// FBLD: exact. Digits above nine count by their weight, as the processor leaves them undefined.
    public init(_ decimal: PackedDecimal) {
        var value = UInt64(truncatingIfNeeded: decimal.high &>> 4 & 0xf) &* 10 &+ UInt64(truncatingIfNeeded: decimal.high & 0xf)
        var shift: UInt64 = 64
        while shift > 0 {
            shift &-= 4
            value = value &* 10 &+ (decimal.low &>> shift & 0xf)
        }
        self.init(Int64(truncatingIfNeeded: value))
        if decimal.high & 0x8000 != 0 { signExponent |= 0x8000 }
    }

    /// FBSTP: rounded in the mode of the context; invalid and the indefinite when it takes more than eighteen digits.
    public func packedDecimal(_ context: inout FloatContext) -> PackedDecimal {
        let value = unpacked
        let sign: UInt16 = value.sign ? 0x8000 : 0
        if value.kind == .zero { return PackedDecimal(low: 0, high: sign) }
        guard value.kind == .finite, let whole = value.wholeMagnitude(context.rounding), whole.magnitude < 1_000_000_000_000_000_000 else {
            context.raise(.invalid)
            return .indefinite
        }
        if whole.inexact { context.raise(.inexact) }
        context.roundedUp = whole.up
        var rest = whole.magnitude
        var low: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64 {
            low |= (rest % 10) &<< shift
            rest /= 10
            shift &+= 4
        }
        let high = UInt16(truncatingIfNeeded: (rest / 10) &<< 4 | rest % 10)
        return PackedDecimal(low: low, high: high | sign)
    }
}
