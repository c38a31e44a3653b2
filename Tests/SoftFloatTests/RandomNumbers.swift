import SoftFloat

/// A seeded generator (SplitMix64), so that a failing case comes back.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// Bits with runs, few set, few clear or none of this: the patterns that rounding trips over.
    mutating func pattern() -> UInt64 {
        switch next() % 6 {
        case 0: 0
        case 1: ~0 << (next() % 64)
        case 2: 1 << (next() % 64)
        case 3: ~0 >> (next() % 64)
        case 4: next() & next() & next()
        default: next()
        }
    }

    /// An exponent: mostly middling, often at the borders.
    private mutating func exponent(limit: UInt64) -> UInt64 {
        let bias = limit / 2
        switch next() % 10 {
        case 0: return 0
        case 1: return limit
        case 2: return 1 + next() % 3
        case 3: return limit - 1 - next() % 3
        case 4: return bias / 2 + next() % 64
        case 5: return next() % (limit + 1)
        default: return bias - 35 + next() % 70
        }
    }

    mutating func binary32() -> Float {
        Float(bitPattern: UInt32(truncatingIfNeeded: next() & 1 << 31 | exponent(limit: 255) << 23 | pattern() >> 41))
    }

    mutating func binary64() -> Double {
        Double(bitPattern: next() & 1 << 63 | exponent(limit: 2047) << 52 | pattern() >> 12)
    }

    /// Any encoding, the unsupported ones included.
    mutating func extended() -> Extended80 {
        let exponent = exponent(limit: 0x7fff)
        var significand = pattern()
        if next() % 16 != 0 {
            significand = exponent == 0 ? significand & ~(1 << 63) : significand | 1 << 63
        }
        return Extended80(significand: significand, signExponent: UInt16(truncatingIfNeeded: exponent | next() & 0x8000))
    }

    /// An operand of the exponent range that functions are made for.
    mutating func extended(exponents: ClosedRange<Int>) -> Extended80 {
        let exponent = UInt64(Int.random(in: exponents, using: &self) + 16383)
        return Extended80(significand: next() | 1 << 63, signExponent: UInt16(truncatingIfNeeded: exponent | next() & 0x8000))
    }
}
