internal import X86Decoder

/// Plans of the one-byte map (SDM vol. 2D, table A-2).
extension Plan {
    static func oneByte(_ row: Instruction) -> Plan? {
        let opcode = UInt8(truncatingIfNeeded: row.opcode)
        let width = opcode & 1 == 0 ? 1 : row.operandSize
        switch opcode {
        case 0x00...0x3f: return arithmetic(opcode, width)
        case 0x50...0x57: return row.operandSize == 8 ? Plan(.push) : nil
        case 0x58...0x5f: return row.operandSize == 8 ? Plan(.pop) : nil
        case 0x63:
            // With 16 bits processors differ in how much they read.
            guard row.operandSize >= 4 else { return nil }
            var plan = toRegister(.none, width: row.operandSize)
            plan.memoryWidth = 4
            return plan
        case 0x68, 0x6a: return row.operandSize == 8 ? Plan(.pushImmediate) : nil
        case 0x69: return toRegister(.killsAll, width: row.operandSize).withImmediate()
        case 0x6b: return toRegister(.killsAll, width: row.operandSize).withImmediate(1)
        case 0x70...0x7f: return Plan(.branch, .condition(opcode))
        case 0x80, 0x81, 0x83: return arithmeticImmediate(row, opcode, width)
        case 0x84, 0x85: return test(.killsAll, width: width)
        case 0x86, 0x87:
            var plan = exchange(.none, width: width)
            plan.checksAlignment = true
            return plan
        case 0x88, 0x89: return toRM(.none, width: width)
        case 0x8a, 0x8b: return toRegister(.none, width: width)
        case 0x8d:
            var plan = Plan(.lea, width: row.operandSize)
            plan.writesReg = true
            return plan
        case 0x90...0x97: return row.rm == 0 ? Plan(.nothing) : Plan(.exchangeAccumulator, width: row.operandSize)
        default: return oneByteUpper(row, opcode, width)
        }
    }

    private static func oneByteUpper(_ row: Instruction, _ opcode: UInt8, _ width: UInt8) -> Plan? {
        switch opcode {
        case 0x98, 0x99: return Plan(.plain, width: row.operandSize)
        case 0x9e: return Plan(.plain, .storesAH, width: 4)
        case 0x9f: return Plan(.plain, .loadsAH, width: 4)
        case 0xa0...0xa3: return Plan(.moveOffset, width: width)
        case 0xa4, 0xa5, 0xaa, 0xab:
            guard row.flags.contains(.rep), row.segmentBase == RegisterFile.zero else { return nil }
            return Plan(opcode < 0xa8 ? .repeatedMove : .repeatedStore, width: width)
        case 0xa8, 0xa9: return Plan(.accumulatorImmediate, .killsAll, width: width).withImmediate()
        case 0xb0...0xb7: return Plan(.moveImmediate, width: 1)
        case 0xb8...0xbf: return Plan(.moveImmediate, width: row.operandSize)
        case 0xc0, 0xc1, 0xd0...0xd3: return shift(row, opcode, width)
        case 0xc2: return Plan(.retImmediate)
        case 0xc3: return Plan(.ret)
        case 0xc6, 0xc7: return toRM(.none, width: width).withDigit().withImmediate()
        case 0xc9: return row.operandSize == 8 ? Plan(.leave) : nil
        case 0xe2, 0xe3: return row.flags.contains(.address32) ? nil : Plan(.loop)
        case 0xe8: return Plan(.call)
        case 0xe9, 0xeb: return Plan(.jump)
        case 0xf5: return Plan(.plain, .complementsCarry, width: 4)
        case 0xf8, 0xf9: return Plan(.plain, .setsCarry, width: 4)
        case 0xf6, 0xf7: return unary(row, width)
        case 0xfe, 0xff: return incrementGroup(row, width)
        default: return nil
        }
    }

    private static func arithmetic(_ opcode: UInt8, _ width: UInt8) -> Plan? {
        let operation = opcode &>> 3
        let effect = FlagEffect.arithmetic(operation)
        switch opcode & 7 {
        case 0, 1: return operation == 7 ? test(effect, width: width) : toRM(effect, width: width, changes: true)
        case 2, 3: return operation == 7 ? test(effect, width: width) : toRegister(effect, width: width, changes: true)
        case 4, 5: return Plan(.accumulatorImmediate, effect, width: width).withImmediate()
        default: return nil
        }
    }

    private static func arithmeticImmediate(_ row: Instruction, _ opcode: UInt8, _ width: UInt8) -> Plan {
        let operation = row.reg & 7
        let effect = FlagEffect.arithmetic(operation)
        let plan = operation == 7 ? test(effect, width: width) : toRM(effect, width: width, changes: true)
        return plan.withDigit().withImmediate(opcode == 0x81 ? nil : 1)
    }

    private static func shift(_ row: Instruction, _ opcode: UInt8, _ width: UInt8) -> Plan {
        let mask: UInt8 = width == 8 ? 63 : 31
        let count: UInt8? = opcode >= 0xd2 ? nil : opcode >= 0xd0 ? 1 : UInt8(truncatingIfNeeded: row.immediate) & mask
        let plan = toRM(.shift(row.reg & 7, count: count), width: width, changes: true).withDigit()
        return opcode < 0xd0 ? plan.withImmediate(1) : plan
    }

    /// F6 and F7: TEST NOT NEG MUL IMUL DIV IDIV.
    private static func unary(_ row: Instruction, _ width: UInt8) -> Plan? {
        switch row.reg & 7 {
        case 0, 1: return test(.killsAll, width: width).withDigit().withImmediate()
        case 2: return toRM(.none, width: width, changes: true).withDigit()
        case 3: return toRM(.killsAll, width: width, changes: true).withDigit()
        case 4, 5: return test(.killsAll, width: width).withDigit()
        default:
            guard width >= 4 else { return nil }
            var plan = Plan(row.reg & 7 == 6 ? .divideUnsigned : .divideSigned, .killsAll, width: width).withDigit()
            plan.readsRM = true
            return plan
        }
    }

    /// FE and FF: INC DEC CALL JMP PUSH.
    private static func incrementGroup(_ row: Instruction, _ width: UInt8) -> Plan? {
        switch row.reg & 7 {
        case 0, 1: return toRM(.increment, width: width, changes: true).withDigit()
        case 2 where row.operandSize == 8: return Plan(.callIndirect).withDigit()
        case 4 where row.operandSize == 8: return Plan(.jumpIndirect).withDigit()
        case 6 where row.operandSize == 8: return row.flags.contains(.memory) ? Plan(.pushMemory).withDigit() : Plan(.push)
        default: return nil
        }
    }
}
