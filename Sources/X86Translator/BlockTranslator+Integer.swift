internal import X86Decoder
internal import X86Interpreter

/// One instruction at a time.
extension BlockTranslator {
    mutating func emit(_ index: Int) {
        let row = unsafe space.rows[index]
        let plan = unsafe space.plans[index]
        switch plan.shape {
        case .modRM: emitModRM(index, row, plan)
        case .nothing: break
        case .lea: emitLEA(row, plan)
        case .plain: emitPlain(index, row, plan)
        case .accumulatorImmediate: emitAccumulator(index, row, plan)
        case .moveImmediate: emitMoveImmediate(row, plan)
        case .swapBytes: emitSwapBytes(row, plan)
        case .exchangeAccumulator: emitExchange(row, plan)
        case .moveOffset: emitMoveOffset(index, row, plan)
        case .divideUnsigned, .divideSigned: emitDivide(index, row, plan)
        case .push: emitPush(index) { $0.read(row.rm, .r13) }
        case .pushImmediate: emitPushImmediate(index, row)
        case .pushMemory: emitPushMemory(index, row)
        case .pop: emitPop(index, row)
        case .leave: emitLeave(index)
        case .pushFlags: emitPushFlags(index)
        case .bitInMemory: emitBitInMemory(index, row, plan)
        case .repeatedMove, .repeatedStore: emitRepeatedString(index, row, plan)
        case .moveFromSegment: emitMoveFromSegment(row, plan)
        case .closeInterrupts: emitCloseInterrupts(index)
        case .openInterrupts: emitOpenInterrupts(index)
        default: emitTransfer(index, row, plan)
        }
    }

    @inline(__always)
    private func opcode(_ row: Instruction, _ plan: Plan) -> Assembler.Opcode {
        Assembler.Opcode(
            code: row.opcode & 0x3ff, mandatory: plan.mandatory, is16: plan.width == 2, is64: plan.width == 8,
            locks: row.flags.contains(.lock))
    }

    // MARK: - ModRM

    private mutating func emitModRM(_ index: Int, _ row: Instruction, _ plan: Plan) {
        let isMemory = row.flags.contains(.memory)
        if isMemory { probeOperand(index, isWrite: plan.writesRM) }
        provideFlags(index)
        var code = opcode(row, plan)
        var reg = row.reg & 7
        var storesReg = false
        if plan.reg == .general || plan.reg == .byte {
            let isHigh = plan.reg == .byte && row.reg & 0xc == 4 && !row.flags.contains(.rex)
            if isHigh {
                reg = row.reg
            } else if let host = HostRegister.holding(guest: row.reg) {
                reg = host.number
                if plan.reg == .byte && row.reg & 0xc == 4 { code.needsREX = true }
            } else {
                reg = HostRegister.scratch.number
                storesReg = plan.writesReg
                if plan.readsReg || plan.width < 4 { a.loadState(.scratch, Int(truncatingIfNeeded: row.reg) &* 8) }
            }
        } else if plan.reg == .vector {
            reg = row.reg
        }
        if isMemory {
            a.emitGuestMemory(code, reg)
        } else {
            emitRegisterForm(row, plan, code, reg)
        }
        a.immediate(row.immediate, byteCount: plan.immediateBytes)
        // XADD of a register with itself leaves the sum, so rm comes last.
        if storesReg { a.storeState(Int(truncatingIfNeeded: row.reg) &* 8, .scratch) }
        if !isMemory && plan.writesRM && plan.rm != .vector && HostRegister.holding(guest: row.rm) == nil {
            a.storeState(Int(truncatingIfNeeded: row.rm) &* 8, .r11)
        }
        noteFlagWrites(index)
    }

    @inline(__always)
    private mutating func emitRegisterForm(_ row: Instruction, _ plan: Plan, _ opcode: Assembler.Opcode, _ reg: UInt8) {
        if plan.rm == .vector { return a.emit(opcode, reg, HostRegister(number: row.rm)) }
        if plan.rm == .byte && row.rm & 0xc == 4 && !row.flags.contains(.rex) {
            return a.emit(opcode, reg, HostRegister(number: row.rm))
        }
        if let host = HostRegister.holding(guest: row.rm) {
            var opcode = opcode
            if plan.rm == .byte && row.rm & 0xc == 4 { opcode.needsREX = true }
            return a.emit(opcode, reg, host)
        }
        if plan.readsRM || plan.width < 4 || plan.rm == .byte { a.loadState(.r11, Int(truncatingIfNeeded: row.rm) &* 8) }
        a.emit(opcode, reg, .r11)
    }

    // MARK: - others

    private mutating func emitLEA(_ row: Instruction, _ plan: Plan) {
        let code = Assembler.Opcode(code: 0x8d, is16: plan.width == 2, is64: plan.width == 8)
        if let host = HostRegister.holding(guest: row.reg) { return emitEffectiveAddress(row, into: host.number, code) }
        if plan.width == 2 { a.loadState(.scratch, Int(truncatingIfNeeded: row.reg) &* 8) }
        emitEffectiveAddress(row, into: HostRegister.scratch.number, code)
        a.storeState(Int(truncatingIfNeeded: row.reg) &* 8, .scratch)
    }

