extension InstructionCases {
    mutating func makeArithmetic() {
        let width = width()
        let operation = random.below(8)
        let logic = [1, 4, 6].contains(operation)
        current.undefinedFlags = logic ? Flag.a : 0
        let rm = registerOrMemory()
        let lock = rm == nil && random.oneIn(6)
        switch random.below(7) {
        case 0, 1: emitInteger([UInt8(operation * 8)], reg: register(), rm: rm, width: width, lock: lock && operation != 7)
        case 2: emitInteger([UInt8(operation * 8 + 2)], reg: register(), rm: rm, width: width)
        case 3:
            if width == 2 { current.code.append(0x66) }
            if width == 8 { current.code.append(0x48) }
            current.code += [UInt8(operation * 8 + (width == 1 ? 4 : 5))] + immediate(min(width, 4))
        case 4:
            let isShort = width == 1 || random.oneIn(2)
            let opcode: UInt8 = width == 1 ? 0x80 : isShort ? 0x83 : 0x81
            emit(
                Encoding(
                    opcode: [opcode], width: width, reg: operation, rm: rm, immediate: immediate(isShort ? 1 : min(width, 4)),
                    lock: lock && operation != 7, hasByteRegisters: width == 1))
        case 5:
            current.undefinedFlags = 0
            emitInteger([0xfe], reg: random.below(2), rm: rm, width: width, lock: lock)
        default: makeTestNotNeg(width, rm, lock)
        }
    }

    private mutating func makeTestNotNeg(_ width: Int, _ rm: Int?, _ lock: Bool) {
        current.undefinedFlags = 0
        switch random.below(4) {
        case 0:
            current.undefinedFlags = Flag.a
            emitInteger([0x84], reg: register(), rm: rm, width: width)
        case 1:
            current.undefinedFlags = Flag.a
            emitInteger([0xf6], reg: random.below(2), rm: rm, width: width, immediate: immediate(min(width, 4)))
        case 2: emitInteger([0xf6], reg: 2, rm: rm, width: width, lock: lock)
        default: emitInteger([0xf6], reg: 3, rm: rm, width: width, lock: lock)
        }
    }

    mutating func makeShift() {
        if random.oneIn(4) { return makeDoubleShift() }
        let width = width()
        let operation = random.below(8)
        var count = random.byte() & (random.oneIn(2) ? 0xff : 31)
        if random.oneIn(4) { count = 1 }
        let rm = registerOrMemory()
        switch random.below(3) {
        case 0: emitInteger([0xc0], reg: operation, rm: rm, width: width, immediate: [count])
        case 1:
            count = 1
            emitInteger([0xd0], reg: operation, rm: rm, width: width)
        default:
            pin(1, current.state.gpr[1] & ~0xff | UInt64(count))
            emitInteger([0xd2], reg: operation, rm: rm, width: width)
        }
        current.undefinedFlags = Self.undefinedShiftFlags(operation, Int(count) & (width == 8 ? 63 : 31), width * 8)
    }

    static func undefinedShiftFlags(_ operation: Int, _ count: Int, _ bits: Int) -> UInt64 {
        guard count != 0 else { return 0 }
        let overflow = count == 1 ? 0 : Flag.o
        if operation < 4 { return overflow }
        return overflow | Flag.a | (operation != 7 && count >= bits ? Flag.c : 0)
    }

    /// SHLD and SHRD; counts beyond 16 bits of a 16-bit operand leave the result undefined and are left out.
    private mutating func makeDoubleShift() {
        let width = random.pick([2, 4, 8])
        let count = width == 2 ? random.below(17) : random.below(width == 8 ? 64 : 32)
        let opcode: UInt8 = random.oneIn(2) ? 0xa4 : 0xac
        if random.oneIn(2) {
            emit(Encoding(opcode: [0x0f, opcode], width: width, reg: register(), rm: registerOrMemory(), immediate: [UInt8(count)]))
        } else {
            pin(1, current.state.gpr[1] & ~0xff | UInt64(count))
            emit(Encoding(opcode: [0x0f, opcode + 1], width: width, reg: register(), rm: registerOrMemory()))
        }
        current.undefinedFlags = count == 0 ? 0 : Flag.a | (count == 1 ? 0 : Flag.o)
    }

    mutating func makeMultiplyDivide() {
        let width = width()
        switch random.below(4) {
        case 0:
            current.undefinedFlags = Flag.s | Flag.z | Flag.a | Flag.p
            emitInteger([0xf6], reg: 4 + random.below(2), rm: registerOrMemory(), width: width)
        case 1:
            current.undefinedFlags = Flag.s | Flag.z | Flag.a | Flag.p
            let wide = max(width, 2)
            switch random.below(3) {
            case 0: emit(Encoding(opcode: [0x0f, 0xaf], width: wide, reg: register(), rm: registerOrMemory()))
            case 1: emit(Encoding(opcode: [0x6b], width: wide, reg: register(), rm: registerOrMemory(), immediate: immediate(1)))
            default:
                emit(Encoding(opcode: [0x69], width: wide, reg: register(), rm: registerOrMemory(), immediate: immediate(min(wide, 4))))
            }
        default:
            current.undefinedFlags = Flag.all
            // A dividend that is not far too large, or nearly every division would end in #DE.
            if random.oneIn(2) {
                pin(2, random.pick([0, 0, 1, 5, ~0]))
                pin(0)
                if width == 1 { pin(0, current.state.gpr[0] & 0xfff) }
            }
            emitInteger([0xf6], reg: 6 + random.below(2), rm: registerOrMemory(), width: width)
        }
    }

