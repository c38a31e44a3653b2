/// Opcodes that ModRM or a prefix splits into several instructions. The letters are those of ``OpcodeTables``.
extension Decoder {
    /// The one of 66, F3 and F2 that selects an SSE instruction: F3 and F2 outrank 66.
    var selectingPrefix: UInt8 {
        if row.flags.contains(.rep) { return PrefixSet.hF3 }
        if row.flags.contains(.repne) { return PrefixSet.hF2 }
        return row.flags.contains(.operandPrefix) ? PrefixSet.h66 : PrefixSet.none
    }

    private var isMemory: Bool { row.flags.contains(.memory) }
    private var regField: UInt8 { row.modRM >> 3 & 7 }

    /// Everything about a row that the common path leaves out. Bytes after ModRM and displacement are still unread.
    @inline(never)
    mutating func apply(_ entry: OpcodeRow, _ immediate: inout OpcodeRow.Immediate, _ lockable: inout Bool) {
        let valid =
            !entry.isUndefined
            && !(entry.isNotFor64 && is64)
            && !(entry.isMemoryOnly && !isMemory)
            && !(entry.isRegisterOnly && isMemory)
            && !(entry.isSelectedByPrefix && entry.prefixes & selectingPrefix == 0)
        if !valid { reject() }
        guard entry.group != 0 else { return }
        let known =
            row.opcode < 0x100
            ? applyOneByteGroup(entry.group, &immediate, &lockable)
            : applyGroup(entry.group, &lockable)
        if !known { reject() }
    }

    // MARK: One-byte map

    /// Returns false for encodings that are not defined.
    private mutating func applyOneByteGroup(
        _ group: UInt8, _ immediate: inout OpcodeRow.Immediate, _ lockable: inout Bool
    ) -> Bool {
        switch group {
        case ascii("G"):  // 80, 81, 83: arithmetic with an immediate
            lockable = regField != 7
            return true
        case ascii("H"):  // 82: 80 under another name
            lockable = regField != 7
            return !is64
        case ascii("I"):  // 8C: from a segment register; REX.R means nothing
            row.reg = regField
            return row.reg < 6
        case ascii("J"):  // 8E: to a segment register
            row.reg = regField
            if row.reg == 2 { row.flags.insert(.endsBlock) }  // SS holds interrupts off for one instruction.
            return row.reg < 6 && row.reg != 1
        case ascii("K"):  // 8F: POP
            defaultTo64()
            return regField == 0
        case ascii("L"):  // C6, C7: MOV immediate
            return regField == 0
        case ascii("N"):  // F6, F7: TEST NOT NEG MUL IMUL DIV IDIV
            if regField < 2 { immediate = row.opcode == 0xf6 ? .signedByte : .wordOrLong }
            lockable = regField == 2 || regField == 3
            return true
        case ascii("P"):  // FE: INC DEC
            lockable = true
            return regField < 2
        case ascii("Q"):
            return applyFF(&lockable)
        default:  // X: D8-DF
            return isKnownX87
        }
    }

    /// FF: INC DEC CALL CALLF JMP JMPF PUSH
    private mutating func applyFF(_ lockable: inout Bool) -> Bool {
        switch regField {
        case 0, 1: lockable = true
        case 2, 4:
            row.flags.insert(.endsBlock)
            forceTo64()
        case 3, 5:
            row.flags.insert(.endsBlock)
            return isMemory
        case 6: defaultTo64()
        default: return false
        }
        return true
    }

    private mutating func defaultTo64() {
        if is64 && row.operandSize == 4 { row.operandSize = 8 }
    }

    private mutating func forceTo64() {
        if is64 { row.operandSize = 8 }
    }

    /// For opcodes where 66 is no operand size.
    private mutating func ignoreOperandPrefix() {
        if row.operandSize == 2 || !is64 { row.operandSize = 4 }
    }

    // MARK: 0F maps

