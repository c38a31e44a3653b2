/// A number of the x87 double-extended format (SDM vol. 1, 4.2.2): 64 significand bits with an explicit integer bit.
///
/// ```
/// 79 78        64 63 62                0
/// |s | exponent  |i | fraction         |   exponent bias 16383
/// ```
/// Arithmetic returns the default response to masked exceptions and what the unmasked ones leave in a register; the caller
/// looks at ``FloatContext/stopsBeforeComputation`` before it stores anything.
public struct Extended80: BitwiseCopyable, Equatable, Sendable {
    public var significand: UInt64
    /// The sign in bit 15, the biased exponent below.
    public var signExponent: UInt16

    @inlinable
    public init(significand: UInt64, signExponent: UInt16) {
        self.significand = significand
        self.signExponent = signExponent
    }

    public static let zero = Extended80(significand: 0, signExponent: 0)
    public static let one = Extended80(significand: 1 << 63, signExponent: 0x3fff)
    /// The real indefinite, the answer to masked invalid operations.
    public static let indefinite = Extended80(significand: 3 << 62, signExponent: 0xffff)

    @inlinable public var isNegative: Bool { signExponent & 0x8000 != 0 }
    @inlinable public var magnitude: Extended80 { Extended80(significand: significand, signExponent: signExponent & 0x7fff) }
    @inlinable public var negated: Extended80 { Extended80(significand: significand, signExponent: signExponent ^ 0x8000) }

    /// What FXAM tells numbers apart by (SDM vol. 2A, FXAM).
    public enum Class: UInt8, BitwiseCopyable, Sendable {
        case unsupported, nan, normal, infinity, zero, denormal
    }

    public var classification: Class {
        switch unpacked.kind {
        case .zero: .zero
        case .finite: signExponent & 0x7fff == 0 ? .denormal : .normal
        case .infinity: .infinity
        case .quietNaN, .signalingNaN: .nan
        case .unsupported: .unsupported
        }
    }

    /// The number taken apart.
    public var unpacked: Unpacked {
        let biased = Int32(truncatingIfNeeded: signExponent & 0x7fff)
        let bits = UInt128(truncatingIfNeeded: significand) &<< 64
        if biased == 0 {
            guard significand != 0 else { return .zero(sign: isNegative) }
            var result = Unpacked(sign: isNegative, exponent: -16382, normalizing: bits)
            result.isDenormal = true
            return result
        }
        guard significand &>> 63 != 0 else { return Unpacked(.unsupported, sign: isNegative) }
        if biased != 0x7fff { return Unpacked(.finite, sign: isNegative, exponent: biased &- 16383, significand: bits) }
        if significand &<< 1 == 0 { return .infinity(sign: isNegative) }
        let quiet = significand &>> 62 & 1 != 0
        return Unpacked(quiet ? .quietNaN : .signalingNaN, sign: isNegative, significand: bits)
    }

    /// Packs a value that was rounded to this format.
    init(_ value: Unpacked) {
        let sign: UInt16 = value.sign ? 0x8000 : 0
        let bits = UInt64(truncatingIfNeeded: value.significand &>> 64)
        switch value.kind {
        case .zero: self.init(significand: 0, signExponent: sign)
        case .finite:
            let biased = bits &>> 63 == 0 ? 0 : UInt16(truncatingIfNeeded: value.exponent &+ 16383) & 0x7fff
            self.init(significand: bits, signExponent: sign | biased)
        case .infinity: self.init(significand: 1 &<< 63, signExponent: sign | 0x7fff)
        case .quietNaN, .signalingNaN: self.init(significand: bits | 1 &<< 63, signExponent: sign | 0x7fff)
        case .unsupported: self = .indefinite
        }
    }

    /// Rounds to all 64 bits and packs.
    init(rounding value: Unpacked, _ context: inout FloatContext) {
        self.init(value.rounded(to: .extended, &context))
    }
}
