internal import X86
internal import X86Decoder

/// Operands that instructions reach in other ways than ModRM says, and changing one in place.
extension Core {
    /// Cuts an effective address to the address size.
    @inline(__always)
    func cutAddress(_ i: InstructionRef, _ address: UInt64) -> UInt64 {
        if i.flags.contains(.address16) { return address & 0xffff }
        return i.flags.contains(.address32) ? address & 0xffff_ffff : address
    }

    /// The linear address of `offset`, cut to the address size, in the instruction's segment.
    @inline(__always)
    func linear(_ i: InstructionRef, at offset: UInt64) -> UInt64 {
        let sum = cutAddress(i, offset) &+ file(Int(truncatingIfNeeded: i.segmentBase))
        return i.codeSize == .bits64 ? sum : sum & 0xffff_ffff
    }

    /// The same, after the segment checks of code that is not 64-bit.
    ///
    /// - Throws: #GP(0), or #SS(0) for the stack segment.
    func checkedLinear(_ i: InstructionRef, at offset: UInt64, byteCount: Int, isWrite: Bool) throws(GuestFault) -> UInt64 {
        if i.codeSize != .bits64 {
            try checkSegment(Int(truncatingIfNeeded: i.segment), cutAddress(i, offset), byteCount: byteCount, isWrite: isWrite)
        }
        return linear(i, at: offset)
    }

    /// Replaces the register or memory operand of ModRM.rm by what `change` makes of it, atomically under LOCK.
    ///
    /// `change` may run more than once under LOCK; it may read CF, and sees the one of the start each time.
    @inline(__always)
    func modifyRM<T: OperandWord>(_ i: InstructionRef, as: T.Type, _ change: (T) -> T) throws(GuestFault) {
        if !i.isMemory {
            try storeRM(i, change(try loadRM(i, as: T.self)))
        } else if i.flags.contains(.lock) {
            try checkOperand(i, byteCount: MemoryLayout<T>.size, isWrite: true)
            try modifyAtomically(linear(i), i.segment, change)
        } else {
            try modifyOperand(i, as: T.self, change)
        }
    }
}
