extension InstructionCases {
    /// Four to sixteen register instructions, each of which may use the flags of those before. AF alone is left undefined by
    /// some of them, and nothing among them reads it.
    mutating func makeSequence() {
        for _ in 0..<4 + random.below(13) { appendFlagInstruction() }
        current.undefinedFlags = Flag.a
    }

    private mutating func appendFlagInstruction() {
        let width = width()
        let condition = UInt8(random.below(16))
        switch random.below(9) {
        case 0, 1, 2: emitInteger([UInt8(random.below(8) * 8)], reg: register(), rm: register(), width: width)
        case 3: emitInteger([0xfe], reg: random.below(2), rm: register(), width: width)
        case 4: emitInteger([0xf6], reg: 3, rm: register(), width: width)
        case 5: emit(Encoding(opcode: [0x0f, 0x90 | condition], rm: register(), hasByteRegisters: true))
        case 6: emit(Encoding(opcode: [0x0f, 0x40 | condition], width: max(width, 2), reg: register(), rm: register()))
        case 7: emitInteger([0xd0], reg: random.below(8), rm: register(), width: width)
        default: current.code.append(random.pick([0xf5, 0xf8, 0xf9]))
        }
    }

    /// An instruction of another group whose memory operand faults, or nearly does.
    mutating func makeFault() {
        seeksFaults = true
        defer { seeksFaults = false }
        switch random.below(14) {
        case 0: makeArithmetic()
        case 1: makeShift()
        case 2: makeMultiplyDivide()
        case 3: makeBitOperation()
        case 4: makeMove()
        case 5: makeConditional()
        case 6: makeExchange()
        case 7: makeBitManipulation()
        case 8: makeVectorMove()
        case 9: makeVectorInteger()
        case 10: makeVectorFloat()
        case 11: makeX87()
        case 12: makeFaultingPush()
        default: makeString()
        }
    }

    private mutating func makeFaultingPush() {
        // Some hosts map the last page below 2⁴⁷, so the stack stays above it.
        let edge: UInt64 = random.pick([
            HostCPU.dataAddress, HostCPU.dataAddress + UInt64(HostCPU.dataByteCount), 0x8000_0000_0020, 1 << 60,
        ])
        pin(4, edge &+ UInt64(random.below(20)) &- 10)
        current.code = random.pick([[0x50], [0x58], [0x9c], [0x6a, 0x11], [0xe8, 0, 0, 0, 0], [0x66, 0x53], [0xc3]])
        // A return that does not fault has to go on behind itself.
        if current.code == [0xc3] {
            let offset = Int(truncatingIfNeeded: current.state.gpr[4] &- HostCPU.dataAddress)
            if current.memory.indices.contains(offset) { fill(at: offset, [HostCPU.codeAddress + 1]) }
        }
    }
}
