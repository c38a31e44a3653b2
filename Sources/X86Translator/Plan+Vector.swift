internal import X86Decoder

/// Plans of SSE instructions: passed through with their operands replaced.
///
/// Left to the interpreter: MMX, what approximates (RCPPS, RSQRTPS), masked stores, and what the host does not have.
extension Plan {
    private enum Prefix: UInt8 {
        case none = 0
        case h66 = 0x66
        case f3 = 0xf3
        case f2 = 0xf2
    }

    static func vector(_ row: Instruction, _ features: HostFeatures) -> Plan? {
        guard !row.flags.contains(.vex) else { return nil }
        let prefix: Prefix =
            row.flags.contains(.rep) ? .f3 : row.flags.contains(.repne) ? .f2 : row.flags.contains(.operandPrefix) ? .h66 : .none
        let opcode = UInt8(truncatingIfNeeded: row.opcode)
        let found: Plan? =
            switch row.opcode &>> 8 {
            case 1: vector0F(row, opcode, prefix, features)
            case 2: vector38(opcode, prefix, features)
            default: vector3A(row, opcode, prefix, features)
            }
        guard var plan = found else { return nil }
        plan.mandatory = prefix.rawValue
        plan.usesVectors = true
        return plan
    }

    // MARK: - shapes

    /// xmm, xmm or memory.
    private static func load(_ memoryWidth: UInt8, aligned: Bool = false, _ flags: FlagEffect = .none) -> Plan {
        var plan = Plan(.modRM, flags, width: 4)
        plan.reg = .vector
        plan.rm = .vector
        plan.readsRM = true
        plan.memoryWidth = memoryWidth
        plan.checksAlignment = aligned
        return plan
    }

    /// xmm, xmm or 16 aligned bytes.
    private static let packed = load(16, aligned: true)

    /// xmm or memory, xmm.
    private static func store(_ memoryWidth: UInt8, aligned: Bool = false) -> Plan {
        var plan = load(memoryWidth, aligned: aligned)
        plan.readsRM = false
        plan.writesRM = true
        return plan
    }

    /// All of a register, or its low 4 or 8 bytes with F3 and F2.
    private static func arithmetic(_ prefix: Prefix) -> Plan {
        prefix == .f3 ? load(4) : prefix == .f2 ? load(8) : packed
    }

    /// xmm, general register or memory.
    private static func fromGeneral(_ row: Instruction, memoryWidth: UInt8? = nil) -> Plan {
        let width: UInt8 = row.flags.contains(.rexW) ? 8 : 4
        var plan = load(memoryWidth ?? width)
        plan.width = width
        plan.rm = .general
        return plan
    }

    /// General register or memory, xmm.
    private static func toGeneralRM(_ row: Instruction, memoryWidth: UInt8? = nil) -> Plan {
        var plan = fromGeneral(row, memoryWidth: memoryWidth)
        plan.readsRM = false
        plan.writesRM = true
        return plan
    }

    /// General register, xmm or memory.
    private static func toGeneral(_ row: Instruction, memoryWidth: UInt8) -> Plan {
        var plan = load(memoryWidth)
        plan.width = row.flags.contains(.rexW) ? 8 : 4
        plan.reg = .general
        plan.writesReg = true
        return plan
    }

    // MARK: - 0F

    private static func vector0F(_ row: Instruction, _ opcode: UInt8, _ prefix: Prefix, _ features: HostFeatures) -> Plan? {
        switch opcode {
        case 0x10...0x17, 0x28...0x2f: return vectorMove(row, opcode, prefix, features)
        case 0x50: return toGeneral(row, memoryWidth: 16)
        case 0x51, 0x58, 0x59, 0x5c...0x5f: return arithmetic(prefix)
        case 0x54...0x57: return packed
        case 0x5a: return prefix == .none ? load(8) : arithmetic(prefix)
        case 0x5b: return packed
        case 0xc2: return arithmetic(prefix).withImmediate(1)
        case 0xc6: return packed.withImmediate(1)
        case 0x7c, 0x7d, 0xd0: return features.sse3 ? packed : nil
        case 0xe6: return prefix == .f3 ? load(8) : packed
        case 0xf0: return features.sse3 ? load(16) : nil
        case 0x6f, 0x7e, 0x7f, 0xd6: return vectorMoveInteger(row, opcode, prefix)
        case 0x70: return prefix == .none ? nil : packed.withImmediate(1)
        default: return prefix == .h66 ? packedInteger(row, opcode) : nil
        }
    }

