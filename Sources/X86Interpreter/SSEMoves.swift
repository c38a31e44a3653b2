internal import X86
internal import X86Decoder

/// Moves of parts of XMM registers (SDM vol. 1, 10.4.1.1, 11.4.1.1, 12.3).
extension Core {
    @inline(never)
    func executeMove(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x10: try moveScalarIn(i, prefix)
        case 0x11: try moveScalarOut(i, prefix)
        case 0x12: try moveLow(i, prefix)
        case 0x16: try moveHigh(i, prefix)
        case 0x13: try storeOperand(i, xmmLane(i.reg, 0, as: UInt64.self))
        case 0x17: try storeOperand(i, xmmLane(i.reg, 1, as: UInt64.self))
        case 0x50: moveSigns(i, prefix)
        case 0x6e: setXMM(i.reg, Vector(try generalOperand(i), 0))
        case 0x7e: try moveOut(i, prefix)
        case 0xd6: try moveQuad(i, prefix)
        default: try storeMasked(i, xmm(i.reg, as: Vector.self), mask: xmm(i.rm, as: Vector.self).byteSigns)
        }
    }

    /// The 32 or, with REX.W, 64 bits of a general register or of memory.
    @inline(__always)
    func generalOperand(_ i: InstructionRef) throws(GuestFault) -> UInt64 {
        if i.flags.contains(.rexW) { return try loadRM(i, as: UInt64.self) }
        return UInt64(try loadRM(i, as: UInt32.self))
    }

    @inline(__always)
    func storeGeneral(_ i: InstructionRef, _ value: UInt64) throws(GuestFault) {
        if i.flags.contains(.rexW) { return try storeRM(i, value) }
        try storeRM(i, UInt32(truncatingIfNeeded: value))
    }

    /// MOVSS and MOVSD: from memory they clear the rest of the register.
    private func moveScalarIn(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        switch (prefix == .f3, i.isMemory) {
        case (true, true): setXMM(i.reg, Vector(UInt64(try loadOperand(i, as: UInt32.self)), 0))
        case (false, true): setXMM(i.reg, Vector(try loadOperand(i, as: UInt64.self), 0))
        case (true, false): setXMMLane(i.reg, 0, xmmLane(i.rm, 0, as: UInt32.self))
        case (false, false): setXMMLane(i.reg, 0, xmmLane(i.rm, 0, as: UInt64.self))
        }
    }

    private func moveScalarOut(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        switch (prefix == .f3, i.isMemory) {
        case (true, true): try storeOperand(i, xmmLane(i.reg, 0, as: UInt32.self))
        case (false, true): try storeOperand(i, xmmLane(i.reg, 0, as: UInt64.self))
        case (true, false): setXMMLane(i.rm, 0, xmmLane(i.reg, 0, as: UInt32.self))
        case (false, false): setXMMLane(i.rm, 0, xmmLane(i.reg, 0, as: UInt64.self))
        }
    }

    /// 0F 12: MOVLPS, MOVLPD, MOVHLPS, MOVSLDUP, MOVDDUP.
    private func moveLow(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        switch prefix {
        case .f3:
            let source = try vectorOperand(i) & 0xffff_ffff
            setXMM(i.reg, source | source &<< 32)
        case .f2: setXMM(i.reg, Vector(repeating: try lowOperand(i, as: UInt64.self)))
        default: setXMMLane(i.reg, 0, i.isMemory ? try loadOperand(i, as: UInt64.self) : xmmLane(i.rm, 1, as: UInt64.self))
        }
    }

    /// 0F 16: MOVHPS, MOVHPD, MOVLHPS, MOVSHDUP.
    private func moveHigh(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        if prefix == .f3 {
            let source = try vectorOperand(i) &>> 32
            setXMM(i.reg, source | source &<< 32)
        } else {
            setXMMLane(i.reg, 1, try lowOperand(i, as: UInt64.self))
        }
    }

    /// MOVMSKPS and MOVMSKPD.
    private func moveSigns(_ i: InstructionRef, _ prefix: MandatoryPrefix) {
        let source = xmm(i.rm, as: Vector.self)
        let quads = source &>> 63
        let longs = source &>> 31 & 1
        let signs =
            prefix == .h66
            ? quads.x | quads.y &<< 1
            : longs.x | quads.x &<< 1 | longs.y &<< 2 | quads.y &<< 3
        setRegister(i.regIndex, UInt32(truncatingIfNeeded: signs))
    }

    /// 0F 7E: MOVD and MOVQ to a general operand, and with F3 MOVQ to an XMM register.
    private func moveOut(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        if prefix == .f3 { return setXMM(i.reg, Vector(try lowOperand(i, as: UInt64.self), 0)) }
        try storeGeneral(i, xmmLane(i.reg, 0, as: UInt64.self))
    }

    /// 0F D6: MOVQ, MOVQ2DQ, MOVDQ2Q.
    private func moveQuad(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        switch prefix {
        case .f3:
            try checkMMX()
            setXMM(i.reg, Vector(mmx(i.rm), 0))
            enterMMX()
        case .f2:
            try checkMMX()
            setMMX(i.reg, xmmLane(i.rm, 0, as: UInt64.self))
        default:
            let value = xmmLane(i.reg, 0, as: UInt64.self)
            if i.isMemory { return try storeOperand(i, value) }
            setXMM(i.rm, Vector(value, 0))
        }
    }

    /// MASKMOVDQU and MASKMOVQ: stores the bytes of `value` whose bit is set at DS:rDI, all or none of them.
    func storeMasked(_ i: InstructionRef, _ value: Vector, mask: UInt32) throws(GuestFault) {
        guard mask != 0 else { return }
        let first = mask.trailingZeroBitCount
        let last = 31 &- mask.leadingZeroBitCount
        let end = try maskedAddress(i, last)
        let start = try maskedAddress(i, first)
        try probeWrite(end, byteCount: 1, i.segment)
        try probeWrite(start, byteCount: 1, i.segment)
        let bytes = value.bytes
        for n in first...last where mask &>> UInt32(truncatingIfNeeded: n) & 1 != 0 {
            try store(maskedAddress(i, n), bytes[n], i.segment)
        }
    }

    private func maskedAddress(_ i: InstructionRef, _ number: Int) throws(GuestFault) -> UInt64 {
        let width: UInt64 = i.flags.contains(.address16) ? 0xffff : i.flags.contains(.address32) ? 0xffff_ffff : ~0
        let offset = ((rdi & width) &+ UInt64(truncatingIfNeeded: number)) & width
        let sum = offset &+ file(Int(truncatingIfNeeded: i.segmentBase))
        if i.codeSize == .bits64 { return sum }
        try checkSegment(Int(truncatingIfNeeded: i.segment), offset, byteCount: 1, isWrite: true)
        return sum & 0xffff_ffff
    }
}
