internal import X86
internal import X86Decoder

/// Interleaving, packing and permuting lanes.
extension PackedInteger {
    /// PUNPCKL (60-62, 6C) and PUNPCKH (68-6A, 6D).
    static func interleave(_ opcode: UInt8, _ a: Vector, _ b: Vector) -> Vector {
        switch opcode {
        case 0x60: return interleaved(a.bytes.lowHalf, b.bytes.lowHalf)
        case 0x68: return interleaved(a.bytes.highHalf, b.bytes.highHalf)
        case 0x61: return interleaved(a.words.lowHalf, b.words.lowHalf)
        case 0x69: return interleaved(a.words.highHalf, b.words.highHalf)
        case 0x62: return Vector(lanes: SIMD4(a.longs.x, b.longs.x, a.longs.y, b.longs.y))
        case 0x6a: return Vector(lanes: SIMD4(a.longs.z, b.longs.z, a.longs.w, b.longs.w))
        case 0x6c: return Vector(a.x, b.x)
        default: return Vector(a.y, b.y)
        }
    }

    @inline(__always)
    private static func interleaved(_ a: SIMD8<UInt8>, _ b: SIMD8<UInt8>) -> Vector {
        Vector(lanes: SIMD8<UInt16>(truncatingIfNeeded: a) | SIMD8<UInt16>(truncatingIfNeeded: b) &<< 8)
    }

    @inline(__always)
    private static func interleaved(_ a: SIMD4<UInt16>, _ b: SIMD4<UInt16>) -> Vector {
        Vector(lanes: SIMD4<UInt32>(truncatingIfNeeded: a) | SIMD4<UInt32>(truncatingIfNeeded: b) &<< 16)
    }

    /// PACKSSWB (63), PACKUSWB (67), PACKSSDW (6B).
    static func pack(_ opcode: UInt8, _ a: Vector, _ b: Vector) -> Vector {
        switch opcode {
        case 0x63: return joined(narrowed(a.signedWords, -128, 127), narrowed(b.signedWords, -128, 127))
        case 0x67: return joined(narrowed(a.signedWords, 0, 255), narrowed(b.signedWords, 0, 255))
        default: return joined(narrowed(a.signedLongs, -32768, 32767), narrowed(b.signedLongs, -32768, 32767))
        }
    }

    /// PACKUSDW (0F 38 2B).
    static func packUnsignedLongs(_ a: Vector, _ b: Vector) -> Vector {
        joined(narrowed(a.signedLongs, 0, 65535), narrowed(b.signedLongs, 0, 65535))
    }

    @inline(__always)
    private static func narrowed(_ a: SIMD8<Int16>, _ least: Int16, _ most: Int16) -> UInt64 {
        let clamped = a.replacing(with: least, where: a .< least).replacing(with: most, where: a .> most)
        return unsafe unsafeBitCast(SIMD8<UInt8>(truncatingIfNeeded: clamped), to: UInt64.self)
    }

    @inline(__always)
    private static func narrowed(_ a: SIMD4<Int32>, _ least: Int32, _ most: Int32) -> UInt64 {
        let clamped = a.replacing(with: least, where: a .< least).replacing(with: most, where: a .> most)
        return unsafe unsafeBitCast(SIMD4<UInt16>(truncatingIfNeeded: clamped), to: UInt64.self)
    }

    @inline(__always)
    private static func joined(_ low: UInt64, _ high: UInt64) -> Vector { Vector(low, high) }

    /// PSHUFB: bytes of `a` by the low four bits of each byte of `selector`, zero where its top bit is set.
    static func shuffleBytes(_ a: Vector, _ selector: Vector) -> Vector {
        let picks = selector.bytes
        var result = SIMD16<UInt8>.zero
        unsafe withUnsafeBytes(of: a) { source in
            for n in 0..<16 { result[n] = unsafe source[Int(truncatingIfNeeded: picks[n] & 15)] }
        }
        return Vector(lanes: result.replacing(with: 0, where: selector.signedBytes .< 0))
    }

    /// PALIGNR: sixteen bytes of `high` above `low`, from byte `count` on.
    @inline(__always)
    static func align(_ high: Vector, _ low: Vector, _ count: UInt8) -> Vector {
        Vector.window((low, high, .zero), min(Int(truncatingIfNeeded: count), 32))
    }

    /// PSHUFD and SHUFPS' halves: lane by two bits of the selector.
    @inline(__always)
    static func long(_ a: SIMD4<UInt32>, _ selector: UInt8) -> UInt32 { a[Int(truncatingIfNeeded: selector & 3)] }

    /// The words of PSHUFW, PSHUFLW and PSHUFHW.
    @inline(__always)
    static func shuffleWords(_ a: UInt64, _ selector: UInt8) -> UInt64 {
        var result: UInt64 = 0
        for n: UInt64 in 0..<4 {
            let lane = UInt64(truncatingIfNeeded: selector) &>> (n &* 2) & 3
            result |= (a &>> (lane &* 16) & 0xffff) &<< (n &* 16)
        }
        return result
    }

    @inline(__always)
    static func insertWord(_ a: UInt64, _ word: UInt16, _ lane: UInt8) -> UInt64 {
        let place = UInt64(lane & 3) &* 16
        return a & ~(0xffff &<< place) | UInt64(word) &<< place
    }
}

extension Core {
    /// UNPCKxPx, PSHUFD/HW/LW, PINSRW, PEXTRW, SHUFPS, SHUFPD.
    @inline(never)
    func executeShuffle(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x14, 0x15:
            let source = try vectorOperand(i)
            let like: UInt8 = prefix == .h66 ? 0x6c &+ (i.opcodeByte & 1) : i.opcodeByte == 0x14 ? 0x62 : 0x6a
            setXMM(i.reg, PackedInteger.interleave(like, xmm(i.reg, as: Vector.self), source))
        case 0x70: setXMM(i.reg, shuffled(try vectorOperand(i), i.immediate8, prefix))
        case 0xc4: setXMMLane(i.reg, Int(truncatingIfNeeded: i.immediate8 & 7), try wordOperand(i))
        case 0xc5: setRegister(i.regIndex, UInt32(xmmLane(i.rm, Int(truncatingIfNeeded: i.immediate8 & 7), as: UInt16.self)))
        default: try shuffleFloats(i, prefix)
        }
    }

    private func shuffled(_ a: Vector, _ selector: UInt8, _ prefix: MandatoryPrefix) -> Vector {
        switch prefix {
        case .f3: return Vector(a.x, PackedInteger.shuffleWords(a.y, selector))
        case .f2: return Vector(PackedInteger.shuffleWords(a.x, selector), a.y)
        default:
            let lanes = a.longs
            return Vector(
                lanes: SIMD4<UInt32>(
                    PackedInteger.long(lanes, selector), PackedInteger.long(lanes, selector &>> 2),
                    PackedInteger.long(lanes, selector &>> 4), PackedInteger.long(lanes, selector &>> 6)))
        }
    }

    private func shuffleFloats(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        let source = try vectorOperand(i)
        let target = xmm(i.reg, as: Vector.self)
        let selector = i.immediate8
        if prefix == .h66 {
            setXMM(i.reg, Vector(selector & 1 != 0 ? target.y : target.x, selector & 2 != 0 ? source.y : source.x))
        } else {
            setXMM(
                i.reg,
                SIMD4<UInt32>(
                    PackedInteger.long(target.longs, selector), PackedInteger.long(target.longs, selector &>> 2),
                    PackedInteger.long(source.longs, selector &>> 4), PackedInteger.long(source.longs, selector &>> 6)))
        }
    }
}
