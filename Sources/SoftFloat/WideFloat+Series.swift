extension WideFloat {
    /// e^x - 1 for |x| below 0.7, by its power series.
    static func exponentialMinusOne(_ x: WideFloat) -> WideFloat {
        var term = x
        var sum = x
        for n in 2..<UInt32(64) {
            term = (term * x).divided(by: n)
            sum = sum + term
            if term.isNegligible(beside: sum) { break }
        }
        return sum
    }

    /// 2 × artanh z = ln((1 + z) / (1 - z)) for |z| below 0.2.
    static func twiceArtanh(_ z: WideFloat) -> WideFloat {
        oddPowers(z, square: z * z).scaled(by: 1)
    }

    /// The sine of |r| below 0.8.
    static func sine(_ r: WideFloat) -> WideFloat {
        factorialSeries(first: r, minusSquare: (r * r).negated, from: 2)
    }

    /// The cosine of |r| below 0.8.
    static func cosine(_ r: WideFloat) -> WideFloat {
        factorialSeries(first: .one, minusSquare: (r * r).negated, from: 1)
    }

    /// The sum of first × minusSquare^k / (from × (from + 1) × … ), two factors a step.
    private static func factorialSeries(first: WideFloat, minusSquare: WideFloat, from: UInt32) -> WideFloat {
        var term = first
        var sum = first
        var n = from
        while n < 100 {
            term = (term * minusSquare).divided(by: n &* (n &+ 1))
            sum = sum + term
            if term.isNegligible(beside: sum) { break }
            n &+= 2
        }
        return sum
    }

    /// z + z·s/3 + z·s²/5 + …: artanh for s = z², arctan for s = -z².
    private static func oddPowers(_ z: WideFloat, square: WideFloat) -> WideFloat {
        var power = z
        var sum = z
        var n: UInt32 = 3
        while n < 200 {
            power = power * square
            let term = power.divided(by: n)
            sum = sum + term
            if term.isNegligible(beside: sum) { break }
            n &+= 2
        }
        return sum
    }

    /// arctan(k/8), k from 1 to 8.
    private static func arctangentOfEighths(_ k: UInt64) -> WideFloat {
        switch k {
        case 1: WideFloat(sign: false, exponent: -4, significand: 0xfead_d4d5_617b_6e32_c897_989f_3e88_8ef8)
        case 2: WideFloat(sign: false, exponent: -3, significand: 0xfadb_afc9_6406_eb15_6dc7_9ef5_f7a2_17e6)
        case 3: WideFloat(sign: false, exponent: -2, significand: 0xb7b0_ca0f_26f7_8473_8aa3_2122_dcfe_4483)
        case 4: WideFloat(sign: false, exponent: -2, significand: 0xed63_382b_0dda_7b45_6fe4_45ec_bc3a_8d03)
        case 5: WideFloat(sign: false, exponent: -1, significand: 0x8f00_5d5e_f7f5_9f9b_5c83_5e16_65c4_3748)
        case 6: WideFloat(sign: false, exponent: -1, significand: 0xa4bc_7d19_34f7_0924_19a8_7f2a_457d_ac9f)
        case 7: WideFloat(sign: false, exponent: -1, significand: 0xb805_3e2b_c231_9e73_cb2d_a552_10a4_443d)
        default: WideFloat(sign: false, exponent: -1, significand: 0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1)
        }
    }

    /// The arctangent of q in 0...1: arctan q = arctan c + arctan((q - c) / (1 + q·c)) with c the nearest eighth.
    static func arctangent(_ q: WideFloat) -> WideFloat {
        let eighths = q.exponent < -4 ? 0 : UInt64(truncatingIfNeeded: (q.significand.shiftedRightJamming(123 &- q.exponent) &+ 1) &>> 1)
        guard eighths != 0 else { return oddPowers(q, square: (q * q).negated) }
        let c = WideFloat(Int64(truncatingIfNeeded: eighths)).scaled(by: -3)
        let z = (q - c) / (.one + q * c)
        return arctangentOfEighths(eighths) + oddPowers(z, square: (z * z).negated)
    }

    /// log2 of a positive number.
    static func logarithm2(_ x: WideFloat) -> WideFloat {
        var power = x.exponent
        var m = WideFloat(sign: false, exponent: 0, significand: x.significand)
        // Bits above those of the square root of two: halve, so that the logarithm of m stays within a half.
        if m.significand > 0xb504_f333_f9de_6484_597d_89b3_754a_be9f {
            m.exponent = -1
            power &+= 1
        }
        let fraction = twiceArtanh((m - .one) / (m + .one)) * .log2ofE
        return WideFloat(Int64(truncatingIfNeeded: power)) + fraction
    }
}
