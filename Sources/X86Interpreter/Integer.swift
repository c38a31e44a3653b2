internal import X86
internal import X86Decoder

/// Integer instructions of the one-byte map in every form that has no dispatch code of its own (SDM vol. 2).
extension Core {
    @inline(never)
    func executeInteger(_ i: InstructionRef) throws(GuestFault) {
        switch i.opcodeMap {
        case 0: try executeOneByte(i)
        case 1: try executeTwoByte(i)
        default: try executeBitManipulation(i)
        }
    }

    private func executeOneByte(_ i: InstructionRef) throws(GuestFault) {
        if try executeWithoutWidth(i) { return }
        if Core.isByteForm(i.opcodeByte) { return try executeSized(i, as: UInt8.self) }
        switch i.operandSize {
        case 2: try executeWide(i, as: UInt16.self)
        case 4: try executeWide(i, as: UInt32.self)
        default: try executeWide(i, as: UInt64.self)
        }
    }

    /// Whether a one-byte opcode works on bytes.
    private static func isByteForm(_ opcode: UInt8) -> Bool {
        switch opcode {
        case 0x00...0x3f, 0x80...0x8b, 0xa0...0xa9, 0xc0, 0xc1, 0xc6, 0xc7, 0xd0...0xd3, 0xf6, 0xf7, 0xfe, 0xff: opcode & 1 == 0
        case 0xb0...0xb7: true
        default: false
        }
    }

    /// Instructions that have one width, or none. Returns false when the opcode is not among them.
    private func executeWithoutWidth(_ i: InstructionRef) throws(GuestFault) -> Bool {
        switch i.opcodeByte {
        case 0x27, 0x2f, 0x37, 0x3f, 0xd4, 0xd5: try adjustDecimal(i)
        case 0x9e: setArithmeticFlags(UInt64(byte(atOffset: 1)) & 0xd5 | (overflowFlag ? RFLAGS.overflow : 0))
        case 0x9f: setByte(atOffset: 1, UInt8(truncatingIfNeeded: arithmeticFlags & 0xd5 | RFLAGS.fixed))
        case 0xd6: setByte(atOffset: 0, carryFlag ? 0xff : 0)
        case 0xd7: try translateByte(i)
        case 0xf5: setCarry(!carryFlag)
        case 0xf8: setCarry(false)
        case 0xf9: setCarry(true)
        case 0xfc: s.systemFlags &= ~RFLAGS.direction
        case 0xfd: s.systemFlags |= RFLAGS.direction
        default: return false
        }
        return true
    }

    /// XLAT
    private func translateByte(_ i: InstructionRef) throws(GuestFault) {
        let address = try checkedLinear(i, at: rbx &+ UInt64(byte(atOffset: 0)), byteCount: 1, isWrite: false)
        setByte(atOffset: 0, try load(address, i.segment, as: UInt8.self))
    }

    // MARK: - instructions of every width

