internal import X86
internal import X86Decoder

/// Integer instructions of the 0F map in every form that has no dispatch code of its own.
extension Core {
    func executeTwoByte(_ i: InstructionRef) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x0d, 0x18...0x1f: return  // Prefetches and the reserved NOPs touch nothing.
        case 0x90...0x9f: return try storeRM(i, condition(i.opcodeByte) ? 1 : 0 as UInt8)
        case 0xae: return try touchCacheLine(i)
        case 0xb0: return try compareExchange(i, as: UInt8.self)
        case 0xc0: return try exchangeAdd(i, as: UInt8.self)
        case 0xc7 where i.isMemory: return try compareExchangePair(i)
        case 0x0b, 0xb9, 0xff: throw .invalidOpcode
        default: break
        }
        switch i.operandSize {
        case 2: try executeTwoByteSized(i, as: UInt16.self)
        case 4: try executeTwoByteSized(i, as: UInt32.self)
        default: try executeTwoByteSized(i, as: UInt64.self)
        }
    }

    private func executeTwoByteSized<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x40...0x4f:
            let value = try loadRM(i, as: T.self)
            storeReg(i, condition(i.opcodeByte) ? value : loadReg(i, as: T.self))
        case 0xa3, 0xab, 0xb3, 0xbb: try bitTestRegister(i, as: T.self)
        case 0xba: try bitTestImmediate(i, as: T.self)
        case 0xa4, 0xac: try shiftDouble(i, by: i.immediate8, as: T.self)
        case 0xa5, 0xad: try shiftDouble(i, by: byte(atOffset: 8), as: T.self)
        case 0xaf: storeReg(i, multiplySigned(loadReg(i, as: T.self), try loadRM(i, as: T.self)))
        case 0xb1: try compareExchange(i, as: T.self)
        case 0xb6: storeReg(i, T(truncatingIfNeeded: try loadRM(i, as: UInt8.self)))
        case 0xb7: storeReg(i, T(truncatingIfNeeded: try loadRM(i, as: UInt16.self)))
        case 0xbe: storeReg(i, T(truncatingIfNeeded: Int8(bitPattern: try loadRM(i, as: UInt8.self))))
        case 0xbf: storeReg(i, T(truncatingIfNeeded: Int16(bitPattern: try loadRM(i, as: UInt16.self))))
        case 0xb8: countOnes(i, try loadRM(i, as: T.self))
        case 0xbc, 0xbd: scanBits(i, try loadRM(i, as: T.self))
        case 0xc1: try exchangeAdd(i, as: T.self)
        case 0xc3: try storeRM(i, loadReg(i, as: T.self))
        case 0xc7: giveNumber(i, as: T.self)
        case 0xc8...0xcf: swapBytes(i, as: T.self)
        default: throw .invalidOpcode
        }
    }

    /// Fences do nothing here that the host's own order does not; CLFLUSH, CLFLUSHOPT and CLWB read the address's rights.
    private func touchCacheLine(_ i: InstructionRef) throws(GuestFault) {
        if i.isMemory { _ = try loadOperand(i, as: UInt8.self) }
    }

    private func shiftDouble<T: OperandWord>(_ i: InstructionRef, by count: UInt8, as: T.Type) throws(GuestFault) {
        let masked = Core.maskedCount(count, T.self)
        let filler = loadReg(i, as: T.self)
        if i.opcodeByte < 0xa8 {
            try modifyRM(i, as: T.self) { shiftLeftDouble($0, filler, masked) }
        } else {
            try modifyRM(i, as: T.self) { shiftRightDouble($0, filler, masked) }
        }
    }

    /// BSWAP. Of 16 bits the result is undefined; processors clear them.
    private func swapBytes<T: OperandWord>(_ i: InstructionRef, as: T.Type) {
        setRegister(i.rmIndex, T.bitWidth == 16 ? 0 : register(i.rmIndex, as: T.self).byteSwapped)
    }

    /// RDRAND, RDSEED and RDPID.
    private func giveNumber<T: OperandWord>(_ i: InstructionRef, as: T.Type) {
        if i.reg & 7 == 7 && i.flags.contains(.rep) { return setFile(i.rmIndex, s.tscAux) }
        var random = SystemRandomNumberGenerator()
        setRegister(i.rmIndex, T(truncatingIfNeeded: random.next()))
        setArithmeticFlags(RFLAGS.carry)
    }
}
