internal import X86
internal import X86Decoder

/// MMX (SDM vol. 1, chapter 9): 64-bit vectors in the significands of the x87 registers.
///
/// The operations are those of XMM registers: lane-wise ones take the low half; those that narrow put both operands into
/// one register; interleaving of high halves is the upper half of interleaving low ones.
extension Core {
    /// - Throws: #UD with CR0.EM, #NM with CR0.TS, #MF for a pending exception of the FPU.
    @inline(__always)
    func checkMMX() throws(GuestFault) {
        if s.cr0 & CR0.emulation != 0 { throw .invalidOpcode }
        if s.cr0 & CR0.taskSwitched != 0 { throw .deviceNotAvailable }
        try raisePendingX87()
    }

    /// What every MMX instruction but EMMS does to the FPU: TOP 0 and no register empty.
    @inline(__always)
    func enterMMX() {
        s.fsw &= ~X87Status.top
        s.ftw = 0xff
    }

    @inline(__always)
    func mmx(_ number: UInt8) -> UInt64 { x87Significand(Int(truncatingIfNeeded: number)) }

    /// Writes an MMX register; sign and exponent become ones.
    @inline(__always)
    func setMMX(_ number: UInt8, _ value: UInt64) {
        setX87Significand(Int(truncatingIfNeeded: number), value)
        setX87SignExponent(Int(truncatingIfNeeded: number), 0xffff)
        enterMMX()
    }

    @inline(__always)
    private func mmxOperand(_ i: InstructionRef) throws(GuestFault) -> UInt64 {
        i.isMemory ? try loadOperand(i, as: UInt64.self) : mmx(i.rm)
    }

    /// Map 0F without a prefix.
    @inline(never)
    func executeMMX(_ i: InstructionRef) throws(GuestFault) {
        try checkMMX()
        switch i.opcodeByte {
        case 0x6e: setMMX(i.reg, try generalOperand(i))
        case 0x6f: setMMX(i.reg, try mmxOperand(i))
        case 0x7e:
            try storeGeneral(i, mmx(i.reg))
            enterMMX()
        case 0x7f, 0xe7:
            if !i.isMemory { return setMMX(i.rm, mmx(i.reg)) }
            try storeOperand(i, mmx(i.reg))
            enterMMX()
        case 0x70: setMMX(i.reg, PackedInteger.shuffleWords(try mmxOperand(i), i.immediate8))
        case 0x71...0x73: setMMX(i.rm, PackedInteger.shift(i.opcodeByte, i.reg & 7, Vector(mmx(i.rm), 0), UInt64(i.immediate8)).x)
        case 0xc4: setMMX(i.reg, PackedInteger.insertWord(mmx(i.reg), try wordOperand(i), i.immediate8))
        case 0xc5:
            setRegister(i.regIndex, UInt32(truncatingIfNeeded: mmx(i.rm) &>> (UInt64(i.immediate8 & 3) &* 16) & 0xffff))
            enterMMX()
        case 0xd7:
            setRegister(i.regIndex, Vector(mmx(i.rm), 0).byteSigns)
            enterMMX()
        case 0xf7:
            try storeMasked(i, Vector(mmx(i.reg), 0), mask: Vector(mmx(i.rm), 0).byteSigns)
            enterMMX()
        case 0x60...0x62:
            let source = i.isMemory ? UInt64(try loadOperand(i, as: UInt32.self)) : mmx(i.rm)
            setMMX(i.reg, PackedInteger.operate(i.opcodeByte, Vector(mmx(i.reg), 0), Vector(source, 0)).x)
        default: try executeMMXOperation(i)
        }
    }

    private func executeMMXOperation(_ i: InstructionRef) throws(GuestFault) {
        let opcode = i.opcodeByte
        let source = try mmxOperand(i)
        let target = mmx(i.reg)
        switch opcode {
        case 0x63, 0x67, 0x6b: setMMX(i.reg, PackedInteger.operate(opcode, Vector(target, source), .zero).x)
        case 0x68...0x6a: setMMX(i.reg, PackedInteger.operate(opcode &- 8, Vector(target, 0), Vector(source, 0)).y)
        default: setMMX(i.reg, PackedInteger.operate(opcode, Vector(target, 0), Vector(source, 0)).x)
        }
    }

    /// SSSE3's MMX forms.
    @inline(never)
    func executeMMX38(_ i: InstructionRef) throws(GuestFault) {
        try checkMMX()
        let opcode = i.opcodeByte
        let source = try mmxOperand(i)
        let target = mmx(i.reg)
        switch opcode {
        case 0x00: setMMX(i.reg, PackedInteger.shuffleBytes(Vector(target, 0), Vector(source & 0x8787_8787_8787_8787, 0)).x)
        case 0x01...0x03, 0x05...0x07: setMMX(i.reg, PackedInteger.operate38(opcode, Vector(target, source), .zero).x)
        default: setMMX(i.reg, PackedInteger.operate38(opcode, Vector(target, 0), Vector(source, 0)).x)
        }
    }

    /// PALIGNR's MMX form.
    @inline(never)
    func executeMMXAlign(_ i: InstructionRef) throws(GuestFault) {
        try checkMMX()
        let source = try mmxOperand(i)
        setMMX(i.reg, Vector(source, mmx(i.reg)).shiftedDown(bytes: Int(truncatingIfNeeded: i.immediate8)).x)
    }

    /// PINSRW's source: a general register or a word in memory.
    func wordOperand(_ i: InstructionRef) throws(GuestFault) -> UInt16 {
        i.isMemory ? try loadOperand(i, as: UInt16.self) : register(i.rmIndex, as: UInt16.self)
    }
}
