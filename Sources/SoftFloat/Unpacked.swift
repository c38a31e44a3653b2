/// A floating-point number taken apart: the one form every operation works on, whatever format it came from.
///
/// A finite number is `significand` × 2^(`exponent` - 127); its top bit is set, so that it lies in 2^exponent ..< 2^(exponent+1).
/// Results carry all bits below the ones an operand had, the lowest being sticky. A rounded denormal has the format's
/// least exponent and a clear top bit. A NaN keeps its payload aligned to the top, so that quiet bits and payloads of all formats coincide.
public struct Unpacked: BitwiseCopyable, Sendable {
    enum Kind: UInt8, BitwiseCopyable {
        case zero, finite, infinity, quietNaN, signalingNaN
        /// An x87 encoding the processor has refused since the 80387 (SDM vol. 1, 8.2.2).
        case unsupported
    }

    var kind: Kind
    var sign: Bool
    /// It came from a denormal or pseudo-denormal encoding.
    var isDenormal = false
    var exponent: Int32
    var significand: UInt128

    init(_ kind: Kind, sign: Bool, exponent: Int32 = 0, significand: UInt128 = 0) {
        self.kind = kind
        self.sign = sign
        self.exponent = exponent
        self.significand = significand
    }

    static func zero(sign: Bool) -> Unpacked { Unpacked(.zero, sign: sign) }
    static func infinity(sign: Bool) -> Unpacked { Unpacked(.infinity, sign: sign) }
    /// The real indefinite: the NaN every masked invalid operation answers with.
    static var indefinite: Unpacked { Unpacked(.quietNaN, sign: true, significand: 3 &<< 126) }

    var isNaN: Bool { kind == .quietNaN || kind == .signalingNaN }
    var quieted: Unpacked { Unpacked(.quietNaN, sign: sign, significand: significand | 3 &<< 126) }
    var negated: Unpacked {
        var result = self
        result.sign.toggle()
        return result
    }

    /// A finite number from any significand but zero, normalized.
    init(sign: Bool, exponent: Int32, normalizing bits: UInt128) {
        let shift = Int32(truncatingIfNeeded: bits.leadingZeroBitCount)
        self.init(.finite, sign: sign, exponent: exponent &- shift, significand: bits &<< UInt128(truncatingIfNeeded: shift))
    }

    /// An integer, exactly.
    public init(_ value: Int64) {
        guard value != 0 else {
            self.init(.zero, sign: false)
            return
        }
        self.init(sign: value < 0, exponent: 127, normalizing: UInt128(truncatingIfNeeded: value.magnitude))
    }

    /// Takes a binary interchange format apart: `fractionBits` below `exponentBits` below the sign, in the low bits of `bits`.
    init(bits: UInt64, fractionBits: Int32, exponentBits: Int32) {
        let fraction = bits & (1 &<< UInt64(truncatingIfNeeded: fractionBits) &- 1)
        let limit = Int32(1) &<< exponentBits &- 1
        let biased = Int32(truncatingIfNeeded: bits &>> UInt64(truncatingIfNeeded: fractionBits)) & limit
        let sign = bits &>> UInt64(truncatingIfNeeded: fractionBits &+ exponentBits) & 1 != 0
        let aligned = UInt128(truncatingIfNeeded: fraction) &<< UInt128(truncatingIfNeeded: 127 &- fractionBits)
        let bias = limit &>> 1
        if biased == limit {
            let quiet = aligned &>> 126 & 1 != 0
            self.init(
                fraction == 0 ? .infinity : quiet ? .quietNaN : .signalingNaN, sign: sign,
                significand: aligned | 1 &<< 127)
        } else if biased != 0 {
            self.init(.finite, sign: sign, exponent: biased &- bias, significand: aligned | 1 &<< 127)
        } else if fraction == 0 {
            self.init(.zero, sign: sign)
        } else {
            self.init(sign: sign, exponent: 1 &- bias, normalizing: aligned)
            isDenormal = true
        }
    }

    /// A binary32 number by its bits.
    public init(_ bits: UInt32) { self.init(bits: UInt64(truncatingIfNeeded: bits), fractionBits: 23, exponentBits: 8) }

    /// A binary64 number by its bits.
    public init(_ bits: UInt64) { self.init(bits: bits, fractionBits: 52, exponentBits: 11) }

    /// The encoding of a value that was rounded to that format, in the low bits.
    func bits(fractionBits: Int32, exponentBits: Int32) -> UInt64 {
        let signBit: UInt64 = (sign ? 1 : 0) &<< UInt64(truncatingIfNeeded: fractionBits &+ exponentBits)
        let limit = Int32(1) &<< exponentBits &- 1
        let mask = UInt64(1) &<< UInt64(truncatingIfNeeded: fractionBits) &- 1
        let fraction = UInt64(truncatingIfNeeded: significand &>> UInt128(truncatingIfNeeded: 127 &- fractionBits)) & mask
        var biased: Int32 = 0
        switch kind {
        case .zero: return signBit
        case .finite: if significand &>> 127 != 0 { biased = exponent &+ limit &>> 1 }
        case .infinity, .quietNaN, .signalingNaN, .unsupported: biased = limit
        }
        return signBit | UInt64(truncatingIfNeeded: biased & limit) &<< UInt64(truncatingIfNeeded: fractionBits) | fraction
    }

    var binary32: UInt32 { UInt32(truncatingIfNeeded: bits(fractionBits: 23, exponentBits: 8)) }
    var binary64: UInt64 { bits(fractionBits: 52, exponentBits: 11) }

    /// The operand as arithmetic sees it: with DAZ a denormal is a zero of its sign and raises nothing.
    func operand(_ context: FloatContext) -> Unpacked {
        isDenormal && context.denormalsAreZero ? .zero(sign: sign) : self
    }
}
