internal import X86
internal import X86Decoder

/// Integer instructions of the maps 0F 38 and 0F 3A: MOVBE, CRC32, ADX, BMI1 and BMI2 (SDM vol. 2).
extension Core {
    func executeBitManipulation(_ i: InstructionRef) throws(GuestFault) {
        let isByteSource = i.opcode == 0x2f0 && i.flags.contains(.repne)
        switch i.operandSize {
        case _ where isByteSource: accumulateCRC(i, try loadRM(i, as: UInt8.self))
        case 2: try executeMoveOrCRC(i, as: UInt16.self)
        case 4: try executeBitManipulation(i, as: UInt32.self)
        default: try executeBitManipulation(i, as: UInt64.self)
        }
    }

    private func executeBitManipulation<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        switch i.opcode {
        case 0x2f0, 0x2f1: try executeMoveOrCRC(i, as: T.self)
        case 0x2f2: andNot(i, try loadRM(i, as: T.self))
        case 0x2f3: lowestBit(i, try loadRM(i, as: T.self))
        case 0x2f5: gather(i, try loadRM(i, as: T.self))
        case 0x2f6: multiplyOrAdd(i, try loadRM(i, as: T.self))
        case 0x2f7: shiftByRegister(i, try loadRM(i, as: T.self))
        case 0x3f0: storeReg(i, rotated(try loadRM(i, as: T.self), by: i.immediate8))
        default: throw .invalidOpcode
        }
    }

    private func rotated<T: OperandWord>(_ value: T, by count: UInt8) -> T {
        let by = Core.maskedCount(count, T.self)
        guard by != 0 else { return value }
        return (value &>> T(truncatingIfNeeded: by)) | (value &<< T(truncatingIfNeeded: UInt8(truncatingIfNeeded: T.bitWidth) &- by))
    }

    private func executeMoveOrCRC<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        if i.flags.contains(.repne) {
            accumulateCRC(i, try loadRM(i, as: T.self))
        } else if i.opcode == 0x2f0 {
            storeReg(i, try loadRM(i, as: T.self).byteSwapped)
        } else {
            try storeRM(i, loadReg(i, as: T.self).byteSwapped)
        }
    }

    /// CRC32: the polynomial 11EDC6F41, reflected. The upper half of a 64-bit destination is cleared.
    private func accumulateCRC<T: OperandWord>(_ i: InstructionRef, _ value: T) {
        var crc = register(i.regIndex, as: UInt32.self)
        for byte in 0..<MemoryLayout<T>.size {
            crc ^= UInt32(truncatingIfNeeded: (value >> T(truncatingIfNeeded: 8 &* byte)) & 0xff)
            for _ in 0..<8 { crc = (crc &>> 1) ^ (crc & 1 != 0 ? 0x82f6_3b78 : 0) }
        }
        setRegister(i.regIndex, crc)
    }

    /// The register that VEX.vvvv names.
    private func loadV<T: OperandWord>(_ i: InstructionRef, as: T.Type) -> T {
        register(Int(truncatingIfNeeded: i.vvvv), as: T.self)
    }

    private func setBitFlags<T: OperandWord>(_ result: T, carry: Bool) {
        setResultFlags(result)
        setCarryOverflow(carry: carry, overflow: false)
    }

    /// ANDN
    private func andNot<T: OperandWord>(_ i: InstructionRef, _ operand: T) {
        let result = ~loadV(i, as: T.self) & operand
        storeReg(i, result)
        setBitFlags(result, carry: false)
    }

    /// BLSR, BLSMSK and BLSI, into VEX.vvvv.
    private func lowestBit<T: OperandWord>(_ i: InstructionRef, _ operand: T) {
        let result: T
        switch i.reg & 7 {
        case 1: result = operand & (operand &- 1)
        case 2: result = operand ^ (operand &- 1)
        default: result = operand & (0 &- operand)
        }
        setRegister(Int(truncatingIfNeeded: i.vvvv), result)
        setBitFlags(result, carry: (operand == 0) != (i.reg & 7 == 3))
    }

    /// BZHI, PEXT (F3) and PDEP (F2).
    private func gather<T: OperandWord>(_ i: InstructionRef, _ operand: T) {
        let source = loadV(i, as: T.self)
        if i.flags.contains(.rep) {
            storeReg(i, extractBits(source, operand))
        } else if i.flags.contains(.repne) {
            storeReg(i, depositBits(source, operand))
        } else {
            let count = source & 0xff
            let isWhole = count >= T(truncatingIfNeeded: T.bitWidth)
            let result = isWhole ? operand : operand & ((1 &<< count) &- 1)
            storeReg(i, result)
            setBitFlags(result, carry: isWhole)
        }
    }

    private func extractBits<T: OperandWord>(_ source: T, _ mask: T) -> T {
        var left = mask
        var result: T = 0
        var to: T = 1
        while left != 0 {
            if source & left & (0 &- left) != 0 { result |= to }
            to = to &<< 1
            left &= left &- 1
        }
        return result
    }

    private func depositBits<T: OperandWord>(_ source: T, _ mask: T) -> T {
        var left = mask
        var result: T = 0
        var from = source
        while left != 0 {
            if from & 1 != 0 { result |= left & (0 &- left) }
            from = from &>> 1
            left &= left &- 1
        }
        return result
    }

    /// MULX; ADCX with 66 and ADOX with F3.
    private func multiplyOrAdd<T: OperandWord>(_ i: InstructionRef, _ operand: T) {
        if i.flags.contains(.vex) {
            let product = register(2, as: T.self).multipliedFullWidth(by: operand)
            setRegister(Int(truncatingIfNeeded: i.vvvv), T(truncatingIfNeeded: product.low))
            return storeReg(i, product.high)
        }
        let addsOverflow = i.flags.contains(.rep)
        let (carry, overflow) = (carryFlag, overflowFlag)
        let (first, firstCarry) = loadReg(i, as: T.self).addingReportingOverflow(operand)
        let (sum, secondCarry) = first.addingReportingOverflow((addsOverflow ? overflow : carry) ? 1 : 0)
        storeReg(i, sum)
        let out = firstCarry || secondCarry
        setCarryOverflow(carry: addsOverflow ? carry : out, overflow: addsOverflow ? out : overflow)
    }

    /// BEXTR without a prefix, SHLX (66), SARX (F3), SHRX (F2).
    private func shiftByRegister<T: OperandWord>(_ i: InstructionRef, _ operand: T) {
        let control = loadV(i, as: T.self)
        if i.flags.contains(.rep) {
            storeReg(i, T(truncatingIfNeeded: T.SignedWord(truncatingIfNeeded: operand) &>> T.SignedWord(truncatingIfNeeded: control)))
        } else if i.flags.contains(.repne) {
            storeReg(i, operand &>> control)
        } else if i.flags.contains(.operandPrefix) {
            storeReg(i, operand &<< control)
        } else {
            extractField(i, operand, control)
        }
    }

    /// BEXTR: start in bits 0-7 of the control, length in bits 8-15.
    private func extractField<T: OperandWord>(_ i: InstructionRef, _ operand: T, _ control: T) {
        let start = control & 0xff
        let length = (control &>> 8) & 0xff
        let width = T(truncatingIfNeeded: T.bitWidth)
        let shifted = start >= width ? 0 : operand &>> start
        let result = length >= width ? shifted : shifted & ((1 &<< length) &- 1)
        storeReg(i, result)
        setBitFlags(result, carry: false)
    }
}
