internal import X86
internal import X86Decoder

/// Packed integer operations of map 0F 38 (SSSE3, SSE4.1, SSE4.2).
extension PackedInteger {
    @inline(never)
    static func operate38(_ opcode: UInt8, _ a: Vector, _ b: Vector) -> Vector {
        switch opcode {
        case 0x00: shuffleBytes(a, b)
        case 0x01...0x03, 0x05...0x07: horizontal(opcode, a, b)
        case 0x04: multiplyAddBytes(a, b)
        case 0x08...0x0a: signed(opcode, a, b)
        case 0x0b: Vector(lanes: roundedHighProduct(a.signedWords, b.signedWords))
        case 0x1c: Vector(lanes: b.signedBytes.replacing(with: 0 &- b.signedBytes, where: b.signedBytes .< 0))
        case 0x1d: Vector(lanes: b.signedWords.replacing(with: 0 &- b.signedWords, where: b.signedWords .< 0))
        case 0x1e: Vector(lanes: b.signedLongs.replacing(with: 0 &- b.signedLongs, where: b.signedLongs .< 0))
        case 0x28: Vector(lanes: lowSigned(a) &* lowSigned(b))
        case 0x29: Vector.zero.replacing(with: .max, where: a .== b)
        case 0x2b: packUnsignedLongs(a, b)
        case 0x37: Vector.zero.replacing(with: .max, where: a.signedQuads .> b.signedQuads)
        case 0x40: Vector(lanes: a.longs &* b.longs)
        case 0x41: leastWord(b)
        default: minimumOrMaximum(opcode, a, b)
        }
    }

    /// PMINSB … PMAXUD (38-3F).
    private static func minimumOrMaximum(_ opcode: UInt8, _ a: Vector, _ b: Vector) -> Vector {
        switch opcode {
        case 0x38: Vector(lanes: a.signedBytes.replacing(with: b.signedBytes, where: b.signedBytes .< a.signedBytes))
        case 0x39: Vector(lanes: a.signedLongs.replacing(with: b.signedLongs, where: b.signedLongs .< a.signedLongs))
        case 0x3a: Vector(lanes: a.words.replacing(with: b.words, where: b.words .< a.words))
        case 0x3b: Vector(lanes: a.longs.replacing(with: b.longs, where: b.longs .< a.longs))
        case 0x3c: Vector(lanes: a.signedBytes.replacing(with: b.signedBytes, where: b.signedBytes .> a.signedBytes))
        case 0x3d: Vector(lanes: a.signedLongs.replacing(with: b.signedLongs, where: b.signedLongs .> a.signedLongs))
        case 0x3e: Vector(lanes: a.words.replacing(with: b.words, where: b.words .> a.words))
        default: Vector(lanes: a.longs.replacing(with: b.longs, where: b.longs .> a.longs))
        }
    }

    /// PHADDW, PHADDD, PHADDSW (01-03), PHSUBW, PHSUBD, PHSUBSW (05-07).
    private static func horizontal(_ opcode: UInt8, _ a: Vector, _ b: Vector) -> Vector {
        if opcode & 3 == 2 {
            let even = SIMD4(lowHalf: a.longs.evenHalf, highHalf: b.longs.evenHalf)
            let odd = SIMD4(lowHalf: a.longs.oddHalf, highHalf: b.longs.oddHalf)
            return Vector(lanes: opcode < 4 ? even &+ odd : even &- odd)
        }
        let even = Vector(lanes: SIMD8(lowHalf: a.words.evenHalf, highHalf: b.words.evenHalf))
        let odd = Vector(lanes: SIMD8(lowHalf: a.words.oddHalf, highHalf: b.words.oddHalf))
        switch opcode {
        case 0x01: return operate(0xfd, even, odd)
        case 0x03: return operate(0xed, even, odd)
        case 0x05: return operate(0xf9, even, odd)
        default: return operate(0xe9, even, odd)
        }
    }

    /// PMADDUBSW: unsigned bytes of `a` by signed bytes of `b`, neighbours added with saturation.
    private static func multiplyAddBytes(_ a: Vector, _ b: Vector) -> Vector {
        let even = Vector(lanes: (a.signedWords & 0xff) &* ((b.signedWords &<< 8) &>> 8))
        let odd = Vector(lanes: SIMD8<Int16>(truncatingIfNeeded: a.words &>> 8) &* (b.signedWords &>> 8))
        return operate(0xed, even, odd)
    }

