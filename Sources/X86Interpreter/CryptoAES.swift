internal import X86
internal import X86Decoder

/// AES-NI (SDM vol. 1, 12.13; FIPS 197).
extension Core {
    /// AESIMC (DB), AESENC, AESENCLAST, AESDEC, AESDECLAST (DC-DF).
    @inline(never)
    func executeAES(_ i: InstructionRef) throws(GuestFault) {
        let source = try vectorOperand(i)
        let state = xmm(i.reg, as: Vector.self)
        switch i.opcodeByte {
        case 0xdb: setXMM(i.reg, AES.unmixColumns(source))
        case 0xdc: setXMM(i.reg, AES.mixColumns(AES.substitute(state)) ^ source)
        case 0xdd: setXMM(i.reg, AES.substitute(state) ^ source)
        case 0xde: setXMM(i.reg, AES.unmixColumns(AES.unsubstitute(state)) ^ source)
        default: setXMM(i.reg, AES.unsubstitute(state) ^ source)
        }
    }

    /// AESKEYGENASSIST.
    @inline(never)
    func executeKeyAssist(_ i: InstructionRef) throws(GuestFault) {
        let source = try vectorOperand(i).longs
        let constant = UInt32(i.immediate8)
        let (first, third) = (AES.substitute(source.y), AES.substitute(source.w))
        setXMM(i.reg, SIMD4(first, rotated(first) ^ constant, third, rotated(third) ^ constant))
    }

    private func rotated(_ word: UInt32) -> UInt32 { word &>> 8 | word &<< 24 }
}

/// The steps of an AES round on a state whose byte 4c + r is row r of column c.
private enum AES {
    static func substitute(_ state: Vector) -> Vector { lookUp(state, AESTables.box, step: 4) }
    static func unsubstitute(_ state: Vector) -> Vector { lookUp(state, AESTables.inverse, step: 12) }

    /// SubBytes and ShiftRows in one: row r moves by r columns, forth (step 4 bytes) or back (12).
    @inline(__always)
    private static func lookUp(_ state: Vector, _ table: borrowing InlineArray<256, UInt8>, step: Int) -> Vector {
        let bytes = state.bytes
        var result = SIMD16<UInt8>.zero
        for n in 0..<16 { result[n] = table[Int(truncatingIfNeeded: bytes[(n &+ (n & 3) &* step) & 15])] }
        return Vector(lanes: result)
    }

    static func substitute(_ word: UInt32) -> UInt32 {
        var result: UInt32 = 0
        for shift: UInt32 in [0, 8, 16, 24] {
            result |= UInt32(AESTables.box[Int(truncatingIfNeeded: word &>> shift & 0xff)]) &<< shift
        }
        return result
    }

    /// MixColumns: with `r` a column turned by one row, 2(a + r) + r + rr + rrr.
    static func mixColumns(_ state: Vector) -> Vector {
        let next = turned(state, 8)
        return doubled(state ^ next) ^ next ^ turned(state, 16) ^ turned(state, 24)
    }

    /// InvMixColumns is MixColumns after adding 4(a + rr).
    static func unmixColumns(_ state: Vector) -> Vector {
        mixColumns(state ^ doubled(doubled(state ^ turned(state, 16))))
    }

    @inline(__always)
    private static func turned(_ state: Vector, _ bitCount: UInt32) -> Vector {
        Vector(lanes: state.longs &>> bitCount | state.longs &<< (32 &- bitCount))
    }

    /// Every byte times x in GF(2⁸).
    @inline(__always)
    private static func doubled(_ state: Vector) -> Vector {
        let reduction = SIMD16<UInt8>.zero.replacing(with: 0x1b, where: state.signedBytes .< 0)
        return Vector(lanes: state.bytes &<< 1 ^ reduction)
    }
}

/// The S-box and its inverse, worked out from their definition (FIPS 197, 5.1.1).
private enum AESTables {
    static let box: InlineArray<256, UInt8> = {
        var table = InlineArray<256, UInt8>(repeating: 0)
        // 3 generates the field: p runs through its powers while q runs through their inverses.
        var (p, q): (UInt8, UInt8) = (1, 1)
        repeat {
            p ^= p &<< 1 ^ (p & 0x80 != 0 ? 0x1b : 0)
            q ^= q &<< 1
            q ^= q &<< 2
            q ^= q &<< 4
            if q & 0x80 != 0 { q ^= 0x09 }
            table[Int(p)] = 0x63 ^ q ^ turned(q, 1) ^ turned(q, 2) ^ turned(q, 3) ^ turned(q, 4)
        } while p != 1
        table[0] = 0x63
        return table
    }()

    static let inverse: InlineArray<256, UInt8> = {
        var table = InlineArray<256, UInt8>(repeating: 0)
        for n in 0..<256 { table[Int(box[n])] = UInt8(n) }
        return table
    }()

    private static func turned(_ value: UInt8, _ count: UInt8) -> UInt8 { value &<< count | value &>> (8 &- count) }
}
