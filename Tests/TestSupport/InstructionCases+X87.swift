extension InstructionCases {
    /// Random x87 registers. Exceptions are mostly masked; then the status may have any of them set already.
    mutating func setX87() {
        var x87 = X87State()
        x87.control = 0x7f | UInt16(random.pick([0, 2, 3])) << 8 | UInt16(random.below(4)) << 10
        x87.status = UInt16(random.below(8)) << 11 | UInt16(truncatingIfNeeded: random.next()) & 0x4700
        if random.oneIn(6) {
            x87.control &= ~UInt16(random.below(64))
        } else if random.oneIn(4) {
            x87.status |= UInt16(random.below(64))
        }
        x87.tags = random.oneIn(4) ? random.byte() : 0xff
        for index in 0..<8 {
            let value = random.float80()
            x87.st[index] = .init(significand: value.significand, signAndExponent: value.signAndExponent)
        }
        current.state.x87 = x87
    }

    mutating func makeX87() {
        setX87()
        current.undefinedStatus = 0x4500
        if random.oneIn(2) { makeX87Memory() } else { makeX87Register() }
    }

    private mutating func makeX87Register() {
        var opcode: UInt8 = 0
        var modRM: UInt8 = 0
        repeat {
            opcode = 0xd8 + UInt8(random.below(8))
            modRM = 0xc0 | random.byte()
        } while !Self.isComparableX87(opcode, modRM)
        if Self.setsConditions(opcode, modRM) { current.undefinedStatus = 0 }
        current.code = [opcode, modRM]
    }

    /// Documented register forms whose results are exact.
    private static func isComparableX87(_ opcode: UInt8, _ modRM: UInt8) -> Bool {
        let reg = modRM >> 3 & 7
        switch opcode {
        case 0xd9:
            if [0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff].contains(modRM) { return false }
            return reg < 2 || modRM == 0xd0 || [0xe0, 0xe1, 0xe4, 0xe5].contains(modRM) || 0xe8...0xee ~= modRM || modRM >= 0xf4
        case 0xda: return reg < 4 || modRM == 0xe9
        case 0xdb: return reg < 4 || [0xe2, 0xe3].contains(modRM) || reg == 5 || reg == 6
        case 0xdc: return reg != 2 && reg != 3
        case 0xdd: return reg != 1 && reg < 6
        case 0xde: return reg < 2 || modRM == 0xd9 || reg > 3
        case 0xdf: return modRM == 0xe0 || reg == 5 || reg == 6
        default: return true
        }
    }

    private static func setsConditions(_ opcode: UInt8, _ modRM: UInt8) -> Bool {
        let reg = modRM >> 3 & 7
        switch opcode {
        case 0xd8: return reg == 2 || reg == 3
        case 0xd9: return [0xe4, 0xe5].contains(modRM)
        case 0xda, 0xde: return modRM == 0xe9 || modRM == 0xd9
        case 0xdd: return reg == 4 || reg == 5
        default: return false
        }
    }

    private mutating func makeX87Memory() {
        // Opcode, ModRM.reg: loads, stores, arithmetic; no FLDENV, FRSTOR, FNSAVE, FNSTENV, whose images hold addresses.
        var opcode: UInt8 = 0
        var reg = 0
        repeat {
            opcode = 0xd8 + UInt8(random.below(8))
            reg = random.below(8)
        } while opcode == 0xd9 && [1, 4, 6].contains(reg) || opcode == 0xdb && [4, 6].contains(reg) || opcode == 0xdd && reg > 3 && reg != 7
        if opcode == 0xd9 && reg == 5 {
            makeControlWord()
        } else {
            let offset = emit(Encoding(opcode: [opcode], reg: reg))
            if let offset { fill(at: offset, memoryContent(opcode, reg)) }
        }
        if opcode & 1 == 0 && (reg == 2 || reg == 3) { current.undefinedStatus = 0 }
    }

    private mutating func makeControlWord() {
        let control = current.state.x87.control ^ UInt16(random.below(16)) << 8
        let valid = control & 0x300 == 0x100 ? control | 0x200 : control
        if let offset = emit(Encoding(opcode: [0xd9], reg: 5)) { fill(at: offset, [UInt64(valid)]) }
    }

    private mutating func memoryContent(_ opcode: UInt8, _ reg: Int) -> [UInt64] {
        switch opcode {
        case 0xd8, 0xd9: return [UInt64(random.float32())]
        case 0xdc: return [random.float64()]
        case 0xdd where reg != 1: return [random.float64()]
        case 0xdb where reg == 5:
            let value = random.float80()
            return [value.significand, UInt64(value.signAndExponent)]
        case 0xdf where reg == 4: return decimal()
        default: return [random.integer()]
        }
    }

    /// A packed decimal of 18 digits; others are undefined.
    private mutating func decimal() -> [UInt64] {
        var digits: [UInt64] = []
        for _ in 0..<18 { digits.append(UInt64(random.below(10))) }
        let low = (0..<16).reduce(UInt64(0)) { $0 | digits[$1] << UInt64($1 * 4) }
        return [low, digits[16] | digits[17] << 4 | UInt64(random.below(2)) << 15]
    }

    /// Functions that are approximations; processors differ in the last places.
    mutating func makeTranscendental() {
        setX87()
        current.state.x87.control |= 0x33f
        current.state.x87.tags = 0xff
        current.undefinedStatus = 0x4700
        current.x87Tolerance = 4
        let operation: UInt8 = random.pick([0xf0, 0xf1, 0xf2, 0xf3, 0xf9, 0xfb, 0xfe, 0xff])
        if operation == 0xf0 || operation == 0xf9 {  // |x| up to 1, and up to 0.29 for FYL2XP1.
            current.state.x87.st[0] = .init(
                significand: random.next() | 1 << 63, signAndExponent: UInt16(random.below(2)) << 15 | UInt16(0x3ffc - random.below(40)))
        } else {
            current.state.x87.st[0] = .init(
                significand: random.next() | 1 << 63, signAndExponent: UInt16(0x3fff + random.below(8)) - UInt16(random.below(20)))
        }
        current.state.x87.st[1] = .init(significand: random.next() | 1 << 63, signAndExponent: UInt16(0x3fff + random.below(8)))
        // Pushes need room.
        if [0xf2, 0xfb].contains(operation) { current.state.x87.tags &= ~(1 << UInt8((current.state.x87.status >> 11 &- 1) & 7)) }
        current.code = [0xd9, operation]
    }
}
