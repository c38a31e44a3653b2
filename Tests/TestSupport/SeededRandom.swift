/// A reproducible source of random numbers: SplitMix64. The seed names the whole sequence, so failing tests print it.
public struct SeededRandom: RandomNumberGenerator, Sendable {
    public let seed: UInt64
    private var state: UInt64

    public init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    /// A number below `bound`, which is at least 1.
    public mutating func below(_ bound: Int) -> Int { Int(truncatingIfNeeded: next() >> 1) % bound }

    /// True once in `count` times.
    public mutating func oneIn(_ count: Int) -> Bool { below(count) == 0 }

    public mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next() >> 24) }

    public mutating func bytes(_ count: Int) -> [UInt8] { (0..<count).map { _ in byte() } }

    public mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
}

extension SeededRandom {
    /// An integer of the kind that finds mistakes: edges of every width half of the time, else anything.
    public mutating func integer() -> UInt64 {
        switch below(8) {
        case 0: return UInt64(below(4))
        case 1: return ~UInt64(below(4))
        case 2: return 1 << UInt64(below(64))
        case 3: return (1 << UInt64(below(64))) &- 1
        case 4: return UInt64(bitPattern: Int64(pick([Int.min, Int(Int32.min), Int(Int16.min), -128, 127, 32767, Int(Int32.max), .max])))
        default: return next()
        }
    }

    /// The bits of a 32-bit float: zeros, denormals, infinities, NaNs of both kinds, near-integers and ordinary numbers.
    public mutating func float32() -> UInt32 {
        let sign = UInt32(below(2)) << 31
        switch below(10) {
        case 0: return sign | pick([0, 1, 0x7f_ffff, 0x80_0000, 0x40_0000])
        case 1: return sign | pick([0x7f80_0000, 0x7fc0_0000, 0x7fc1_2345, 0x7f80_0001, 0x7fa0_0000])
        case 2: return sign | pick([0x3f80_0000, 0x3f00_0000, 0x4f00_0000, 0x5f00_0000, 0x4eff_ffff, 0x7f7f_ffff, 0x3fc0_0000])
        case 3, 4, 5: return Float(Double(below(4000) - 2000) / 4).bitPattern
        default: return sign | UInt32(below(60) + 97) << 23 | UInt32(truncatingIfNeeded: next()) & 0x7f_ffff
        }
    }

    /// The bits of a 64-bit float, as ``float32()``.
    public mutating func float64() -> UInt64 {
        let sign = UInt64(below(2)) << 63
        switch below(10) {
        case 0: return sign | pick([0, 1, 0xf_ffff_ffff_ffff, 0x10_0000_0000_0000, 0x8_0000_0000_0000])
        case 1: return sign | pick([0x7ff << 52, 0xfff << 51, 0x7ff8_0000_1234_5678, 0x7ff0_0000_0000_0001, 0x7ff4 << 48])
        case 2: return sign | pick([0x3ff << 52, 0x3fe << 52, 0x41e << 52, 0x43e << 52, 0x41df_ffff_ffc0_0000, 0x7fef_ffff_ffff_ffff])
        case 3, 4, 5: return (Double(below(4000) - 2000) / 4).bitPattern
        default: return sign | UInt64(below(200) + 923) << 52 | next() >> 12
        }
    }

    /// Ten bytes of an 80-bit float. One in forty is an encoding the x87 calls unsupported (integer bit clear).
    public mutating func float80() -> (significand: UInt64, signAndExponent: UInt16) {
        let sign = UInt16(below(2)) << 15
        let top: UInt64 = 1 << 63
        switch below(12) {
        case 0: return (pick([0, 1, top - 1, top >> 1]), sign)
        case 1: return (pick([top, top | top >> 1, top | 1, top | top >> 1 | 0x1234]), sign | 0x7fff)
        case 2: return (pick([top, .max, top | 1]), sign | pick([0x3fff, 0x3ffe, 0x403e, 0x403d, 0x401e, 0x7ffe, 1, 0]))
        case 3, 4, 5, 6:
            let value = below(4000)
            guard value > 0 else { return (0, sign) }
            let shift = UInt64(value).leadingZeroBitCount
            return (UInt64(value) << UInt64(shift), sign | UInt16(0x3fff + 61 - shift))
        case 7 where oneIn(4): return (next() >> 1, sign | UInt16(below(0x7fff) + 1))
        default: return (next() | top, sign | UInt16(below(200) + 0x3fff - 100))
        }
    }

    /// Arithmetic flags and sometimes DF, as RFLAGS with its fixed bit.
    public mutating func flags(direction: Bool = false) -> UInt64 {
        next() & 0x8d5 | 2 | (direction && oneIn(3) ? 0x400 : 0)
    }
}