    mutating func makeBitOperation() {
        let width = random.pick([2, 4, 8])
        let operation = random.below(4)
        switch random.below(4) {
        case 0:
            current.undefinedFlags = Flag.o | Flag.s | Flag.a | Flag.p
            let reg = register()
            pin(reg, UInt64(bitPattern: Int64(random.below(4000) - 2000)))
            let rm = registerOrMemory()
            let lock = rm == nil && operation > 0 && random.oneIn(4)
            emit(Encoding(opcode: [0x0f, UInt8(0xa3 + operation * 8)], width: width, reg: reg, rm: rm, lock: lock))
        case 1:
            current.undefinedFlags = Flag.o | Flag.s | Flag.a | Flag.p
            emit(Encoding(opcode: [0x0f, 0xba], width: width, reg: 4 + operation, rm: registerOrMemory(), immediate: [random.byte()]))
        case 2: makeScan(width)
        default:
            let isPopulation = random.oneIn(3)
            current.undefinedFlags = isPopulation ? 0 : Flag.o | Flag.s | Flag.a | Flag.p
            let opcode: UInt8 = isPopulation ? 0xb8 : random.oneIn(2) ? 0xbc : 0xbd
            emit(Encoding(opcode: [0x0f, opcode], prefix: 0xf3, width: width, reg: register(), rm: registerOrMemory()))
        }
    }

    /// BSF and BSR; a source of zero leaves the destination undefined, so none here.
    private mutating func makeScan(_ width: Int) {
        current.undefinedFlags = Flag.o | Flag.s | Flag.a | Flag.p | Flag.c
        let rm = registerOrMemory()
        if let rm { pin(rm, current.state.gpr[rm] | 1 << UInt64(random.below(width * 8))) }
        let offset = emit(Encoding(opcode: [0x0f, random.oneIn(2) ? 0xbc : 0xbd], width: width, reg: register(), rm: rm))
        if let offset { fill(at: offset, [random.integer() | 1 << UInt64(random.below(width * 8))]) }
    }

    mutating func makeBitManipulation() {
        let width = random.pick([4, 8])
        let (reg, vvvv, rm) = (register(), register(), registerOrMemory())
        func bmi(_ opcode: UInt8, _ prefix: UInt8?, _ flags: UInt64, _ reg: Int) -> (Encoding, UInt64) {
            (Encoding(opcode: [0x0f, 0x38, opcode], prefix: prefix, width: width, reg: reg, rm: rm, vvvv: vvvv), flags)
        }
        var encoding: Encoding
        switch random.below(12) {
        case 0: (encoding, current.undefinedFlags) = bmi(0xf2, nil, Flag.a | Flag.p, reg)
        case 1: (encoding, current.undefinedFlags) = bmi(0xf3, nil, Flag.a | Flag.p, 1 + random.below(3))
        case 2: (encoding, current.undefinedFlags) = bmi(0xf5, nil, Flag.a | Flag.p, reg)
        case 3: (encoding, current.undefinedFlags) = bmi(0xf5, random.pick([0xf2, 0xf3]), 0, reg)
        case 4: (encoding, current.undefinedFlags) = bmi(0xf6, 0xf2, 0, reg)
        case 5: (encoding, current.undefinedFlags) = bmi(0xf7, nil, Flag.a | Flag.s | Flag.p, reg)
        case 6: (encoding, current.undefinedFlags) = bmi(0xf7, random.pick([0x66, 0xf2, 0xf3]), 0, reg)
        case 7:
            encoding = Encoding(
                opcode: [0x0f, 0x3a, 0xf0], prefix: 0xf2, width: width, reg: reg, rm: rm, immediate: [random.byte()], vvvv: 0)
        case 8, 9:
            encoding = Encoding(opcode: [0x0f, 0x38, 0xf6], prefix: random.pick([0x66, 0xf3]), width: width, reg: reg, rm: rm)
        case 10:
            encoding = Encoding(opcode: [0x0f, 0x38, random.pick([0xf0, 0xf1])], width: random.pick([2, 4, 8]), reg: reg)
        default:
            let isByte = random.oneIn(3)
            encoding = Encoding(
                opcode: [0x0f, 0x38, isByte ? 0xf0 : 0xf1], prefix: 0xf2, width: isByte ? width : random.pick([2, 4, 8]), reg: reg, rm: rm,
                hasByteRegisters: isByte)
        }
        emit(encoding)
    }
}
