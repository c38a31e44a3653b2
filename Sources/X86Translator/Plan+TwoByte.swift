internal import X86Decoder

/// Plans of general instructions in the maps 0F, 0F 38 and 0F 3A.
extension Plan {
    static func twoByte(_ row: Instruction, _ features: HostFeatures) -> Plan? {
        let opcode = UInt8(truncatingIfNeeded: row.opcode)
        let width = row.operandSize
        switch opcode {
        case 0x0d, 0x18...0x1f: return Plan(.nothing)
        case 0x40...0x4f: return toRegister(.condition(opcode), width: width, changes: true)
        case 0x80...0x8f: return Plan(.branch, .condition(opcode))
        case 0x90...0x9f: return toRM(.condition(opcode), width: 1).withDigit()
        case 0xa3, 0xab, 0xb3, 0xbb: return bitTest(row, isRead: opcode == 0xa3)
        case 0xa4, 0xac:
            let count = UInt8(truncatingIfNeeded: row.immediate) & (width == 8 ? 63 : 31)
            return toRM(.doubleShift(count: count), width: width, changes: true).withImmediate(1)
        case 0xa5, 0xad: return toRM(.doubleShift(count: nil), width: width, changes: true)
        case 0xae: return row.flags.contains(.memory) || row.flags.contains(.rep) ? nil : Plan(.plain, width: 4)
        case 0xaf: return toRegister(.killsAll, width: width, changes: true)
        case 0xb0, 0xb1: return toRM(.killsAll, width: opcode == 0xb0 ? 1 : width, changes: true)
        case 0xb6, 0xb7, 0xbe, 0xbf: return extend(row, isByte: opcode & 1 == 0)
        case 0xb8: return features.popcnt ? counted(row) : nil
        case 0xba:
            let plan = row.reg & 3 == 0 ? test(.setsCarry, width: width) : toRM(.setsCarry, width: width, changes: true)
            return plan.withDigit().withImmediate(1)
        case 0xbc, 0xbd: return scan(row, features)
        case 0xc0, 0xc1: return exchange(.killsAll, width: opcode == 0xc0 ? 1 : width)
        case 0xc3: return row.flags.contains(.memory) ? toRM(.none, width: width) : nil
        case 0xc7: return compareExchangePair(row)
        case 0xc8...0xcf: return width == 2 ? nil : Plan(.swapBytes, width: width)
        default: return nil
        }
    }

    /// With a register as bit number a memory operand reaches beyond itself.
    private static func bitTest(_ row: Instruction, isRead: Bool) -> Plan? {
        if row.flags.contains(.memory) {
            guard row.operandSize != 2 else { return nil }
            var plan = Plan(.bitInMemory, .setsCarry, width: row.operandSize)
            plan.writesRM = !isRead
            return plan
        }
        return isRead ? test(.setsCarry, width: row.operandSize) : toRM(.setsCarry, width: row.operandSize, changes: true)
    }

    private static func extend(_ row: Instruction, isByte: Bool) -> Plan {
        var plan = toRegister(.none, width: row.operandSize)
        plan.memoryWidth = isByte ? 1 : 2
        if isByte { plan.rm = .byte }
        return plan
    }

    private static func counted(_ row: Instruction) -> Plan {
        var plan = toRegister(.killsAll, width: row.operandSize)
        plan.mandatory = 0xf3
        return plan
    }

    /// BSF and BSR keep their destination when there is no bit; TZCNT and LZCNT are others.
    private static func scan(_ row: Instruction, _ features: HostFeatures) -> Plan? {
        guard row.flags.contains(.rep) else { return toRegister(.killsAll, width: row.operandSize, changes: true) }
        return (row.opcode & 1 == 0 ? features.bmi1 : features.lzcnt) ? counted(row) : nil
    }

    private static func compareExchangePair(_ row: Instruction) -> Plan? {
        guard row.flags.contains(.memory) else { return nil }
        var plan = toRM(.setsZero, width: row.operandSize == 8 ? 8 : 4, changes: true).withDigit()
        plan.memoryWidth = row.operandSize == 8 ? 16 : 8
        plan.checksAlignment = true
        return plan
    }

    static func threeByte(_ row: Instruction, _ features: HostFeatures) -> Plan? {
        let width = row.operandSize
        if row.flags.contains(.vex) { return nil }
        switch row.opcode {
        case 0x2f0, 0x2f1:
            if row.flags.contains(.repne) { return accumulateCRC(row, features) }
            guard features.movbe, row.flags.contains(.memory) else { return nil }
            return row.opcode == 0x2f0 ? toRegister(.none, width: width) : toRM(.none, width: width)
        default: return nil
        }
    }

    private static func accumulateCRC(_ row: Instruction, _ features: HostFeatures) -> Plan? {
        guard features.sse42 else { return nil }
        let isByte = row.opcode == 0x2f0
        var plan = toRegister(.none, width: row.flags.contains(.rexW) ? 8 : isByte ? 4 : row.operandSize, changes: true)
        plan.memoryWidth = isByte ? 1 : row.operandSize
        if isByte { plan.rm = .byte }
        plan.mandatory = 0xf2
        return plan
    }
}
