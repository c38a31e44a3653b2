internal import SoftFloat
internal import X86
internal import X86Decoder

/// The prefix that selects a vector instruction; F3 and F2 outrank 66.
enum MandatoryPrefix: UInt8 {
    case none, h66, f3, f2
}

extension InstructionRef {
    @inline(__always)
    var mandatoryPrefix: MandatoryPrefix {
        let flags = flags
        if flags.contains(.rep) { return .f3 }
        if flags.contains(.repne) { return .f2 }
        return flags.contains(.operandPrefix) ? .h66 : .none
    }
}

/// MMX, SSE to SSE4.2, AES, SHA and PCLMULQDQ (SDM vol. 1, chapters 9-12). The decoder has refused what does not exist.
extension Core {
    /// - Throws: #UD with CR0.EM or without CR4.OSFXSR, #NM with CR0.TS, #MF of MMX instructions, #XM, and what memory throws;
    ///   no register has changed then but MXCSR's flags.
    @inline(never)
    func executeSSE(_ i: InstructionRef) throws(GuestFault) {
        let prefix = i.mandatoryPrefix
        switch i.opcodeMap {
        case 1:
            if prefix == .none && Core.isMMX(i.opcodeByte) { return try executeMMX(i) }
            try requireSSE()
            try execute0F(i, prefix)
        case 2:
            if prefix == .none && i.opcodeByte < 0x20 { return try executeMMX38(i) }
            try requireSSE()
            try execute0F38(i)
        default:
            if prefix == .none && i.opcodeByte == 0x0f { return try executeMMXAlign(i) }
            try requireSSE()
            try execute0F3A(i)
        }
    }

    @inline(__always)
    func requireSSE() throws(GuestFault) {
        if _fastPath(s.cr0 & (CR0.emulation | CR0.taskSwitched) == 0 && s.cr4 & CR4.osFXSR != 0) { return }
        throw s.cr0 & CR0.emulation != 0 || s.cr4 & CR4.osFXSR == 0 ? .invalidOpcode : .deviceNotAvailable
    }

    /// Opcodes of map 0F that are MMX instructions without a prefix.
    @inline(__always)
    private static func isMMX(_ opcode: UInt8) -> Bool {
        switch opcode {
        case 0x60...0x6b, 0x6e...0x77, 0x7e, 0x7f, 0xc4, 0xc5: true
        case 0xd1...0xd5, 0xd7...0xe5, 0xe7...0xff: true
        default: false
        }
    }

    // MARK: - operands

    /// The XMM register or the aligned 16 bytes of ModRM.rm.
    ///
    /// - Throws: #GP(0) when the address is not a multiple of 16.
    @inline(__always)
    func vectorOperand(_ i: InstructionRef) throws(GuestFault) -> Vector {
        i.isMemory ? try alignedOperand(i) : xmm(i.rm, as: Vector.self)
    }

    @inline(never)
    func alignedOperand(_ i: InstructionRef) throws(GuestFault) -> Vector {
        try load(alignedAddress(i, isWrite: false), i.segment, as: Vector.self)
    }

    @inline(__always)
    func alignedAddress(_ i: InstructionRef, isWrite: Bool) throws(GuestFault) -> UInt64 {
        try checkOperand(i, byteCount: 16, isWrite: isWrite)
        let address = linear(i)
        if _slowPath(address & 15 != 0) { throw .generalProtection() }
        return address
    }

    /// The XMM register, or 16 bytes at any address.
    @inline(__always)
    func unalignedOperand(_ i: InstructionRef) throws(GuestFault) -> Vector {
        i.isMemory ? try loadOperand(i, as: Vector.self) : xmm(i.rm, as: Vector.self)
    }

    /// The low part of an XMM register, or as many bytes of memory.
    @inline(__always)
    func lowOperand<T: BitwiseCopyable>(_ i: InstructionRef, as: T.Type) throws(GuestFault) -> T {
        i.isMemory ? try loadOperand(i, as: T.self) : xmmLane(i.rm, 0, as: T.self)
    }