    private mutating func applyGroup(_ group: UInt8, _ lockable: inout Bool) -> Bool {
        switch group {
        case ascii("O"):  // 0F 00: SLDT STR LLDT LTR VERR VERW
            return regField < 6
        case ascii("R"):
            return isMemory ? applyDescriptorTable() : applySystem()
        case ascii("S"):  // 0F 12: MOVLPS MOVHLPS MOVLPD MOVSLDUP MOVDDUP
            ignoreOperandPrefix()
            return selectingPrefix != PrefixSet.h66 || isMemory
        case ascii("T"):  // 0F 16: MOVHPS MOVLHPS MOVHPD MOVSHDUP
            ignoreOperandPrefix()
            return selectingPrefix != PrefixSet.hF2 && (selectingPrefix != PrefixSet.h66 || isMemory)
        case ascii("U"), ascii("V"):
            return applyMoveSystemRegister(isControl: group == ascii("U"))
        case ascii("W"):  // 0F 71, 72: shifts of words and doublewords
            ignoreOperandPrefix()
            return selectingPrefix < PrefixSet.hF3 && [2, 4, 6].contains(regField)
        case ascii("Y"):  // 0F 73: shifts of quadwords, and of the whole register with 66
            ignoreOperandPrefix()
            return [2, 6].contains(regField) && selectingPrefix < PrefixSet.hF3
                || [3, 7].contains(regField) && selectingPrefix == PrefixSet.h66
        case ascii("Z"):
            ignoreOperandPrefix()
            return isMemory ? isKnownStateInstruction : applyFenceOrBase()
        case ascii("g"):  // 0F B8: POPCNT
            return selectingPrefix == PrefixSet.hF3
        case ascii("h"):  // 0F BA: BT BTS BTR BTC
            lockable = regField > 4
            return regField >= 4
        case ascii("k"):
            return applyC7(&lockable)
        case ascii("m"):  // 0F D6: MOVQ MOVQ2DQ MOVDQ2Q
            ignoreOperandPrefix()
            return selectingPrefix == PrefixSet.h66 || selectingPrefix > PrefixSet.h66 && !isMemory
        case ascii("n"):  // 0F 38 82: INVPCID
            row.flags.insert(.endsBlock)
            ignoreOperandPrefix()
            forceTo64()
            return selectingPrefix == PrefixSet.h66
        default:  // o, 0F 38 F0 and F1: MOVBE, and CRC32 with F2
            return selectingPrefix == PrefixSet.hF2 || selectingPrefix != PrefixSet.hF3 && isMemory
        }
    }

    /// 0F 01 with memory: SGDT SIDT LGDT LIDT SMSW LMSW INVLPG
    private mutating func applyDescriptorTable() -> Bool {
        if regField < 4 { forceTo64() }
        if regField >= 6 { row.flags.insert(.endsBlock) }
        return regField != 5
    }

    /// 0F 01 with registers: the byte as a whole names the instruction.
    private mutating func applySystem() -> Bool {
        let unprefixed = selectingPrefix == PrefixSet.none
        switch row.modRM {
        case 0xc1:  // VMCALL
            row.flags.insert(.endsBlock)
            return unprefixed
        case 0xca, 0xcb, 0xd0:  // CLAC, STAC, XGETBV
            return unprefixed
        case 0xd1:  // XSETBV
            row.flags.insert(.endsBlock)
            return unprefixed
        case 0xd9:  // VMMCALL
            row.flags.insert(.endsBlock)
            return true
        case 0xe0...0xe7:  // SMSW
            return true
        case 0xf0...0xf7:  // LMSW
            row.flags.insert(.endsBlock)
            return true
        case 0xf8: return is64  // SWAPGS
        case 0xf9: return true  // RDTSCP
        default: return false
        }
    }

    /// 0F 20-23: only writes change anything a block depends on.
    private mutating func applyMoveSystemRegister(isControl: Bool) -> Bool {
        row.operandSize = is64 ? 8 : 4
        if row.opcode & 2 != 0 { row.flags.insert(.endsBlock) }
        guard isControl else { return row.reg < 8 }
        return row.reg == 0 || 2...4 ~= row.reg || row.reg == 8
    }

    /// 0F AE with memory: FXSAVE FXRSTOR LDMXCSR STMXCSR XSAVE XRSTOR XSAVEOPT CLFLUSH, with 66 CLWB and CLFLUSHOPT
    private var isKnownStateInstruction: Bool {
        selectingPrefix == PrefixSet.none || selectingPrefix == PrefixSet.h66 && regField >= 6
    }

    /// 0F AE with registers: fences, and with F3 RDFSBASE RDGSBASE WRFSBASE WRGSBASE
    private func applyFenceOrBase() -> Bool {
        switch selectingPrefix {
        case PrefixSet.none: regField >= 5
        case PrefixSet.hF3: is64 && regField < 4
        default: false
        }
    }

    /// 0F C7: CMPXCHG8B/16B, RDRAND, RDSEED, RDPID
    private mutating func applyC7(_ lockable: inout Bool) -> Bool {
        if isMemory {
            lockable = true
            return regField == 1
        }
        let prefix = selectingPrefix
        switch regField {
        case 6: return prefix < PrefixSet.hF3
        case 7:
            if prefix == PrefixSet.hF3 {
                ignoreOperandPrefix()
                forceTo64()
            }
            return prefix != PrefixSet.hF2
        default: return false
        }
    }
}