    /// PSIGNB, PSIGNW, PSIGND.
    private static func signed(_ opcode: UInt8, _ a: Vector, _ b: Vector) -> Vector {
        switch opcode {
        case 0x08:
            let lanes = a.signedBytes.replacing(with: 0 &- a.signedBytes, where: b.signedBytes .< 0)
            return Vector(lanes: lanes.replacing(with: 0, where: b.signedBytes .== 0))
        case 0x09:
            let lanes = a.signedWords.replacing(with: 0 &- a.signedWords, where: b.signedWords .< 0)
            return Vector(lanes: lanes.replacing(with: 0, where: b.signedWords .== 0))
        default:
            let lanes = a.signedLongs.replacing(with: 0 &- a.signedLongs, where: b.signedLongs .< 0)
            return Vector(lanes: lanes.replacing(with: 0, where: b.signedLongs .== 0))
        }
    }

    /// PMULHRSW.
    private static func roundedHighProduct(_ a: SIMD8<Int16>, _ b: SIMD8<Int16>) -> SIMD8<Int16> {
        let products = SIMD8<Int32>(truncatingIfNeeded: a) &* SIMD8<Int32>(truncatingIfNeeded: b)
        return SIMD8<Int16>(truncatingIfNeeded: ((products &>> 14) &+ 1) &>> 1)
    }

    /// Doublewords 0 and 2 extended.
    @inline(__always)
    private static func lowSigned(_ a: Vector) -> SIMD2<Int64> { (a.signedQuads &<< 32) &>> 32 }

    /// PHMINPOSUW: the least word and its number.
    private static func leastWord(_ a: Vector) -> Vector {
        let words = a.words
        var best = 0
        for n in 1..<8 where words[n] < words[best] { best = n }
        return Vector(UInt64(words[best]) | UInt64(truncatingIfNeeded: best) &<< 16, 0)
    }

    /// MPSADBW: eight sums of four differences; bit 2 of `control` and bits 0-1 choose where the blocks start.
    static func blockDifferences(_ a: Vector, _ b: Vector, _ control: UInt8) -> Vector {
        let target = a.bytes
        let source = b.bytes
        let start = Int(truncatingIfNeeded: control & 4)
        let block = Int(truncatingIfNeeded: control & 3) &* 4
        var result = SIMD8<UInt16>.zero
        for n in 0..<8 {
            for k in 0..<4 {
                let (x, y) = (UInt16(target[start &+ n &+ k]), UInt16(source[block &+ k]))
                result[n] &+= x > y ? x &- y : y &- x
            }
        }
        return Vector(lanes: result)
    }
}

/// SSE4.1: what is not a plain operation of two vectors.
extension Core {
    /// PTEST: ZF when no bit of the source is in the destination, CF when all are.
    @inline(never)
    func executeTest(_ i: InstructionRef) throws(GuestFault) {
        let source = try vectorOperand(i)
        let target = xmm(i.reg, as: Vector.self)
        let zero = source & target == .zero ? RFLAGS.zero : 0
        setArithmeticFlags(zero | (source & ~target == .zero ? RFLAGS.carry : 0))
    }

    /// PBLENDVB (10), BLENDVPS (14), BLENDVPD (15): from the source where XMM0's lane has its top bit set.
    @inline(never)
    func executeVariableBlend(_ i: InstructionRef) throws(GuestFault) {
        let source = try vectorOperand(i)
        let target = xmm(i.reg, as: Vector.self)
        let selector = xmm(0, as: Vector.self)
        switch i.opcodeByte {
        case 0x10: setXMM(i.reg, target.bytes.replacing(with: source.bytes, where: selector.signedBytes .< 0))
        case 0x14: setXMM(i.reg, target.longs.replacing(with: source.longs, where: selector.signedLongs .< 0))
        default: setXMM(i.reg, target.replacing(with: source, where: selector.signedQuads .< 0))
        }
    }

    /// BLENDPS (0C), BLENDPD (0D), PBLENDW (0E): from the source where the immediate has a bit.
    @inline(never)
    func executeBlend(_ i: InstructionRef) throws(GuestFault) {
        let source = try vectorOperand(i).words
        var result = xmm(i.reg, as: SIMD8<UInt16>.self)
        // Words per lane: 2, 4 or 1.
        let shift: Int = i.opcodeByte == 0x0c ? 1 : i.opcodeByte == 0x0d ? 2 : 0
        for n in 0..<8 where i.immediate8 &>> UInt8(truncatingIfNeeded: n &>> shift) & 1 != 0 { result[n] = source[n] }
        setXMM(i.reg, result)
    }