    /// CBW to CQO, LAHF, SAHF, CMC, CLC, STC, fences: RAX and RDX are the host's.
    private mutating func emitPlain(_ index: Int, _ row: Instruction, _ plan: Plan) {
        provideFlags(index)
        if plan.width == 2 { a.byte(0x66) }
        if plan.width == 8 { a.byte(0x48) }
        if row.opcode > 0xff { a.byte(0x0f) }
        a.byte(UInt8(truncatingIfNeeded: row.opcode))
        if row.flags.contains(.hasModRM) { a.byte(row.modRM) }
        noteFlagWrites(index)
    }

    private mutating func emitAccumulator(_ index: Int, _ row: Instruction, _ plan: Plan) {
        provideFlags(index)
        if plan.width == 2 { a.byte(0x66) }
        if plan.width == 8 { a.byte(0x48) }
        a.byte(UInt8(truncatingIfNeeded: row.opcode))
        a.immediate(row.immediate, byteCount: plan.immediateBytes)
        noteFlagWrites(index)
    }

    private mutating func emitMoveImmediate(_ row: Instruction, _ plan: Plan) {
        let slot = Int(truncatingIfNeeded: row.rm) &* 8
        switch plan.width {
        case 1: emitMoveByte(row)
        case 2:
            let code = Assembler.Opcode(code: 0xc7, is16: true)
            if let host = HostRegister.holding(guest: row.rm) { a.emit(code, 0, host) } else { a.emitState(code, 0, slot) }
            a.immediate(row.immediate, byteCount: 2)
        case 4:
            let host = HostRegister.holding(guest: row.rm)
            a.loadImmediate32(host ?? .scratch, UInt32(truncatingIfNeeded: row.immediate))
            if host == nil { a.storeState(slot, .scratch) }
        default:
            let host = HostRegister.holding(guest: row.rm)
            a.loadImmediate(host ?? .scratch, row.immediate)
            if host == nil { a.storeState(slot, .scratch) }
        }
    }

    private mutating func emitMoveByte(_ row: Instruction) {
        let hasREX = row.flags.contains(.rex)
        if row.rm & 0xc == 4 && !hasREX {
            a.byte(0xb0 | row.rm)
        } else if let host = HostRegister.holding(guest: row.rm) {
            a.emit(Assembler.Opcode(code: 0xc6, needsREX: hasREX), 0, host)
        } else {
            a.emitState(.one(0xc6, is64: false), 0, Int(truncatingIfNeeded: row.rm) &* 8)
        }
        a.byte(UInt8(truncatingIfNeeded: row.immediate))
    }

    private mutating func emitSwapBytes(_ row: Instruction, _ plan: Plan) {
        let host = read(row.rm, .scratch)
        let rex: UInt8 = (plan.width == 8 ? 8 : 0) | host.number &>> 3
        if rex != 0 { a.byte(0x40 | rex) }
        a.bytes(0x0f, 0xc8 | host.number & 7)
        if host == .scratch { a.storeState(Int(truncatingIfNeeded: row.rm) &* 8, .scratch) }
    }

    private mutating func emitExchange(_ row: Instruction, _ plan: Plan) {
        let host = read(row.rm, .scratch)
        a.emit(Assembler.Opcode(code: 0x87, is16: plan.width == 2, is64: plan.width == 8), 0, host)
        if host == .scratch { a.storeState(Int(truncatingIfNeeded: row.rm) &* 8, .scratch) }
    }

    /// MOV between the accumulator and an absolute address.
    private mutating func emitMoveOffset(_ index: Int, _ row: Instruction, _ plan: Plan) {
        destroyFlags(index)
        a.loadImmediate(.r10, row.immediate)
        addSegmentBase(row)
        let isWrite = row.opcode >= 0xa2
        probe(index, width: plan.width, isWrite: isWrite)
        let code: UInt16 = (isWrite ? 0x88 : 0x8a) | (plan.width == 1 ? 0 : 1)
        a.emitGuestMemory(Assembler.Opcode(code: code, is16: plan.width == 2, is64: plan.width == 8), 0)
    }

    /// The host divides once it is sure that it will not fault: what may, the interpreter does.
    private mutating func emitDivide(_ index: Int, _ row: Instruction, _ plan: Plan) {
        let is64 = plan.width == 8
        if row.flags.contains(.memory) {
            probeOperand(index, isWrite: false)
            a.emitGuestMemory(.one(0x8b, is64: is64), HostRegister.scratch.number)
        } else {
            destroyFlags(index)
            a.emit(.one(0x8b, is64: is64), HostRegister.scratch.number, read(row.rm, .scratch))
        }
        if plan.shape == .divideUnsigned {
            // The divisor has to be above the high half.
            a.emit(.one(0x3b, is64: is64), HostRegister.scratch.number, .rdx)
            leaveToInterpreter(index, if: 6)
        } else {
            // The high half has to be the low one's sign, the divisor neither 0 nor -1.
            a.emit(.one(0x8b, is64: is64), HostRegister.r11.number, .rax)
            a.emit(.one(0xc1, is64: is64), 7, .r11)
            a.byte(is64 ? 63 : 31)
            a.emit(.one(0x3b, is64: is64), HostRegister.r11.number, .rdx)
            leaveToInterpreter(index, if: 5)
            a.emitAddress(.one(0x8d, is64: is64), HostRegister.r11.number, base: .scratch, index: nil, scale: 0, 1)
            a.arithmetic(7, .r11, 1, is64: is64)
            leaveToInterpreter(index, if: 6)
        }
        a.emit(.one(0xf7, is64: is64), plan.shape == .divideUnsigned ? 6 : 7, .scratch)
        noteFlagWrites(index)
    }
}
