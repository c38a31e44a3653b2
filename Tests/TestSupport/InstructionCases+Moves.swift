extension InstructionCases {
    mutating func makeMove() {
        let width = width()
        let wide = max(width, 2)
        let rm = registerOrMemory()
        switch random.below(10) {
        case 0: emitInteger([random.pick([0x88, 0x8a])], reg: register(), rm: rm, width: width)
        case 1: emitInteger([0xc6], reg: 0, rm: rm, width: width, immediate: immediate(min(width, 4)))
        case 2: makeMoveImmediate(width)
        case 3: makeMoveOffset(width)
        case 4:
            let isByteSource = random.oneIn(2)
            emit(
                Encoding(
                    opcode: [0x0f, random.pick([0xb6, 0xbe]) + (isByteSource ? 0 : 1)], width: wide, reg: register(), rm: rm,
                    hasByteRegisters: isByteSource))
        case 5: emit(Encoding(opcode: [0x63], width: wide, reg: register(), rm: rm))
        case 6: emit(Encoding(opcode: [0x8d], width: wide, reg: register()))
        case 7:
            if random.oneIn(2) { current.code.append(random.pick([0x66, 0x48])) }
            current.code.append(random.pick([0x98, 0x99]))
        case 8:  // XLAT
            pin(3, HostCPU.dataAddress + UInt64(random.below(4096)))
            current.code = [0xd7]
        default:
            let register = register()
            current.code = [0x40 | (random.oneIn(2) ? 8 : 0) | UInt8(register >> 3), 0x0f, 0xc8 | UInt8(register & 7)]
        }
    }

    private mutating func makeMoveImmediate(_ width: Int) {
        let register = register()
        if width == 2 { current.code.append(0x66) }
        let rex = UInt8(register >> 3) | (width == 8 ? 8 : 0)
        if rex != 0 || random.oneIn(3) { current.code.append(0x40 | rex) }
        current.code += [(width == 1 ? 0xb0 : 0xb8) | UInt8(register & 7)] + immediate(width)
    }

    private mutating func makeMoveOffset(_ width: Int) {
        let short = random.oneIn(4)
        if short { current.code.append(0x67) }
        if width == 2 { current.code.append(0x66) }
        if width == 8 { current.code.append(0x48) }
        let address = little(UInt32(HostCPU.dataAddress) + UInt32(random.below(8000)))
        current.code += [random.pick([0xa0, 0xa2]) + (width == 1 ? 0 : 1)] + address + (short ? [] : [0, 0, 0, 0])
    }

    mutating func makeConditional() {
        let condition = UInt8(random.below(16))
        switch random.below(6) {
        case 0, 1:
            emit(Encoding(opcode: [0x0f, 0x40 | condition], width: random.pick([2, 4, 8]), reg: register(), rm: registerOrMemory()))
        case 2:
            emit(Encoding(opcode: [0x0f, 0x90 | condition], reg: random.below(8), rm: registerOrMemory(), hasByteRegisters: true))
        case 3: current.code = [0x70 | condition, 2, 0xff, 0xc0]  // over inc eax
        case 4: current.code = [0x0f, 0x80 | condition, 2, 0, 0, 0, 0xff, 0xc0]
        default:
            current.state.gpr[1] = random.pick([0, 1, 2, 1 << 32, 1 << 32 | 1, ~0])
            current.code = (random.oneIn(3) ? [0x67] : []) + [0xe0 + UInt8(random.below(4)), 2, 0xff, 0xc0]
        }
    }

    mutating func makeExchange() {
        let width = width()
        let rm = registerOrMemory()
        let lock = rm == nil && random.oneIn(3)
        switch random.below(6) {
        case 0: emitInteger([0x86], reg: register(), rm: rm, width: width, lock: lock)
        case 1:
            let register = register()
            current.code = [0x40 | (random.oneIn(2) ? 8 : 0) | UInt8(register >> 3), 0x90 | UInt8(register & 7)]
        case 2: emitInteger([0x0f, 0xc0], reg: register(), rm: rm, width: width, lock: lock)
        case 3, 4: makeCompareExchange(width, rm, lock)
        default: makeCompareExchangePair(lock)
        }
    }

    private mutating func makeCompareExchange(_ width: Int, _ rm: Int?, _ lock: Bool) {
        pin(0)
        if let rm, random.oneIn(2) { current.state.gpr[0] = current.state.gpr[rm] }
        let offset = emitInteger([0x0f, 0xb0], reg: register(), rm: rm, width: width, lock: lock)
        if let offset, random.oneIn(2) { fill(at: offset, [current.state.gpr[0] ^ (width == 4 ? 1 << 40 : 0)]) }
    }

    private mutating func makeCompareExchangePair(_ lock: Bool) {
        for register in [0, 1, 2, 3] { pin(register) }
        let width = random.pick([4, 8])
        let offset = emit(Encoding(opcode: [0x0f, 0xc7], width: width, reg: 1, alignment: random.oneIn(8) ? 1 : 16, lock: lock))
        guard let offset, random.oneIn(2) else { return }
        let (low, high) = (current.state.gpr[0], current.state.gpr[2])
        fill(at: offset, width == 8 ? [low, high] : [low & 0xffff_ffff | high << 32])
    }

    mutating func makeString() {
        let width = random.pick([1, 2, 4, 8])
        let opcode: UInt8 = random.pick([0xa4, 0xa6, 0xaa, 0xac, 0xae])
        let (source, destination) = (1024 + random.below(2048), 4096 + random.below(2048))
        let overlap = random.oneIn(8)
        pin(6, HostCPU.dataAddress + UInt64(source))
        pin(7, HostCPU.dataAddress + UInt64(overlap ? source + random.below(64) - 32 : destination))
        if seeksFaults { placeStringsAtEdges() }
        let repeats = random.below(3)
        pin(1, repeats > 0 ? UInt64(random.below(33)) : random.next())
        current.state.rflags = random.flags(direction: true)
        if opcode & 0xfe != 0xa4 && !overlap { makeEqualRuns(source, destination) }
        if repeats > 0 { current.code.append(repeats == 1 ? 0xf3 : 0xf2) }
        // REPNE of MOVS, STOS and LODS works as REP on every processor but is not documented.
        if repeats == 2 && ![0xa6, 0xae].contains(opcode) { current.code[0] = 0xf3 }
        if width == 2 { current.code.append(0x66) }
        if width == 8 { current.code.append(0x48) }
        current.code.append(opcode + (width == 1 ? 0 : 1))
    }

    private mutating func placeStringsAtEdges() {
        let edges = [0, HostCPU.dataByteCount].map { HostCPU.dataAddress + UInt64($0) }
        if random.oneIn(2) { pin(6, random.pick(edges) &+ UInt64(random.below(64)) &- 32) }
        if random.oneIn(2) { pin(7, random.pick(edges) &+ UInt64(random.below(64)) &- 32) }
    }

    /// Lets comparisons run for a while.
    private mutating func makeEqualRuns(_ source: Int, _ destination: Int) {
        let value = random.byte()
        current.state.gpr[0] = UInt64(value) &* 0x0101_0101_0101_0101
        for offset in -264..<264 {
            current.memory[source + offset] = value
            current.memory[destination + offset] = value
        }
        if random.oneIn(2) { current.memory[destination + random.below(64) - 32] ^= 1 }
        if random.oneIn(4) { current.state.gpr[0] = random.integer() }
    }

    mutating func makeStackOperation() {
        pin(4, HostCPU.dataAddress + UInt64(2048 + random.below(4096)))
        let short: [UInt8] = random.oneIn(5) ? [0x66] : []
        let register = register()
        let rex: [UInt8] = register > 7 ? [0x41] : []
        switch random.below(9) {
        case 0: current.code = short + rex + [0x50 | UInt8(register & 7)]
        case 1: current.code = short + rex + [0x58 | UInt8(register & 7)]
        case 2: current.code = short + [0x6a] + immediate(1)
        case 3: current.code = short + [0x68] + immediate(short.isEmpty ? 4 : 2)
        case 4: emit(Encoding(opcode: [0xff], width: short.isEmpty ? 4 : 2, reg: 6))
        case 5: emit(Encoding(opcode: [0x8f], width: short.isEmpty ? 4 : 2, reg: 0))
        case 6:
            pin(5, HostCPU.dataAddress + UInt64(1024 + random.below(6144)))
            current.code = random.oneIn(2) ? short + [0xc9] : short + [0xc8] + [UInt8(random.below(256)), 1, UInt8(random.below(4))]
        case 7: current.code = [0xe8, 2, 0, 0, 0, 0xff, 0xc0, 0xff, 0xc3]  // call over inc eax; inc ebx
        default: current.code = [0xe8, 2, 0, 0, 0, 0xeb, 6, 0xff, 0xc0, 0xc2, UInt8(random.below(64)), 0, 0x90]  // call, ret n, jmp out
        }
    }

    mutating func makeFlagOperation() {
        current.state.rflags = random.flags(direction: true)
        pin(4, HostCPU.dataAddress + UInt64(2048 + random.below(4096)))
        switch random.below(5) {
        case 0: current.code = [random.pick([0xf5, 0xf8, 0xf9, 0xfc, 0xfd])]
        case 1: current.code = [random.pick([0x9e, 0x9f])]
        case 2: current.code = (random.oneIn(4) ? [0x66] : []) + [0x9c]
        default:
            // Nothing that would disturb the host: no TF, NT, AC or ID.
            fill(at: Int(current.state.gpr[4] - HostCPU.dataAddress), [random.next() & 0xcd5 | 0x202])
            current.code = (random.oneIn(4) ? [0x66] : []) + [0x9d]
        }
    }

    /// What only 32-bit code has, and 16-bit addresses excluded, for the data is out of their reach.
    mutating func makeLegacy() {
        current.mode = .bits32
        for index in 0..<16 { current.state.gpr[index] &= 0xffff_ffff }
        switch random.below(9) {
        case 0: (current.code, current.undefinedFlags) = ([random.pick([0x27, 0x2f])], Flag.o)
        case 1: (current.code, current.undefinedFlags) = ([random.pick([0x37, 0x3f])], Flag.o | Flag.s | Flag.z | Flag.p)
        case 2:
            (current.code, current.undefinedFlags) = ([0xd4, random.oneIn(2) ? 10 : random.byte()], Flag.o | Flag.a | Flag.c)
            if current.code[1] == 0 { current.undefinedFlags = Flag.all }
        case 3: (current.code, current.undefinedFlags) = ([0xd5, random.oneIn(2) ? 10 : random.byte()], Flag.o | Flag.a | Flag.c)
        case 4: current.code = [0x40 | UInt8(random.below(16))]
        case 5:
            pin(4, HostCPU.dataAddress + UInt64(2048 + random.below(4096)))
            current.code = (random.oneIn(3) ? [0x66] : []) + [random.pick([0x60, 0x61])]
        case 6:
            let register = random.below(8)
            current.state.gpr[register] = random.integer() & 0xffff_ffff
            pin(register)
            emit(Encoding(opcode: [0x62], width: random.pick([2, 4]), reg: register))
        case 7: current.code = [0xd6]
        default: makeArithmetic()
        }
    }
}
