internal import X86Decoder

/// How one guest instruction is translated. Made from decoded fields alone; an instruction without a plan goes to the interpreter.
struct Plan {
    enum Shape: UInt8 {
        /// An instruction with ModRM, encoded anew with host registers and a probed operand.
        case modRM
        case lea
        /// An opcode without operands, or with implicit ones in registers that are the host's: emitted as it is.
        case plain
        /// Nothing to do: NOPs and prefetches.
        case nothing
        /// ADD AL,imm to TEST RAX,imm.
        case accumulatorImmediate
        case moveImmediate, swapBytes, exchangeAccumulator, moveOffset
        case divideUnsigned, divideSigned
        case push, pushImmediate, pushMemory, pop, leave, pushFlags
        /// BT and its like with a register as the number of a bit in memory.
        case bitInMemory
        case moveFromSegment
        /// REP MOVS and REP STOS.
        case repeatedMove, repeatedStore
        /// CLI and STI at CPL 0.
        case closeInterrupts, openInterrupts
        // Those that end a block.
        case branch, jump, jumpIndirect, call, callIndirect, ret, retImmediate, loop
    }

    enum RegisterClass: UInt8 {
        /// ModRM.reg is a part of the opcode.
        case digit
        case general, byte, vector
    }

    var shape: Shape
    var flags: FlagEffect
    /// Bytes of the general operands: 1, 2, 4 or 8.
    var width: UInt8 = 8
    /// Bytes of the memory operand.
    var memoryWidth: UInt8 = 8
    var reg: RegisterClass = .general
    var rm: RegisterClass = .general
    var readsReg = false
    var writesReg = false
    var readsRM = false
    var writesRM = false
    var immediateBytes: UInt8 = 0
    /// A memory operand that is not a multiple of its size goes to the interpreter.
    var checksAlignment = false
    var mandatory: UInt8 = 0
    var usesVectors = false

    init(_ shape: Shape, _ flags: FlagEffect = .none, width: UInt8 = 8) {
        self.shape = shape
        self.flags = flags
        self.width = width
        memoryWidth = width
        if width == 1 {
            reg = .byte
            rm = .byte
        }
    }

    var endsBlock: Bool { shape.rawValue >= Shape.branch.rawValue }

    /// Whether it may fault: it reaches memory, or divides.
    @inline(__always)
    func mayFault(_ row: Instruction) -> Bool {
        switch shape {
        case .modRM, .jumpIndirect: row.flags.contains(.memory)
        case .lea, .plain, .nothing, .accumulatorImmediate, .moveImmediate, .swapBytes, .exchangeAccumulator, .branch, .jump, .loop,
            .moveFromSegment, .closeInterrupts, .openInterrupts:
            false
        default: true
        }
    }

    /// With an immediate that is as wide as the operand, but at most four bytes.
    func withImmediate(_ bytes: UInt8? = nil) -> Plan {
        var plan = self
        plan.immediateBytes = bytes ?? min(width, 4)
        return plan
    }

    /// ModRM.reg selects the operation.
    func withDigit() -> Plan {
        var plan = self
        plan.reg = .digit
        plan.readsReg = false
        plan.writesReg = false
        return plan
    }

    /// reg is written, or changed, from rm.
    static func toRegister(_ flags: FlagEffect, width: UInt8, changes: Bool = false) -> Plan {
        var plan = Plan(.modRM, flags, width: width)
        plan.readsReg = changes
        plan.writesReg = true
        plan.readsRM = true
        return plan
    }

    /// rm is written, or changed, from reg.
    static func toRM(_ flags: FlagEffect, width: UInt8, changes: Bool = false) -> Plan {
        var plan = Plan(.modRM, flags, width: width)
        plan.readsReg = true
        plan.readsRM = changes
        plan.writesRM = true
        return plan
    }

    /// Both are read.
    static func test(_ flags: FlagEffect, width: UInt8) -> Plan {
        var plan = Plan(.modRM, flags, width: width)
        plan.readsReg = true
        plan.readsRM = true
        return plan
    }

    /// Both are changed.
    static func exchange(_ flags: FlagEffect, width: UInt8) -> Plan {
        var plan = toRM(flags, width: width, changes: true)
        plan.writesReg = true
        return plan
    }
}

/// What the host's processor has beyond x86-64's first version.
struct HostFeatures {
    var bmi1 = false
    var bmi2 = false
    var adx = false
    var movbe = false
    var lzcnt = false
    var popcnt = false
    var sse3 = false
    var ssse3 = false
    var sse41 = false
    var sse42 = false
    var aes = false
    var pclmul = false
    var sha = false
}

extension Plan {
    /// The plan of an instruction of 64-bit code, nil where the interpreter has to run it.
    static func plan(_ row: Instruction, _ features: HostFeatures, allowsSSE: Bool, isKernel: Bool) -> Plan? {
        // A 32-bit address size is rare, and locks of what cannot be locked are #UD.
        guard row.flags.isDisjoint(with: [.invalid, .slowAddress]) else { return nil }
        guard var plan = find(row, features, allowsSSE: allowsSSE, isKernel: isKernel) else { return nil }
        if plan.usesHighByte(row) {
            guard plan.shape == .modRM, !row.flags.contains(.memory), plan.isWithoutREX(row) else {
                return plan.shape == .moveImmediate ? plan : nil
            }
        }
        if row.flags.contains(.lock) {
            guard row.flags.contains(.memory), plan.shape == .modRM || plan.shape == .bitInMemory, plan.writesRM else { return nil }
            plan.checksAlignment = true
        }
        return plan
    }

    /// AH, CH, DH or BH is an operand: no REX prefix can be there.
    private func usesHighByte(_ row: Instruction) -> Bool {
        guard !row.flags.contains(.rex) else { return false }
        let isRegister = !row.flags.contains(.memory)
        return reg == .byte && row.reg & 0xc == 4 || isRegister && rm == .byte && row.rm & 0xc == 4
    }

    /// The other operand is a byte register without REX too, or a register of the same number on the host.
    private func isWithoutREX(_ row: Instruction) -> Bool {
        width != 8 && (reg != .general || row.reg != 4) && (rm != .general || row.rm != 4)
    }

    /// What reads or changes the words of the state that the interpreter keeps.
    private static func system(_ row: Instruction, isKernel: Bool) -> Plan? {
        switch row.opcode {
        case 0x8c where !row.flags.contains(.memory): Plan(.moveFromSegment, width: row.operandSize)
        case 0x9c where row.operandSize == 8: Plan(.pushFlags, FlagEffect(reads: FlagSet.all))
        case 0xfa where isKernel: Plan(.closeInterrupts)
        case 0xfb where isKernel: Plan(.openInterrupts)
        default: nil
        }
    }

    private static func find(_ row: Instruction, _ features: HostFeatures, allowsSSE: Bool, isKernel: Bool) -> Plan? {
        switch row.opcode &>> 8 {
        case 0: return row.flags.contains(.vex) ? nil : oneByte(row) ?? system(row, isKernel: isKernel)
        case 1: return twoByte(row, features) ?? (allowsSSE ? vector(row, features) : nil)
        default: return threeByte(row, features) ?? (allowsSSE ? vector(row, features) : nil)
        }
    }
}