    /// PMOVSX (20-25) and PMOVZX (30-35).
    @inline(never)
    func executeExtend(_ i: InstructionRef) throws(GuestFault) {
        let isSigned = i.opcodeByte < 0x30
        switch i.opcodeByte & 7 {
        case 0:
            let source = Vector(try lowOperand(i, as: UInt64.self), 0)
            if isSigned {
                setXMM(i.reg, SIMD8<Int16>(truncatingIfNeeded: source.signedBytes.lowHalf))
            } else {
                setXMM(i.reg, SIMD8<UInt16>(truncatingIfNeeded: source.bytes.lowHalf))
            }
        case 1:
            let source = Vector(UInt64(try lowOperand(i, as: UInt32.self)), 0)
            if isSigned {
                setXMM(i.reg, SIMD4<Int32>(truncatingIfNeeded: source.signedBytes.lowHalf.lowHalf))
            } else {
                setXMM(i.reg, SIMD4<UInt32>(truncatingIfNeeded: source.bytes.lowHalf.lowHalf))
            }
        case 2:
            let source = Vector(UInt64(try lowOperand(i, as: UInt16.self)), 0)
            if isSigned {
                setXMM(i.reg, SIMD2<Int64>(truncatingIfNeeded: source.signedBytes.lowHalf.lowHalf.lowHalf))
            } else {
                setXMM(i.reg, SIMD2<UInt64>(truncatingIfNeeded: source.bytes.lowHalf.lowHalf.lowHalf))
            }
        case 3:
            let source = Vector(try lowOperand(i, as: UInt64.self), 0)
            if isSigned {
                setXMM(i.reg, SIMD4<Int32>(truncatingIfNeeded: source.signedWords.lowHalf))
            } else {
                setXMM(i.reg, SIMD4<UInt32>(truncatingIfNeeded: source.words.lowHalf))
            }
        case 4:
            let source = Vector(UInt64(try lowOperand(i, as: UInt32.self)), 0)
            if isSigned {
                setXMM(i.reg, SIMD2<Int64>(truncatingIfNeeded: source.signedWords.lowHalf.lowHalf))
            } else {
                setXMM(i.reg, SIMD2<UInt64>(truncatingIfNeeded: source.words.lowHalf.lowHalf))
            }
        default:
            let source = Vector(try lowOperand(i, as: UInt64.self), 0)
            if isSigned {
                setXMM(i.reg, SIMD2<Int64>(truncatingIfNeeded: source.signedLongs.lowHalf))
            } else {
                setXMM(i.reg, SIMD2<UInt64>(truncatingIfNeeded: source.longs.lowHalf))
            }
        }
    }

    /// PEXTRB (14), PEXTRW (15), PEXTRD, PEXTRQ (16), EXTRACTPS (17); registers are cleared above.
    @inline(never)
    func executeExtract(_ i: InstructionRef) throws(GuestFault) {
        let lane = Int(truncatingIfNeeded: i.immediate8)
        switch i.opcodeByte {
        case 0x14:
            let value = xmmLane(i.reg, lane & 15, as: UInt8.self)
            if i.isMemory { try storeOperand(i, value) } else { setRegister(i.rmIndex, UInt32(value)) }
        case 0x15:
            let value = xmmLane(i.reg, lane & 7, as: UInt16.self)
            if i.isMemory { try storeOperand(i, value) } else { setRegister(i.rmIndex, UInt32(value)) }
        case 0x16 where i.flags.contains(.rexW): try storeRM(i, xmmLane(i.reg, lane & 1, as: UInt64.self))
        default: try storeRM(i, xmmLane(i.reg, lane & 3, as: UInt32.self))
        }
    }

    /// PINSRB (20), INSERTPS (21), PINSRD and PINSRQ (22).
    @inline(never)
    func executeInsert(_ i: InstructionRef) throws(GuestFault) {
        let lane = Int(truncatingIfNeeded: i.immediate8)
        switch i.opcodeByte {
        case 0x20:
            setXMMLane(i.reg, lane & 15, i.isMemory ? try loadOperand(i, as: UInt8.self) : register(i.rmIndex, as: UInt8.self))
        case 0x21: try insertSingle(i, lane)
        default:
            let source = try generalOperand(i)
            if i.flags.contains(.rexW) { return setXMMLane(i.reg, lane & 1, source) }
            setXMMLane(i.reg, lane & 3, UInt32(truncatingIfNeeded: source))
        }
    }

    /// INSERTPS: bits 6-7 choose the source's lane (registers only), 4-5 the destination's, 0-3 lanes to clear.
    private func insertSingle(_ i: InstructionRef, _ control: Int) throws(GuestFault) {
        let source = i.isMemory ? try loadOperand(i, as: UInt32.self) : xmmLane(i.rm, control &>> 6 & 3, as: UInt32.self)
        setXMMLane(i.reg, control &>> 4 & 3, source)
        for n in 0..<4 where control &>> n & 1 != 0 { setXMMLane(i.reg, n, 0 as UInt32) }
    }
}
