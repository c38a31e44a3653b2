internal import X86
internal import X86Decoder

/// Chooses the dispatch code of a decoded row: a hot form where there is one, else its group.
///
/// Hot forms with byte operands get byte offsets of the register file in place of register numbers, so that AH and friends
/// cost nothing at run time; instructions that stay in a group keep their row as decoded.
extension Core {
    func lower(_ row: inout Instruction) {
        row.code = UInt16(Core.operation(&row).rawValue)
    }

    private static func operation(_ row: inout Instruction) -> Operation {
        if row.flags.contains(.invalid) { return .invalid }
        if !row.flags.contains(.lock), let hot = hotForm(&row) { return hot }
        switch row.opcode &>> 8 {
        case 0: return oneByteGroup(row)
        case 1: return twoByteGroup(row)
        case 2:
            // INVPCID and its neighbours are the only system instructions there.
            if row.opcode & 0xfc == 0x80 { return row.flags.contains(.endsBlock) ? .systemEnding : .system }
            return row.opcode & 0xff >= 0xf0 ? .integer : .sse
        default: return row.opcode & 0xff == 0xf0 ? .integer : .sse
        }
    }

    private static func hotForm(_ row: inout Instruction) -> Operation? {
        switch row.opcode &>> 8 {
        case 0: row.codeSize == .bits64 ? oneByteHot64(&row) ?? oneByteHot(&row) : oneByteHot(&row)
        case 1: twoByteHot(&row)
        default: nil
        }
    }

    // MARK: - groups

    private static func oneByteGroup(_ row: Instruction) -> Operation {
        let system = row.flags.contains(.endsBlock) ? Operation.systemEnding : .system
        switch row.opcode & 0xff {
        case 0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f: return system
        case 0x63: return row.codeSize == .bits64 ? .integer : system
        case 0x6c...0x6f, 0x8c, 0x8e, 0x9a, 0x9c, 0x9d, 0xc4, 0xc5: return system
        case 0xca...0xcf, 0xe4...0xe7, 0xea, 0xec...0xef, 0xf1, 0xf4, 0xfa, 0xfb: return system
        case 0xff where row.reg & 7 == 3 || row.reg & 7 == 5: return system
        case 0x70...0x7f, 0xc2, 0xc3, 0xe0...0xe3, 0xe8, 0xe9, 0xeb: return .transfer
        case 0xff where row.reg & 7 == 2 || row.reg & 7 == 4: return .transfer
        case 0xa4...0xa7, 0xaa...0xaf: return .string
        case 0x9b, 0xd8...0xdf: return .x87
        default: return .integer
        }
    }

    private static func twoByteGroup(_ row: Instruction) -> Operation {
        let system = row.flags.contains(.endsBlock) ? Operation.systemEnding : .system
        switch row.opcode & 0xff {
        case 0x00...0x09, 0x20...0x23, 0x30...0x35, 0xa0...0xa2, 0xa8...0xaa, 0xb2, 0xb4, 0xb5: return system
        case 0x80...0x8f: return .transfer
        case 0xae: return stateGroup(row, system)
        case 0x0b, 0x0d, 0x18...0x1f, 0x40...0x4f, 0x90...0xad, 0xaf...0xc1, 0xc3, 0xc7...0xcf, 0xff: return .integer
        case 0x77: return .x87
        default: return .sse
        }
    }

    /// 0F AE: FS/GS bases, FXSAVE and XSAVE and MXCSR, fences and cache lines.
    private static func stateGroup(_ row: Instruction, _ system: Operation) -> Operation {
        if row.flags.contains(.memory) {
            if row.reg & 7 == 7 || (row.reg & 7 == 6 && row.flags.contains(.operandPrefix)) { return .integer }
            return .fxState
        }
        return row.flags.contains(.rep) ? system : .integer
    }

    // MARK: - hot forms

    private static let arithmeticFirst: [Operation] = [.addRR8, .orRR8, .adcRR8, .sbbRR8, .andRR8, .subRR8, .xorRR8, .cmpRR8]

    /// The operation of the right width: rows of `Operation` go 8, 32, 64. Nil for 16 bits.
    private static func sized(_ first: Operation, _ row: Instruction, isByte: Bool = false) -> Operation? {
        let step: UInt8
        if isByte {
            step = 0
        } else if row.operandSize == 4 {
            step = 1
        } else if row.operandSize == 8 {
            step = 2
        } else {
            return nil
        }
        return Operation(rawValue: first.rawValue + step)
    }

    private static func useByteOffsets(_ row: inout Instruction) {
        let rex = row.flags.contains(.rex)
        row.reg = byteOffset(row.reg, rex: rex)
        row.rm = byteOffset(row.rm, rex: rex)
    }

    /// Distances between the forms of one arithmetic operation in `Operation`.
    private static let toRM = Operation.addRM8.rawValue - Operation.addRR8.rawValue
    private static let toMR = Operation.addMR8.rawValue - Operation.addRR8.rawValue
    private static let toRI = Operation.addRI8.rawValue - Operation.addRR8.rawValue
    private static let toMI = Operation.addMI8.rawValue - Operation.addRR8.rawValue

