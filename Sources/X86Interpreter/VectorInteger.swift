/// Packed integer operations on 16 bytes, free of the machine's state. Opcodes name them as in map 0F with 66.
///
/// Every function works on concrete vector types, because only those become vector code; generic lanes would be loops.
enum PackedInteger {
    /// 60-6D, 74-76, D1-FE of map 0F: destination and source in, new destination out.
    @inline(never)
    static func operate(_ opcode: UInt8, _ a: Vector, _ b: Vector) -> Vector {
        switch opcode {
        case 0xef: a ^ b
        case 0xeb: a | b
        case 0xdb: a & b
        case 0xdf: ~a & b
        case 0x74: Vector(lanes: SIMD16<UInt8>.zero.replacing(with: .max, where: a.bytes .== b.bytes))
        case 0x75: Vector(lanes: SIMD8<UInt16>.zero.replacing(with: .max, where: a.words .== b.words))
        case 0x76: Vector(lanes: SIMD4<UInt32>.zero.replacing(with: .max, where: a.longs .== b.longs))
        case 0xda: Vector(lanes: a.bytes.replacing(with: b.bytes, where: b.bytes .< a.bytes))
        case 0xde: Vector(lanes: a.bytes.replacing(with: b.bytes, where: b.bytes .> a.bytes))
        case 0xea: Vector(lanes: a.signedWords.replacing(with: b.signedWords, where: b.signedWords .< a.signedWords))
        case 0xee: Vector(lanes: a.signedWords.replacing(with: b.signedWords, where: b.signedWords .> a.signedWords))
        case 0xfc: Vector(lanes: a.bytes &+ b.bytes)
        case 0xfd: Vector(lanes: a.words &+ b.words)
        case 0xfe: Vector(lanes: a.longs &+ b.longs)
        case 0xd4: a &+ b
        case 0xf8: Vector(lanes: a.bytes &- b.bytes)
        case 0xf9: Vector(lanes: a.words &- b.words)
        case 0xfa: Vector(lanes: a.longs &- b.longs)
        case 0xfb: a &- b
        case 0x64: Vector(lanes: SIMD16<UInt8>.zero.replacing(with: .max, where: a.signedBytes .> b.signedBytes))
        case 0x65: Vector(lanes: SIMD8<UInt16>.zero.replacing(with: .max, where: a.signedWords .> b.signedWords))
        case 0x66: Vector(lanes: SIMD4<UInt32>.zero.replacing(with: .max, where: a.signedLongs .> b.signedLongs))
        case 0x60...0x62, 0x68...0x6a, 0x6c, 0x6d: interleave(opcode, a, b)
        case 0x63, 0x67, 0x6b: pack(opcode, a, b)
        case 0xd1...0xd3, 0xe1, 0xe2, 0xf1...0xf3: shift(opcode, a, count: b.x)
        case 0xd8, 0xd9, 0xdc, 0xdd, 0xe8, 0xe9, 0xec, 0xed: saturating(opcode, a, b)
        default: multiply(opcode, a, b)
        }
    }

    /// ANDPS, ANDNPS, ORPS, XORPS and their double forms (54-57).
    @inline(__always)
    static func logic(_ opcode: UInt8, _ a: Vector, _ b: Vector) -> Vector {
        switch opcode {
        case 0x54: a & b
        case 0x55: ~a & b
        case 0x56: a | b
        default: a ^ b
        }
    }

