/// The two element formats of SSE arithmetic: the host's own number types, used for what they are when that is exact.
public protocol SSEScalar: BinaryFloatingPoint, BitwiseCopyable, Sendable {
    /// The biased exponent, in the low bits.
    var biasedExponent: UInt32 { get }
    /// The biased exponent of infinities and NaNs.
    static var specialExponent: UInt32 { get }
    /// The number taken apart.
    var unpacked: Unpacked { get }
    /// Rounds to this format and packs.
    init(rounding value: Unpacked, _ context: inout FloatContext)
}

extension Float: SSEScalar {
    @inlinable public var biasedExponent: UInt32 { bitPattern &>> 23 & 0xff }
    @inlinable public static var specialExponent: UInt32 { 0xff }
    public var unpacked: Unpacked { Unpacked(bitPattern) }
    public init(rounding value: Unpacked, _ context: inout FloatContext) {
        self.init(bitPattern: value.rounded(to: .binary32, &context).binary32)
    }
}

extension Double: SSEScalar {
    @inlinable public var biasedExponent: UInt32 { UInt32(truncatingIfNeeded: bitPattern &>> 52) & 0x7ff }
    @inlinable public static var specialExponent: UInt32 { 0x7ff }
    public var unpacked: Unpacked { Unpacked(bitPattern) }
    public init(rounding value: Unpacked, _ context: inout FloatContext) {
        self.init(bitPattern: value.rounded(to: .binary64, &context).binary64)
    }
}

extension SSEScalar {
    /// A normal number or zero: no operand the rules treat specially.
    @inlinable @inline(__always)
    var isPlain: Bool {
        let exponent = biasedExponent
        return (exponent != 0 && exponent != Self.specialExponent) || self == 0
    }

    /// A normal number above the least one: neither overflow nor underflow came near it.
    @inlinable @inline(__always)
    var isComfortablyNormal: Bool { biasedExponent &- 2 < Self.specialExponent &- 2 }
}
