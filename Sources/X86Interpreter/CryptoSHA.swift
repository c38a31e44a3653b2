internal import X86
internal import X86Decoder

/// The SHA extensions (SDM vol. 1, 5.15; FIPS 180-4). Lane 3 holds the word that comes first in SHA-1, last in SHA-256.
extension Core {
    @inline(never)
    func executeSHA(_ i: InstructionRef) throws(GuestFault) {
        let source = try vectorOperand(i).longs
        let target = xmm(i.reg, as: SIMD4<UInt32>.self)
        switch i.opcodeByte {
        case 0xc8: setXMM(i.reg, SIMD4(source.x, source.y, source.z, source.w &+ turned(target.w, 30)))
        case 0xc9: setXMM(i.reg, target ^ SIMD4(source.z, source.w, target.x, target.y))
        case 0xca: setXMM(i.reg, SHA.schedule1(target, source))
        case 0xcb: setXMM(i.reg, SHA.rounds256(target, source, xmm(0, as: SIMD4<UInt32>.self)))
        case 0xcc:
            setXMM(i.reg, target &+ SIMD4(SHA.sigma0(target.y), SHA.sigma0(target.z), SHA.sigma0(target.w), SHA.sigma0(source.x)))
        default: setXMM(i.reg, SHA.schedule256(target, source))
        }
    }

    /// SHA1RNDS4.
    @inline(never)
    func executeSHA1Rounds(_ i: InstructionRef) throws(GuestFault) {
        let source = try vectorOperand(i).longs
        setXMM(i.reg, SHA.rounds1(xmm(i.reg, as: SIMD4<UInt32>.self), source, stage: i.immediate8 & 3))
    }
}

@inline(__always)
private func turned(_ value: UInt32, _ count: UInt32) -> UInt32 { value &<< count | value &>> (32 &- count) }

private enum SHA {
    /// SHA1MSG2.
    static func schedule1(_ target: SIMD4<UInt32>, _ source: SIMD4<UInt32>) -> SIMD4<UInt32> {
        let first = turned(target.w ^ source.z, 1)
        return SIMD4(turned(target.x ^ first, 1), turned(target.y ^ source.x, 1), turned(target.z ^ source.y, 1), first)
    }

    static func rounds1(_ state: SIMD4<UInt32>, _ words: SIMD4<UInt32>, stage: UInt8) -> SIMD4<UInt32> {
        var (a, b, c, d, e) = (state.w, state.z, state.y, state.x, UInt32(0))
        for n in 0..<4 {
            let (mixed, constant) = stage1(stage, b, c, d)
            let sum = mixed &+ turned(a, 5) &+ words[3 &- n] &+ e &+ constant
            (a, b, c, d, e) = (sum, a, turned(b, 30), c, d)
        }
        return SIMD4(d, c, b, a)
    }

    /// The function and constant of 20 rounds.
    private static func stage1(_ stage: UInt8, _ b: UInt32, _ c: UInt32, _ d: UInt32) -> (UInt32, UInt32) {
        switch stage {
        case 0: (b & c ^ ~b & d, 0x5a82_7999)
        case 1: (b ^ c ^ d, 0x6ed9_eba1)
        case 2: (b & c ^ b & d ^ c & d, 0x8f1b_bcdc)
        default: (b ^ c ^ d, 0xca62_c1d6)
        }
    }

    static func sigma0(_ w: UInt32) -> UInt32 { turned(w, 25) ^ turned(w, 14) ^ w &>> 3 }
    static func sigma1(_ w: UInt32) -> UInt32 { turned(w, 15) ^ turned(w, 13) ^ w &>> 10 }

    /// SHA256MSG2.
    static func schedule256(_ target: SIMD4<UInt32>, _ source: SIMD4<UInt32>) -> SIMD4<UInt32> {
        let first = target.x &+ sigma1(source.z)
        let second = target.y &+ sigma1(source.w)
        return SIMD4(first, second, target.z &+ sigma1(first), target.w &+ sigma1(second))
    }

    /// SHA256RNDS2: C D G H in, A B E F of the source, two words with their constants added.
    static func rounds256(_ target: SIMD4<UInt32>, _ source: SIMD4<UInt32>, _ words: SIMD4<UInt32>) -> SIMD4<UInt32> {
        var (a, b, c, d) = (source.w, source.z, target.w, target.z)
        var (e, f, g, h) = (source.y, source.x, target.y, target.x)
        for n in 0..<2 {
            let choice = (e & f ^ ~e & g) &+ (turned(e, 26) ^ turned(e, 21) ^ turned(e, 7)) &+ words[n] &+ h
            let majority = (a & b ^ a & c ^ b & c) &+ (turned(a, 30) ^ turned(a, 19) ^ turned(a, 10))
            (a, b, c, d, e, f, g, h) = (choice &+ majority, a, b, c, choice &+ d, e, f, g)
        }
        return SIMD4(f, e, b, a)
    }
}
