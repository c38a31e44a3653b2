internal import X86
internal import X86Decoder

/// Decimal adjustments of 16- and 32-bit code: DAA, DAS, AAA, AAS, AAM, AAD (SDM vol. 2).
extension Core {
    func adjustDecimal(_ i: InstructionRef) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x27: adjustPacked(subtracts: false)
        case 0x2f: adjustPacked(subtracts: true)
        case 0x37: adjustUnpacked(subtracts: false)
        case 0x3f: adjustUnpacked(subtracts: true)
        case 0xd4: try adjustAfterMultiply(i.immediate8)
        default: adjustBeforeDivide(i.immediate8)
        }
    }

    /// DAA and DAS
    private func adjustPacked(subtracts: Bool) {
        let old = byte(atOffset: 0)
        let lowDigit = old & 15 > 9 || auxiliaryFlag
        let highDigit = old > 0x99 || carryFlag
        let amount: UInt8 = (lowDigit ? 6 : 0) &+ (highDigit ? 0x60 : 0)
        let result = subtracts ? old &- amount : old &+ amount
        // Borrowing for the low digit counts as well (SDM: CF := old_CF OR borrow).
        let carry = highDigit || (subtracts && lowDigit && old < 6)
        setByte(atOffset: 0, result)
        setResultFlags(result)
        setCarryOverflow(carry: carry, overflow: false)
        s.auxiliary = lowDigit ? 0x10 : 0
    }

    /// AAA and AAS
    private func adjustUnpacked(subtracts: Bool) {
        let adjusts = byte(atOffset: 0) & 15 > 9 || auxiliaryFlag
        var value = register(0, as: UInt16.self)
        if adjusts { value = subtracts ? value &- 0x106 : value &+ 0x106 }
        setRegister(0, value & 0xff0f)
        setResultFlags(byte(atOffset: 0))
        setCarryOverflow(carry: adjusts, overflow: false)
        s.auxiliary = adjusts ? 0x10 : 0
    }

    /// AAM
    private func adjustAfterMultiply(_ base: UInt8) throws(GuestFault) {
        guard base != 0 else { throw .divideError }
        let value = byte(atOffset: 0)
        setByte(atOffset: 1, value / base)
        setByte(atOffset: 0, value % base)
        setLogicFlags(value % base)
    }

    /// AAD
    private func adjustBeforeDivide(_ base: UInt8) {
        let value = byte(atOffset: 0) &+ byte(atOffset: 1) &* base
        setRegister(0, UInt16(value))
        setLogicFlags(value)
    }
}