    private static func form(_ first: Operation, _ distance: UInt8) -> Operation {
        Operation(rawValue: first.rawValue + distance)!
    }

    private static func oneByteHot(_ row: inout Instruction) -> Operation? {
        let opcode = UInt8(truncatingIfNeeded: row.opcode)
        let isMemory = row.flags.contains(.memory)
        switch opcode {
        case 0x00...0x3f where opcode & 7 < 6:
            return arithmetic(&row, arithmeticFirst[Int(opcode >> 3)], opcode & 7)
        case 0x80, 0x81, 0x83:
            return immediate(&row, arithmeticFirst[Int(row.reg & 7)], isByte: opcode == 0x80)
        case 0x84, 0x85: return arithmetic(&row, .testRR8, opcode & 1)
        case 0xa8, 0xa9: return arithmetic(&row, .testRR8, opcode == 0xa8 ? 4 : 5)
        case 0xf6, 0xf7: return unary(&row, isByte: opcode == 0xf6)
        case 0x88...0x8b: return move(&row, opcode)
        case 0xb0...0xb7:
            useByteOffsets(&row)
            return .moveRI8
        case 0xb8...0xbf: return row.operandSize == 4 ? .moveRI32 : row.operandSize == 8 ? .moveRI64 : nil
        case 0xc6:
            if isMemory { return .moveMI8 }
            useByteOffsets(&row)
            return .moveRI8
        case 0xc7:
            if isMemory { return row.operandSize == 4 ? .moveMI32 : row.operandSize == 8 ? .moveMI64 : nil }
            return row.operandSize == 4 ? .moveRI32 : row.operandSize == 8 ? .moveRI64 : nil
        case 0x8d: return row.operandSize == 4 ? .lea32 : row.operandSize == 8 ? .lea64 : nil
        case 0x90: return row.rm == 0 ? .noOperation : row.operandSize == 8 ? exchange(&row) : nil
        case 0x91...0x97: return row.operandSize == 8 ? exchange(&row) : nil
        case 0xc1, 0xd1: return shift(&row, opcode)
        case 0xff: return incrementGroup(row)
        default: return nil
        }
    }

    /// Opcodes that mean something else outside of 64-bit code, or are kept to it for the stack's and branches' sake.
    private static func oneByteHot64(_ row: inout Instruction) -> Operation? {
        let isMemory = row.flags.contains(.memory)
        switch UInt8(truncatingIfNeeded: row.opcode) {
        case 0x50...0x57: return row.operandSize == 8 ? .pushR64 : nil
        case 0x58...0x5f: return row.operandSize == 8 ? .popR64 : nil
        case 0x68, 0x6a: return row.operandSize == 8 ? .pushI64 : nil
        case 0x63:
            guard row.operandSize == 8 else { return nil }
            return isMemory ? .signExtend32RM64 : .signExtend32RR64
        case 0x70...0x7f: return branch(row)
        case 0xc2: return row.operandSize == 8 ? .retImmediate : nil
        case 0xc3: return row.operandSize == 8 ? .ret : nil
        case 0xe8: return row.operandSize == 8 ? .call : nil
        case 0xe9, 0xeb: return row.operandSize == 8 ? .jump : nil
        case 0xff:
            guard row.operandSize == 8 else { return nil }
            switch row.reg & 7 {
            case 2: return isMemory ? .callRM64 : .callRR64
            case 4: return isMemory ? .jumpRM64 : .jumpRR64
            case 6: return isMemory ? .pushM64 : .pushR64
            default: return nil
            }
        default: return nil
        }
    }

    private static func branch(_ row: Instruction) -> Operation? {
        guard row.operandSize != 2, row.codeSize == .bits64 else { return nil }
        return Operation(rawValue: Operation.jo.rawValue + UInt8(row.opcode & 15))
    }

    /// ADD … CMP and TEST in the forms rm,reg (0, 1), reg,rm (2, 3) and accumulator,immediate (4, 5).
    private static func arithmetic(_ row: inout Instruction, _ first: Operation, _ kind: UInt8) -> Operation? {
        guard let first = sized(first, row, isByte: kind & 1 == 0) else { return nil }
        let isMemory = row.flags.contains(.memory)
        if kind >= 4 {
            row.rm = 0
            return form(first, toRI)
        }
        if !isMemory && kind >= 2 { swap(&row.reg, &row.rm) }
        if kind & 1 == 0 { useByteOffsets(&row) }
        if !isMemory { return first }
        return form(first, kind >= 2 ? toRM : toMR)
    }

    private static func immediate(_ row: inout Instruction, _ first: Operation, isByte: Bool) -> Operation? {
        guard let first = sized(first, row, isByte: isByte) else { return nil }
        if row.flags.contains(.memory) { return form(first, toMI) }
        if isByte { useByteOffsets(&row) }
        return form(first, toRI)
    }