    /// PADDUS, PADDS, PSUBUS, PSUBS of bytes and words.
    private static func saturating(_ opcode: UInt8, _ a: Vector, _ b: Vector) -> Vector {
        switch opcode {
        case 0xdc:
            let sum = a.bytes &+ b.bytes
            return Vector(lanes: sum.replacing(with: .max, where: sum .< a.bytes))
        case 0xdd:
            let sum = a.words &+ b.words
            return Vector(lanes: sum.replacing(with: .max, where: sum .< a.words))
        case 0xd8: return Vector(lanes: (a.bytes &- b.bytes).replacing(with: 0, where: a.bytes .< b.bytes))
        case 0xd9: return Vector(lanes: (a.words &- b.words).replacing(with: 0, where: a.words .< b.words))
        case 0xec: return saturated(a.signedBytes, a.signedBytes &+ b.signedBytes, b.signedBytes)
        case 0xed: return saturated(a.signedWords, a.signedWords &+ b.signedWords, b.signedWords)
        case 0xe8: return saturated(a.signedBytes, a.signedBytes &- b.signedBytes, ~b.signedBytes)
        default: return saturated(a.signedWords, a.signedWords &- b.signedWords, ~b.signedWords)
        }
    }

    /// The sum, or the limit on the side of `a` where `a` and the addend agree in sign and the sum does not.
    @inline(__always)
    private static func saturated(_ a: SIMD16<Int8>, _ sum: SIMD16<Int8>, _ addend: SIMD16<Int8>) -> Vector {
        let overflow = (a ^ sum) & (addend ^ sum)
        return Vector(lanes: sum.replacing(with: (a &>> 7) ^ .max, where: overflow .< 0))
    }

    @inline(__always)
    private static func saturated(_ a: SIMD8<Int16>, _ sum: SIMD8<Int16>, _ addend: SIMD8<Int16>) -> Vector {
        let overflow = (a ^ sum) & (addend ^ sum)
        return Vector(lanes: sum.replacing(with: (a &>> 15) ^ .max, where: overflow .< 0))
    }

    /// Multiplications, averages and sums of differences.
    private static func multiply(_ opcode: UInt8, _ a: Vector, _ b: Vector) -> Vector {
        switch opcode {
        case 0xd5: Vector(lanes: a.words &* b.words)
        case 0xe5: Vector(lanes: highProduct(a.signedWords, b.signedWords))
        case 0xe4: Vector(lanes: highProduct(a.words, b.words))
        case 0xf4: (a & 0xffff_ffff) &* (b & 0xffff_ffff)
        case 0xf5: Vector(lanes: even(a) &* even(b) &+ odd(a) &* odd(b))
        case 0xe0: Vector(lanes: (a.bytes | b.bytes) &- ((a.bytes ^ b.bytes) &>> 1))
        case 0xe3: Vector(lanes: (a.words | b.words) &- ((a.words ^ b.words) &>> 1))
        default: sumOfDifferences(a, b)
        }
    }

    private static func highProduct(_ a: SIMD8<Int16>, _ b: SIMD8<Int16>) -> SIMD8<Int16> {
        SIMD8<Int16>(truncatingIfNeeded: (SIMD8<Int32>(truncatingIfNeeded: a) &* SIMD8<Int32>(truncatingIfNeeded: b)) &>> 16)
    }

    private static func highProduct(_ a: SIMD8<UInt16>, _ b: SIMD8<UInt16>) -> SIMD8<UInt16> {
        SIMD8<UInt16>(truncatingIfNeeded: (SIMD8<UInt32>(truncatingIfNeeded: a) &* SIMD8<UInt32>(truncatingIfNeeded: b)) &>> 16)
    }

    /// Words 0, 2, 4, 6 extended.
    @inline(__always)
    private static func even(_ a: Vector) -> SIMD4<Int32> { (a.signedLongs &<< 16) &>> 16 }

    /// Words 1, 3, 5, 7 extended.
    @inline(__always)
    private static func odd(_ a: Vector) -> SIMD4<Int32> { a.signedLongs &>> 16 }

    /// PSADBW.
    private static func sumOfDifferences(_ a: Vector, _ b: Vector) -> Vector {
        let (x, y) = (a.bytes, b.bytes)
        let differences = Vector(lanes: (x &- y).replacing(with: y &- x, where: x .< y))
        let pairs = (differences & 0x00ff_00ff_00ff_00ff) &+ (differences &>> 8 & 0x00ff_00ff_00ff_00ff)
        return (pairs &* 0x0001_0001_0001_0001) &>> 48
    }
}