    private static func vectorMove(_ row: Instruction, _ opcode: UInt8, _ prefix: Prefix, _ features: HostFeatures) -> Plan? {
        let scalar: UInt8 = prefix == .f3 ? 4 : prefix == .f2 ? 8 : 16
        switch opcode {
        case 0x10: return load(scalar)
        case 0x11: return store(scalar)
        case 0x12, 0x16:
            if prefix == .f3 { return features.sse3 ? packed : nil }
            return prefix == .f2 && !features.sse3 ? nil : load(8)
        case 0x13, 0x17: return store(8)
        case 0x14, 0x15, 0x28: return packed
        case 0x29, 0x2b: return store(16, aligned: true)
        case 0x2a: return prefix == .f3 || prefix == .f2 ? fromGeneral(row) : nil
        case 0x2c, 0x2d: return prefix == .f3 || prefix == .f2 ? toGeneral(row, memoryWidth: scalar) : nil
        default: return load(prefix == .none ? 4 : 8, .killsAll)
        }
    }

    private static func vectorMoveInteger(_ row: Instruction, _ opcode: UInt8, _ prefix: Prefix) -> Plan? {
        switch (opcode, prefix) {
        case (0x6f, .h66): packed
        case (0x6f, .f3): load(16)
        case (0x7e, .h66): toGeneralRM(row)
        case (0x7e, .f3): load(8)
        case (0x7f, .h66): store(16, aligned: true)
        case (0x7f, .f3): store(16)
        case (0xd6, .h66): store(8)
        default: nil
        }
    }

    /// With prefix 66.
    private static func packedInteger(_ row: Instruction, _ opcode: UInt8) -> Plan? {
        switch opcode {
        case 0x60...0x6d, 0x74...0x76, 0xd1...0xd5, 0xd8...0xe5, 0xe8...0xef, 0xf1...0xf6, 0xf8...0xfe: return packed
        case 0x6e: return fromGeneral(row)
        case 0x71...0x73:
            var plan = load(16).withImmediate(1)
            plan.reg = .digit
            return plan
        case 0xc4: return fromGeneral(row, memoryWidth: 2).withImmediate(1)
        case 0xc5: return toGeneral(row, memoryWidth: 16).withImmediate(1)
        case 0xd7: return toGeneral(row, memoryWidth: 16)
        case 0xe7: return store(16, aligned: true)
        default: return nil
        }
    }

    // MARK: - 0F 38

    private static func vector38(_ opcode: UInt8, _ prefix: Prefix, _ features: HostFeatures) -> Plan? {
        if 0xc8...0xcd ~= opcode { return features.sha && prefix == .none ? packed : nil }
        guard prefix == .h66 else { return nil }
        switch opcode {
        case 0x00...0x0b, 0x1c...0x1e: return features.ssse3 ? packed : nil
        case 0x37: return features.sse42 ? packed : nil
        case 0xdb...0xdf: return features.aes ? packed : nil
        default: break
        }
        guard features.sse41 else { return nil }
        switch opcode {
        case 0x10, 0x14, 0x15, 0x28...0x2b, 0x38...0x41: return packed
        case 0x17: return load(16, aligned: true, .killsAll)
        case 0x20, 0x23, 0x25, 0x30, 0x33, 0x35: return load(8)
        case 0x21, 0x24, 0x31, 0x34: return load(4)
        case 0x22, 0x32: return load(2)
        default: return nil
        }
    }

    // MARK: - 0F 3A

    private static func vector3A(_ row: Instruction, _ opcode: UInt8, _ prefix: Prefix, _ features: HostFeatures) -> Plan? {
        if opcode == 0xcc { return features.sha && prefix == .none ? packed.withImmediate(1) : nil }
        guard prefix == .h66 else { return nil }
        switch opcode {
        case 0x0f: return features.ssse3 ? packed.withImmediate(1) : nil
        case 0x44: return features.pclmul ? packed.withImmediate(1) : nil
        case 0x60...0x63: return features.sse42 ? load(16, .killsAll).withImmediate(1) : nil
        case 0xdf: return features.aes ? packed.withImmediate(1) : nil
        default: return features.sse41 ? vector41(row, opcode)?.withImmediate(1) : nil
        }
    }

    private static func vector41(_ row: Instruction, _ opcode: UInt8) -> Plan? {
        switch opcode {
        case 0x08, 0x09, 0x0c...0x0e, 0x40...0x42: packed
        case 0x0a, 0x21: load(4)
        case 0x0b: load(8)
        case 0x14: toGeneralRM(row, memoryWidth: 1)
        case 0x15: toGeneralRM(row, memoryWidth: 2)
        case 0x16: toGeneralRM(row)
        case 0x17: toGeneralRM(row, memoryWidth: 4)
        case 0x20: fromGeneral(row, memoryWidth: 1)
        case 0x22: fromGeneral(row)
        default: nil
        }
    }
}