    private func executeSized<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x00...0x3f: try arithmetic(i, i.opcodeByte &>> 3, as: T.self)
        case 0x80...0x83: try arithmetic(i, kind: i.reg, T(truncatingIfNeeded: i.immediate))
        case 0x84, 0x85: _ = Test.apply(self, try loadRM(i, as: T.self), loadReg(i, as: T.self))
        case 0xa8, 0xa9: _ = Test.apply(self, register(0, as: T.self), T(truncatingIfNeeded: i.immediate))
        case 0x86, 0x87: try exchange(i, as: T.self)
        case 0x88, 0x89: try storeRM(i, loadReg(i, as: T.self))
        case 0x8a, 0x8b: storeReg(i, try loadRM(i, as: T.self))
        case 0xa0...0xa3: try moveOffset(i, as: T.self)
        case 0xb0...0xbf: try storeRM(i, T(truncatingIfNeeded: i.immediate))
        case 0xc6, 0xc7: try storeRM(i, T(truncatingIfNeeded: i.immediate))
        case 0xc0, 0xc1: try shift(i, by: i.immediate8, as: T.self)
        case 0xd0, 0xd1: try shift(i, by: 1, as: T.self)
        case 0xd2, 0xd3: try shift(i, by: byte(atOffset: 8), as: T.self)
        case 0xf6, 0xf7: try unary(i, as: T.self)
        case 0xfe, 0xff: try incrementOrDecrement(i, i.reg, as: T.self)
        default: throw .invalidOpcode
        }
    }

    /// What exists in 16, 32 and 64 bits only; all else goes on to `executeSized`.
    private func executeWide<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x40...0x4f: try incrementOrDecrement(i, i.opcodeByte &>> 3, as: T.self)
        case 0x50...0x57, 0x58...0x5f, 0x60, 0x61, 0x68, 0x6a, 0x8f, 0xc8, 0xc9: try executeStack(i, as: T.self)
        case 0xff where i.reg & 7 == 6: try executeStack(i, as: T.self)
        case 0x62: try checkBounds(i, as: T.self)
        case 0x63: storeReg(i, T(truncatingIfNeeded: Int32(bitPattern: try loadRM(i, as: UInt32.self))))
        case 0x69, 0x6b:
            storeReg(i, multiplySigned(try loadRM(i, as: T.self), T(truncatingIfNeeded: i.immediate)))
        case 0x8d: storeReg(i, T(truncatingIfNeeded: effectiveAddress(i)))
        case 0x90...0x97: exchangeAccumulator(i, as: T.self)
        case 0x98: extendAccumulator(as: T.self)
        case 0x99:
            setRegister(
                2,
                T(
                    truncatingIfNeeded: T.SignedWord(truncatingIfNeeded: register(0, as: T.self))
                        &>> T.SignedWord(truncatingIfNeeded: T.bitWidth &- 1)))
        default: try executeSized(i, as: T.self)
        }
    }

    /// CBW, CWDE, CDQE
    private func extendAccumulator<T: OperandWord>(as: T.Type) {
        switch T.bitWidth {
        case 16: setRegister(0, T(truncatingIfNeeded: Int8(bitPattern: register(0, as: UInt8.self))))
        case 32: setRegister(0, T(truncatingIfNeeded: Int16(bitPattern: register(0, as: UInt16.self))))
        default: setRegister(0, T(truncatingIfNeeded: Int32(bitPattern: register(0, as: UInt32.self))))
        }
    }

    /// 90-97; 90 itself is NOP unless REX.B names R8.
    private func exchangeAccumulator<T: OperandWord>(_ i: InstructionRef, as: T.Type) {
        guard i.rm != 0 else { return }
        let value = register(i.rmIndex, as: T.self)
        setRegister(i.rmIndex, register(0, as: T.self))
        setRegister(0, value)
    }

    /// MOV between the accumulator and an absolute offset.
    private func moveOffset<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let isWrite = i.opcodeByte >= 0xa2
        let offset = UInt64(bitPattern: i.immediate)
        let address = try checkedLinear(i, at: offset, byteCount: MemoryLayout<T>.size, isWrite: isWrite)
        if isWrite {
            try store(address, register(0, as: T.self), i.segment)
        } else {
            setRegister(0, try load(address, i.segment, as: T.self))
        }
    }

    /// BOUND
    private func checkBounds<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let size = MemoryLayout<T>.size
        try checkOperand(i, byteCount: 2 &* size, isWrite: false)
        let lower = try load(linear(i), i.segment, as: T.self)
        let next = linear(i, at: effectiveAddress(i) &+ UInt64(truncatingIfNeeded: size))
        let upper = try load(next, i.segment, as: T.self)
        let value = T.SignedWord(truncatingIfNeeded: loadReg(i, as: T.self))
        guard value >= T.SignedWord(truncatingIfNeeded: lower), value <= T.SignedWord(truncatingIfNeeded: upper) else {
            throw GuestFault(ExceptionVector.boundRange)
        }
    }

    // MARK: - arithmetic

    /// ADD, OR, ADC, SBB, AND, SUB, XOR, CMP by their number in the encoding.
    @inline(__always)
    private func combine<T: OperandWord>(_ kind: UInt8, _ a: T, _ b: T) -> T {
        switch kind & 7 {
        case 0: Add.apply(self, a, b)
        case 1: Or.apply(self, a, b)
        case 2: AddWithCarry.apply(self, a, b)
        case 3: SubtractWithBorrow.apply(self, a, b)
        case 4: And.apply(self, a, b)
        case 6: ExclusiveOr.apply(self, a, b)
        default: Subtract.apply(self, a, b)
        }
    }

    /// 00-3F
    private func arithmetic<T: OperandWord>(_ i: InstructionRef, _ kind: UInt8, as: T.Type) throws(GuestFault) {
        switch i.opcodeByte & 7 {
        case 0, 1: try arithmetic(i, kind: kind, loadReg(i, as: T.self))
        case 2, 3:
            let result = combine(kind, loadReg(i, as: T.self), try loadRM(i, as: T.self))
            if kind & 7 != 7 { storeReg(i, result) }
        default:
            let result = combine(kind, register(0, as: T.self), T(truncatingIfNeeded: i.immediate))
            if kind & 7 != 7 { setRegister(0, result) }
        }
    }

    /// rm op= operand
    private func arithmetic<T: OperandWord>(_ i: InstructionRef, kind: UInt8, _ operand: T) throws(GuestFault) {
        if kind & 7 == 7 {
            _ = Compare.apply(self, try loadRM(i, as: T.self), operand)
        } else {
            try modifyRM(i, as: T.self) { combine(kind, $0, operand) }
        }
    }

    private func shift<T: OperandWord>(_ i: InstructionRef, by count: UInt8, as: T.Type) throws(GuestFault) {
        let masked = Core.maskedCount(count, T.self)
        try modifyRM(i, as: T.self) { shift(i.regIndex, $0, masked) }
    }

    private func incrementOrDecrement<T: OperandWord>(_ i: InstructionRef, _ kind: UInt8, as: T.Type) throws(GuestFault) {
        if kind & 1 == 0 {
            try modifyRM(i, as: T.self) { increment($0) }
        } else {
            try modifyRM(i, as: T.self) { decrement($0) }
        }
    }

    /// F6 and F7
    private func unary<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        switch i.reg & 7 {
        case 0, 1: _ = Test.apply(self, try loadRM(i, as: T.self), T(truncatingIfNeeded: i.immediate))
        case 2: try modifyRM(i, as: T.self) { ~$0 }
        case 3: try modifyRM(i, as: T.self) { negate($0) }
        case 4: multiplyWideUnsigned(try loadRM(i, as: T.self))
        case 5: multiplyWideSigned(try loadRM(i, as: T.self))
        case 6: try divideUnsigned(by: try loadRM(i, as: T.self))
        default: try divideSigned(by: try loadRM(i, as: T.self))
        }
    }
}