    /// F6 and F7: TEST with immediate, NOT, NEG; the rest is multiplication and division.
    private static func unary(_ row: inout Instruction, isByte: Bool) -> Operation? {
        switch row.reg & 7 {
        case 0, 1: return immediate(&row, .testRR8, isByte: isByte)
        case 2 where !isByte && !row.flags.contains(.memory):
            return row.operandSize == 4 ? .notRR32 : row.operandSize == 8 ? .notRR64 : nil
        case 3 where !isByte && !row.flags.contains(.memory):
            return row.operandSize == 4 ? .negRR32 : row.operandSize == 8 ? .negRR64 : nil
        default: return nil
        }
    }

    private static func move(_ row: inout Instruction, _ opcode: UInt8) -> Operation? {
        let isMemory = row.flags.contains(.memory)
        if opcode & 1 == 0 {
            useByteOffsets(&row)
            if isMemory { return opcode == 0x88 ? .store8 : .load8 }
            if opcode == 0x8a { swap(&row.reg, &row.rm) }
            return .moveRR8
        }
        if isMemory {
            switch row.operandSize {
            case 4: return opcode == 0x89 ? .store32 : .load32
            case 8: return opcode == 0x89 ? .store64 : .load64
            default: return opcode == 0x89 ? .store16 : nil
            }
        }
        guard row.operandSize != 2 else { return nil }
        if opcode == 0x8b { swap(&row.reg, &row.rm) }
        return row.operandSize == 4 ? .moveRR32 : .moveRR64
    }

    private static func exchange(_ row: inout Instruction) -> Operation? {
        row.reg = 0
        return .exchangeRR64
    }

    private static func shift(_ row: inout Instruction, _ opcode: UInt8) -> Operation? {
        guard !row.flags.contains(.memory), row.operandSize != 2 else { return nil }
        let count = opcode == 0xd1 ? 1 : row.immediate & (row.operandSize == 8 ? 63 : 31)
        guard count != 0 else { return nil }
        let is64 = row.operandSize == 8
        let operation: Operation
        switch row.reg & 7 {
        case 4, 6: operation = is64 ? .shlRI64 : .shlRI32
        case 5: operation = is64 ? .shrRI64 : .shrRI32
        case 7: operation = is64 ? .sarRI64 : .sarRI32
        default: return nil
        }
        row.immediate = count
        return operation
    }

    private static func incrementGroup(_ row: Instruction) -> Operation? {
        guard !row.flags.contains(.memory), row.operandSize != 2 else { return nil }
        switch row.reg & 7 {
        case 0: return row.operandSize == 4 ? .incRR32 : .incRR64
        case 1: return row.operandSize == 4 ? .decRR32 : .decRR64
        default: return nil
        }
    }

    private static func twoByteHot(_ row: inout Instruction) -> Operation? {
        let opcode = UInt8(truncatingIfNeeded: row.opcode)
        let isMemory = row.flags.contains(.memory)
        switch opcode {
        case 0x1e, 0x1f: return .noOperation
        case 0x40...0x4f where !isMemory: return row.operandSize == 4 ? .cmovRR32 : row.operandSize == 8 ? .cmovRR64 : nil
        case 0x80...0x8f: return branch(row)
        case 0x90...0x9f where !isMemory:
            useByteOffsets(&row)
            return .setccR8
        case 0xaf:
            if isMemory { return row.operandSize == 4 ? .imulRM32 : row.operandSize == 8 ? .imulRM64 : nil }
            return row.operandSize == 4 ? .imulRR32 : row.operandSize == 8 ? .imulRR64 : nil
        case 0xa3 where !isMemory && row.operandSize == 8: return .bitTestRR64
        case 0xba where !isMemory && row.operandSize == 8 && row.reg & 7 == 4: return .bitTestRI64
        case 0xb6, 0xb7, 0xbe, 0xbf: return extend(&row, opcode)
        default: return nil
        }
    }

    private static func extend(_ row: inout Instruction, _ opcode: UInt8) -> Operation? {
        guard row.operandSize != 2 else { return nil }
        let isMemory = row.flags.contains(.memory)
        let is64 = row.operandSize == 8
        if opcode & 1 == 0 && !isMemory { row.rm = byteOffset(row.rm, rex: row.flags.contains(.rex)) }
        switch opcode {
        case 0xb6: return isMemory ? .zeroExtend8RM : .zeroExtend8RR
        case 0xb7: return isMemory ? .zeroExtend16RM : .zeroExtend16RR
        case 0xbe: return isMemory ? (is64 ? .signExtend8RM64 : .signExtend8RM32) : (is64 ? .signExtend8RR64 : .signExtend8RR32)
        default: return isMemory ? (is64 ? .signExtend16RM64 : .signExtend16RM32) : (is64 ? .signExtend16RR64 : .signExtend16RR32)
        }
    }
}
