extension Decoder {
    /// Reads a VEX prefix whose first byte was C4 or C5 and returns the opcode with its map, or nil when the byte is LES or
    /// LDS after all (SDM vol. 2A, 2.3.5). 16-bit code never has VEX here: in real mode it would raise #UD anyway.
    @inline(never)
    mutating func readVEXPrefix(_ first: UInt8) -> UInt16? {
        guard is64 || (row.codeSize == .bits32 && cursor.peek >= 0xc0) else { return nil }
        hasVEX = true
        if rex != 0 || !row.flags.isDisjoint(with: [.operandPrefix, .rep, .repne, .lock]) { reject() }
        row.flags.insert(.vex)
        let second = cursor.next(UInt8.self)
        rex = ~second >> 5 & (first == 0xc4 ? 7 : 4)
        let last = first == 0xc4 ? cursor.next(UInt8.self) : second & 0x7f
        if last & 0x80 != 0 { rex |= 8 }
        if last & 4 != 0 { row.flags.insert(.vexL) }
        row.vvvv = ~last >> 3 & 15
        if !is64 {  // Eight registers, and W means nothing to the instructions we know.
            rex = 0
            row.vvvv &= 7
        }
        if rex & 8 != 0 { row.flags.insert(.rexW) }
        row.flags.insert([Instruction.Flags(), .operandPrefix, .rep, .repne][Int(truncatingIfNeeded: last & 3)])
        let map = first == 0xc4 ? second & 31 : 1
        if map > 3 { reject() }
        return UInt16(truncatingIfNeeded: map & 3) << 8 | UInt16(truncatingIfNeeded: cursor.next(UInt8.self))
    }

    /// BMI1 and BMI2, the only VEX instructions of the virtual CPU. Everything else is not defined.
    @inline(never)
    mutating func decodeVEX() {
        row.operandSize = rex & 8 != 0 ? 8 : 4
        guard isKnownVEX && !row.flags.contains(.vexL) else { return reject() }
        row.flags.insert(.hasModRM)
        row.modRM = cursor.next(UInt8.self)
        readModRM(ignoringMod: false)
        if row.opcode >> 8 == 3 { readImmediate(.byte) }
        // BLSR, BLSMSK, BLSI
        if row.opcode == 0x2f3 && !(1...3 ~= row.reg & 7) { reject() }
    }

    private var isKnownVEX: Bool {
        let prefix = selectingPrefix
        switch row.opcode {
        case 0x2f2: return prefix == PrefixSet.none  // ANDN
        case 0x2f3: return prefix == PrefixSet.none
        case 0x2f5: return prefix != PrefixSet.h66  // BZHI, PEXT, PDEP
        case 0x2f6: return prefix == PrefixSet.hF2  // MULX
        case 0x2f7: return true  // BEXTR, SHLX, SARX, SHRX
        case 0x3f0: return prefix == PrefixSet.hF2 && row.vvvv == 0  // RORX
        default: return false
        }
    }
}
