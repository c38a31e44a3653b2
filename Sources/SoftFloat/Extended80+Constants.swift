extension Extended80 {
    /// The constants of FLD1 … FLDZ, by the low three bits of the opcode byte (D9 E8 … D9 EE).
    public enum Constant: UInt8, BitwiseCopyable, Sendable, CaseIterable {
        case one = 0, log2of10, log2ofE, pi, log10of2, ln2, zero
    }

    /// Loads a constant, rounded from its 66-bit value in the mode of the context; raises nothing (SDM vol. 1, 8.3.8).
    public init(_ constant: Constant, _ rounding: RoundingMode) {
        /// The 64-bit value at or below the true one.
        let below: Extended80
        let nearestIsAbove: Bool
        switch constant {
        case .one:
            self = .one
            return
        case .zero:
            self = .zero
            return
        case .log2of10: (below, nearestIsAbove) = (Extended80(significand: 0xd49a_784b_cd1b_8afe, signExponent: 0x4000), false)
        case .log2ofE: (below, nearestIsAbove) = (Extended80(significand: 0xb8aa_3b29_5c17_f0bb, signExponent: 0x3fff), true)
        case .pi: (below, nearestIsAbove) = (Extended80(significand: 0xc90f_daa2_2168_c234, signExponent: 0x4000), true)
        case .log10of2: (below, nearestIsAbove) = (Extended80(significand: 0x9a20_9a84_fbcf_f798, signExponent: 0x3ffd), true)
        case .ln2: (below, nearestIsAbove) = (Extended80(significand: 0xb172_17f7_d1cf_79ab, signExponent: 0x3ffe), true)
        }
        let above = rounding == .up || (rounding == .nearestEven && nearestIsAbove)
        self.init(significand: below.significand &+ (above ? 1 : 0), signExponent: below.signExponent)
    }
}
