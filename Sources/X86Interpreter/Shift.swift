internal import X86

/// Shifts and rotates (SDM vol. 2: SAL/SAR/SHL/SHR, RCL/RCR/ROL/ROR, SHLD, SHRD). The count is already masked to 5 or 6
/// bits by the caller; a count of zero changes nothing, flags included.
extension Core {
    /// What ModRM.reg selects in groups C0, C1 and D0-D3.
    @inline(__always)
    func shift<T: OperandWord>(_ kind: Int, _ value: T, _ count: UInt8) -> T {
        guard count != 0 else { return value }
        switch kind & 7 {
        case 0: return rotateLeft(value, count)
        case 1: return rotateRight(value, count)
        case 2: return rotateLeftThroughCarry(value, count)
        case 3: return rotateRightThroughCarry(value, count)
        case 5: return shiftRight(value, count)
        case 7: return shiftRightArithmetic(value, count)
        default: return shiftLeft(value, count)
        }
    }

    @inline(__always)
    static func maskedCount<T: OperandWord>(_ count: UInt8, _: T.Type) -> UInt8 {
        count & (T.bitWidth == 64 ? 63 : 31)
    }

    @inline(__always)
    func shiftLeft<T: OperandWord>(_ value: T, _ count: UInt8) -> T {
        let width = UInt8(truncatingIfNeeded: T.bitWidth)
        let result: T = count >= width ? 0 : value &<< T(truncatingIfNeeded: count)
        let carry = count > width ? false : (value >> T(truncatingIfNeeded: width &- count)) & 1 != 0
        setResultFlags(result)
        setCarryOverflow(carry: carry, overflow: topBit(result) != carry)
        s.auxiliary = 0
        return result
    }

    @inline(__always)
    func shiftRight<T: OperandWord>(_ value: T, _ count: UInt8) -> T {
        let width = UInt8(truncatingIfNeeded: T.bitWidth)
        let result: T = count >= width ? 0 : value &>> T(truncatingIfNeeded: count)
        let carry = count > width ? false : (value >> T(truncatingIfNeeded: count &- 1)) & 1 != 0
        setResultFlags(result)
        // Defined for a count of one only; processors go on with the same rule.
        setCarryOverflow(carry: carry, overflow: topBit(result) != ((result >> T(truncatingIfNeeded: T.bitWidth &- 2)) & 1 != 0))
        if count == 1 { setCarryOverflow(carry: carry, overflow: topBit(value)) }
        s.auxiliary = 0
        return result
    }

    @inline(__always)
    func shiftRightArithmetic<T: OperandWord>(_ value: T, _ count: UInt8) -> T {
        let signed = T.SignedWord(truncatingIfNeeded: value)
        let last = T.SignedWord(truncatingIfNeeded: min(Int(truncatingIfNeeded: count) &- 1, T.bitWidth &- 1))
        let before = signed &>> last
        let result = T(truncatingIfNeeded: before &>> 1)
        setResultFlags(result)
        setCarryOverflow(carry: before & 1 != 0, overflow: false)
        s.auxiliary = 0
        return result
    }

    @inline(__always)
    func topBit<T: OperandWord>(_ value: T) -> Bool { value &>> T(truncatingIfNeeded: T.bitWidth &- 1) != 0 }

    @inline(__always)
    func rotateLeft<T: OperandWord>(_ value: T, _ count: UInt8) -> T {
        let by = T(truncatingIfNeeded: Int(truncatingIfNeeded: count) & (T.bitWidth &- 1))
        let result = by == 0 ? value : (value &<< by) | (value &>> (T(truncatingIfNeeded: T.bitWidth) &- by))
        let carry = result & 1 != 0
        setCarryOverflow(carry: carry, overflow: topBit(result) != carry)
        return result
    }

    @inline(__always)
    func rotateRight<T: OperandWord>(_ value: T, _ count: UInt8) -> T {
        let by = T(truncatingIfNeeded: Int(truncatingIfNeeded: count) & (T.bitWidth &- 1))
        let result = by == 0 ? value : (value &>> by) | (value &<< (T(truncatingIfNeeded: T.bitWidth) &- by))
        let second = (result >> T(truncatingIfNeeded: T.bitWidth &- 2)) & 1 != 0
        setCarryOverflow(carry: topBit(result), overflow: topBit(result) != second)
        return result
    }

    /// RCL by one bit at a time: at most 63 steps, and rare.
    @inline(never)
    func rotateLeftThroughCarry<T: OperandWord>(_ value: T, _ count: UInt8) -> T {
        let steps = T.bitWidth < 32 ? Int(count) % (T.bitWidth + 1) : Int(count)
        var result = value
        var carry = carryFlag
        for _ in 0..<steps {
            let out = topBit(result)
            result = (result &<< 1) | (carry ? 1 : 0)
            carry = out
        }
        setCarryOverflow(carry: carry, overflow: topBit(result) != carry)
        return result
    }

    @inline(never)
    func rotateRightThroughCarry<T: OperandWord>(_ value: T, _ count: UInt8) -> T {
        let steps = T.bitWidth < 32 ? Int(count) % (T.bitWidth + 1) : Int(count)
        var result = value
        var carry = carryFlag
        let top: T = 1 &<< T(truncatingIfNeeded: T.bitWidth &- 1)
        for _ in 0..<steps {
            let out = result & 1 != 0
            result = (result &>> 1) | (carry ? top : 0)
            carry = out
        }
        setCarryOverflow(carry: carry, overflow: topBit(result) != ((result >> T(truncatingIfNeeded: T.bitWidth &- 2)) & 1 != 0))
        return result
    }

    /// SHLD: bits of `filler` come in from the right.
    func shiftLeftDouble<T: OperandWord>(_ value: T, _ filler: T, _ count: UInt8) -> T {
        guard count != 0 else { return value }
        // Counts above a 16-bit operand's width are undefined; go on as if the three words rotated.
        let width = T.bitWidth
        var n = Int(count)
        var high = value
        var low = filler
        if n > width {
            n -= width
            (high, low) = (filler, value)
        }
        let carry = (high >> T(truncatingIfNeeded: width - n)) & 1 != 0
        let result: T = n == width ? low : (high &<< T(truncatingIfNeeded: n)) | (low >> T(truncatingIfNeeded: width - n))
        setResultFlags(result)
        setCarryOverflow(carry: carry, overflow: topBit(result) != topBit(value))
        s.auxiliary = 0
        return result
    }

    /// SHRD: bits of `filler` come in from the left.
    func shiftRightDouble<T: OperandWord>(_ value: T, _ filler: T, _ count: UInt8) -> T {
        guard count != 0 else { return value }
        let width = T.bitWidth
        var n = Int(count)
        var low = value
        var high = filler
        if n > width {
            n -= width
            (low, high) = (filler, value)
        }
        let carry = (low >> T(truncatingIfNeeded: n - 1)) & 1 != 0
        let result: T = n == width ? high : (low &>> T(truncatingIfNeeded: n)) | (high << T(truncatingIfNeeded: width - n))
        setResultFlags(result)
        setCarryOverflow(carry: carry, overflow: topBit(result) != topBit(value))
        s.auxiliary = 0
        return result
    }
}
