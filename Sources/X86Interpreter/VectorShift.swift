internal import X86
internal import X86Decoder

/// Shifts of all lanes by one count.
extension PackedInteger {
    /// D1-D3, E1, E2, F1-F3: counts beyond the lane's width give zeros, or signs.
    @inline(__always)
    static func shift(_ opcode: UInt8, _ a: Vector, count: UInt64) -> Vector {
        switch opcode {
        case 0xd1: count > 15 ? .zero : Vector(lanes: a.words &>> UInt16(truncatingIfNeeded: count))
        case 0xd2: count > 31 ? .zero : Vector(lanes: a.longs &>> UInt32(truncatingIfNeeded: count))
        case 0xd3: count > 63 ? .zero : a &>> count
        case 0xe1: Vector(lanes: a.signedWords &>> Int16(truncatingIfNeeded: min(count, 15)))
        case 0xe2: Vector(lanes: a.signedLongs &>> Int32(truncatingIfNeeded: min(count, 31)))
        case 0xf1: count > 15 ? .zero : Vector(lanes: a.words &<< UInt16(truncatingIfNeeded: count))
        case 0xf2: count > 31 ? .zero : Vector(lanes: a.longs &<< UInt32(truncatingIfNeeded: count))
        default: count > 63 ? .zero : a &<< count
        }
    }

    /// Groups 71, 72 and 73 by an immediate; `operation` is ModRM.reg: 2 right, 4 arithmetic right, 6 left, 3 and 7 by bytes.
    @inline(__always)
    static func shift(_ opcode: UInt8, _ operation: UInt8, _ a: Vector, _ count: UInt64) -> Vector {
        let lane = opcode & 3
        switch operation {
        case 2: return shift(0xd0 | lane, a, count: count)
        case 4: return shift(0xe0 | lane, a, count: count)
        case 6: return shift(0xf0 | lane, a, count: count)
        case 3: return a.shiftedDown(bytes: Int(truncatingIfNeeded: count))
        default: return a.shiftedUp(bytes: Int(truncatingIfNeeded: count))
        }
    }
}

extension Core {
    /// 0F 71-73: shifts by an immediate, PSLLDQ and PSRLDQ.
    @inline(never)
    func executeShiftGroup(_ i: InstructionRef) {
        setXMM(i.rm, PackedInteger.shift(i.opcodeByte, i.reg & 7, xmm(i.rm, as: Vector.self), UInt64(i.immediate8)))
    }
}