    // MARK: - map 0F

    private func execute0F(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x6f:
            setXMM(i.reg, prefix == .f3 ? try unalignedOperand(i) : try vectorOperand(i))
        case 0x7f:
            try storeVector(i, aligned: prefix == .h66)
        case 0x10 where prefix.rawValue < 2: setXMM(i.reg, try unalignedOperand(i))
        case 0x11 where prefix.rawValue < 2: try storeVector(i, aligned: false)
        case 0x28: setXMM(i.reg, try vectorOperand(i))
        case 0x29, 0x2b, 0xe7: try storeVector(i, aligned: true)
        case 0xf0: setXMM(i.reg, try unalignedOperand(i))
        case 0xd7: setRegister(i.regIndex, xmm(i.rm, as: Vector.self).byteSigns)
        case 0x10...0x13, 0x16, 0x17, 0x50, 0x6e, 0x7e, 0xd6, 0xf7: try executeMove(i, prefix)
        case 0x14, 0x15, 0x70, 0xc4...0xc6: try executeShuffle(i, prefix)
        case 0x71...0x73: executeShiftGroup(i)
        case 0x2a, 0x2c, 0x2d, 0x5a, 0x5b, 0xe6: try executeConversion(i, prefix)
        case 0x2e, 0x2f: try executeFlagCompare(i, prefix)
        case 0xc2: try executeCompare(i, prefix)
        case 0x51, 0x58, 0x59, 0x5c...0x5f: try executeFloat(i, prefix)
        case 0x52, 0x53: try executeReciprocal(i, prefix)
        case 0x7c, 0x7d, 0xd0: try executeHorizontal(i, prefix)
        case 0x54...0x57:
            let source = try vectorOperand(i)
            setXMM(i.reg, PackedInteger.logic(i.opcodeByte, xmm(i.reg, as: Vector.self), source))
        default:
            let source = try vectorOperand(i)
            setXMM(i.reg, PackedInteger.operate(i.opcodeByte, xmm(i.reg, as: Vector.self), source))
        }
    }

    @inline(__always)
    private func storeVector(_ i: InstructionRef, aligned: Bool) throws(GuestFault) {
        let value = xmm(i.reg, as: Vector.self)
        if !i.isMemory { return setXMM(i.rm, value) }
        if !aligned { return try storeOperand(i, value) }
        try store(alignedAddress(i, isWrite: true), value, i.segment)
    }

    // MARK: - map 0F 38

    private func execute0F38(_ i: InstructionRef) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x10, 0x14, 0x15: try executeVariableBlend(i)
        case 0x17: try executeTest(i)
        case 0x20...0x25, 0x30...0x35: try executeExtend(i)
        case 0x2a: setXMM(i.reg, try alignedOperand(i))
        case 0xc8...0xcd: try executeSHA(i)
        case 0xdb...0xdf: try executeAES(i)
        default:
            let source = try vectorOperand(i)
            setXMM(i.reg, PackedInteger.operate38(i.opcodeByte, xmm(i.reg, as: Vector.self), source))
        }
    }

    // MARK: - map 0F 3A

    private func execute0F3A(_ i: InstructionRef) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x0f: setXMM(i.reg, PackedInteger.align(xmm(i.reg, as: Vector.self), try vectorOperand(i), i.immediate8))
        case 0x08...0x0b: try executeRound(i)
        case 0x0c...0x0e: try executeBlend(i)
        case 0x14...0x17: try executeExtract(i)
        case 0x20...0x22: try executeInsert(i)
        case 0x40, 0x41: try executeDotProduct(i)
        case 0x42: setXMM(i.reg, PackedInteger.blockDifferences(xmm(i.reg, as: Vector.self), try vectorOperand(i), i.immediate8))
        case 0x44: try executeCarrylessMultiply(i)
        case 0x60...0x63: try executeStringCompare(i)
        case 0xcc: try executeSHA1Rounds(i)
        default: try executeKeyAssist(i)
        }
    }
}
