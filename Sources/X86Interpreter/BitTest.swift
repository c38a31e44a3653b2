internal import X86
internal import X86Decoder

/// BT, BTS, BTR, BTC, the scans and POPCNT (SDM vol. 2).
extension Core {
    /// The bit number in a register: with memory it reaches beyond the operand, in both directions.
    func bitTestRegister<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let number = loadReg(i, as: T.self)
        let kind = (i.opcodeByte &>> 3) & 3
        guard i.isMemory else { return try bitTest(i, kind, number) }
        let size = MemoryLayout<T>.size
        let words = Int64(T.SignedWord(truncatingIfNeeded: number)) &>> Int64(T.bitWidth.trailingZeroBitCount)
        let offset = effectiveAddress(i) &+ UInt64(bitPattern: words &* Int64(size))
        let address = try checkedLinear(i, at: offset, byteCount: size, isWrite: kind != 0)
        let mask: T = 1 &<< (number & T(truncatingIfNeeded: T.bitWidth &- 1))
        if kind == 0 {
            setCarry(try load(address, i.segment, as: T.self) & mask != 0)
        } else if i.flags.contains(.lock) {
            try modifyAtomically(address, i.segment) { changeBit($0, mask, kind) }
        } else {
            try probeWrite(address, byteCount: size, i.segment)
            let value = try load(address, i.segment, as: T.self)
            try store(address, changeBit(value, mask, kind), i.segment)
        }
    }

    func bitTestImmediate<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        try bitTest(i, i.reg & 3, T(truncatingIfNeeded: i.immediate8))
    }

    /// A bit of the operand itself; `kind` is 0 BT, 1 BTS, 2 BTR, 3 BTC.
    private func bitTest<T: OperandWord>(_ i: InstructionRef, _ kind: UInt8, _ number: T) throws(GuestFault) {
        let mask: T = 1 &<< (number & T(truncatingIfNeeded: T.bitWidth &- 1))
        if kind == 0 {
            setCarry(try loadRM(i, as: T.self) & mask != 0)
        } else {
            try modifyRM(i, as: T.self) { changeBit($0, mask, kind) }
        }
    }

    @inline(__always)
    private func changeBit<T: OperandWord>(_ value: T, _ mask: T, _ kind: UInt8) -> T {
        setCarry(value & mask != 0)
        switch kind {
        case 1: return value | mask
        case 2: return value & ~mask
        default: return value ^ mask
        }
    }

    /// BSF, BSR, TZCNT and LZCNT. The scans leave the destination alone when there is no bit.
    func scanBits<T: OperandWord>(_ i: InstructionRef, _ value: T) {
        let isForward = i.opcodeByte == 0xbc
        let zeros = isForward ? value.trailingZeroBitCount : value.leadingZeroBitCount
        if i.flags.contains(.rep) {
            storeReg(i, T(truncatingIfNeeded: zeros))
            setResultFlags(T(truncatingIfNeeded: zeros))
            setCarryOverflow(carry: value == 0, overflow: false)
        } else {
            setZero(value == 0)
            if value != 0 { storeReg(i, T(truncatingIfNeeded: isForward ? zeros : T.bitWidth &- 1 &- zeros)) }
        }
    }

    /// POPCNT
    func countOnes<T: OperandWord>(_ i: InstructionRef, _ value: T) {
        storeReg(i, T(truncatingIfNeeded: value.nonzeroBitCount))
        setArithmeticFlags(value == 0 ? RFLAGS.zero : 0)
    }
}
