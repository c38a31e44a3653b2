internal import Synchronization
internal import X86
internal import X86Decoder

/// The run loop: from block to block, each one walked row by row through one switch.
extension Core {
    /// Runs blocks until something waits for the caller, or one block.
    ///
    /// - Throws: what stopped an instruction. `s.rip` names it then, `s.nextRIP` what follows it, and every instruction
    ///   before it is complete.
    @inline(never)
    func runBlocks(once: Bool = false) throws(GuestFault) {
        s.nextRIP = s.rip
        var block = unsafe try currentBlock()
        let attention = shared.attention
        while true {
            let exit = unsafe try execute(block)
            if once || attention.isRaised { return }
            if exit != .anywhere, let next = unsafe exit == .taken ? block.pointee.link1 : block.pointee.link0,
                unsafe next.pointee.isValid
            {
                unsafe block = next
                continue
            }
            s.nextRIP = s.rip
            let from = blockRIP
            let flushes = shared.blocks.flushCount
            let next = unsafe try currentBlock()
            if exit != .anywhere, flushes == shared.blocks.flushCount, isSamePage(from, s.rip), unsafe block.pointee.isValid,
                unsafe !next.pointee.crossesPage
            {
                if exit == .taken { unsafe block.pointee.link1 = next } else { unsafe block.pointee.link0 = next }
            }
            unsafe block = next
        }
    }

    /// Direct successors in the same page may be linked for good: they move with the page.
    private func isSamePage(_ a: UInt64, _ b: UInt64) -> Bool {
        let base = s.codeSize == .bits64 ? 0 : segment(1).base
        return ((a &+ base) ^ (b &+ base)) & ~0xfff == 0 && base & 0xfff == 0
    }

    /// Whether each instruction has to be run alone, to look at breakpoints or to trap behind it.
    @inline(__always)
    var runsAlone: Bool { s.isStepping || (s.instructionBreakpoints | s.dataBreakpoints | s.portBreakpoints) != 0 }

    /// Runs instructions one by one until something waits for the caller, at least one.
    func runAlone() throws(GuestFault) {
        repeat { try step() } while runsAlone && !shared.attention.isRaised
    }

    /// Runs the instruction at `s.rip` alone, out of no cache. What the debug registers and RFLAGS.TF make of it waits in
    /// ``CPUState/pendingDebug`` then.
    ///
    /// - Throws: as ``runBlocks()``; #DB as a fault when an instruction breakpoint is there.
    func step() throws(GuestFault) {
        let traps = s.isStepping
        let resumes = s.systemFlags & RFLAGS.resume != 0
        s.nextRIP = s.rip
        if s.instructionBreakpoints != 0 && !resumes && !s.debugShadow { try matchInstruction() }
        let block = unsafe try scratchBlock()
        s.systemFlags &= ~RFLAGS.resume
        s.interruptShadow = false
        s.debugShadow = false
        s.cancelsStep = false
        // Repeats of string instructions stop after one iteration.
        if traps { shared.attention.raise() }
        do throws(GuestFault) {
            _ = unsafe try execute(block)
        } catch {
            if error.kind == .codeWrite && resumes { s.systemFlags |= RFLAGS.resume }
            if error.kind == .leave && s.exitReason == .none { noteIteration(traps) }
            throw error
        }
        if traps && !s.cancelsStep && s.exitReason == .none { s.pendingDebug |= DR6.singleStep }
    }

    /// A string instruction was left between two iterations; its breakpoint has been passed.
    private func noteIteration(_ traps: Bool) {
        if traps { s.pendingDebug |= DR6.singleStep }
        if s.instructionBreakpoints != 0 { s.systemFlags |= RFLAGS.resume }
    }

    /// How a block was left: which link leads on, if one may.
    enum BlockExit {
        case fallThrough
        case taken
        case anywhere
    }

    /// Runs one block to its end; `s.rip` then names the next instruction.
    @inline(__always)
    private func execute(_ block: UnsafeMutablePointer<Block>) throws(GuestFault) -> BlockExit {
        blockRIP = s.rip
        s.interruptShadow = false
        s.instructionCount &+= UInt64(truncatingIfNeeded: unsafe block.pointee.instructionCount)
        var row = unsafe UnsafePointer(block.instructions)
        do throws(GuestFault) {
            while true {
                let i = unsafe InstructionRef(row)
                switch i.operation {
                case .endOfBlock:
                    s.rip = nextRIP(i)
                    return .fallThrough

                case .addRR8: registerRegister(i, UInt8.self, Add.self)
                case .addRR32: registerRegister(i, UInt32.self, Add.self)
                case .addRR64: registerRegister(i, UInt64.self, Add.self)
                case .orRR8: registerRegister(i, UInt8.self, Or.self)
                case .orRR32: registerRegister(i, UInt32.self, Or.self)
                case .orRR64: registerRegister(i, UInt64.self, Or.self)
                case .adcRR8: registerRegister(i, UInt8.self, AddWithCarry.self)
                case .adcRR32: registerRegister(i, UInt32.self, AddWithCarry.self)
                case .adcRR64: registerRegister(i, UInt64.self, AddWithCarry.self)
                case .sbbRR8: registerRegister(i, UInt8.self, SubtractWithBorrow.self)
                case .sbbRR32: registerRegister(i, UInt32.self, SubtractWithBorrow.self)
                case .sbbRR64: registerRegister(i, UInt64.self, SubtractWithBorrow.self)
                case .andRR8: registerRegister(i, UInt8.self, And.self)
                case .andRR32: registerRegister(i, UInt32.self, And.self)
                case .andRR64: registerRegister(i, UInt64.self, And.self)
                case .subRR8: registerRegister(i, UInt8.self, Subtract.self)
                case .subRR32: registerRegister(i, UInt32.self, Subtract.self)
                case .subRR64: registerRegister(i, UInt64.self, Subtract.self)
                case .xorRR8: registerRegister(i, UInt8.self, ExclusiveOr.self)
                case .xorRR32: registerRegister(i, UInt32.self, ExclusiveOr.self)
                case .xorRR64: registerRegister(i, UInt64.self, ExclusiveOr.self)
                case .cmpRR8: registerRegister(i, UInt8.self, Compare.self)
                case .cmpRR32: registerRegister(i, UInt32.self, Compare.self)
                case .cmpRR64: registerRegister(i, UInt64.self, Compare.self)
                case .testRR8: registerRegister(i, UInt8.self, Test.self)
                case .testRR32: registerRegister(i, UInt32.self, Test.self)
                case .testRR64: registerRegister(i, UInt64.self, Test.self)
                case .addRM8: try registerMemory(i, UInt8.self, Add.self)
                case .addRM32: try registerMemory(i, UInt32.self, Add.self)
                case .addRM64: try registerMemory(i, UInt64.self, Add.self)
                case .orRM8: try registerMemory(i, UInt8.self, Or.self)
                case .orRM32: try registerMemory(i, UInt32.self, Or.self)
                case .orRM64: try registerMemory(i, UInt64.self, Or.self)
                case .adcRM8: try registerMemory(i, UInt8.self, AddWithCarry.self)
                case .adcRM32: try registerMemory(i, UInt32.self, AddWithCarry.self)
                case .adcRM64: try registerMemory(i, UInt64.self, AddWithCarry.self)
                case .sbbRM8: try registerMemory(i, UInt8.self, SubtractWithBorrow.self)
                case .sbbRM32: try registerMemory(i, UInt32.self, SubtractWithBorrow.self)
                case .sbbRM64: try registerMemory(i, UInt64.self, SubtractWithBorrow.self)
                case .andRM8: try registerMemory(i, UInt8.self, And.self)
                case .andRM32: try registerMemory(i, UInt32.self, And.self)
                case .andRM64: try registerMemory(i, UInt64.self, And.self)
                case .subRM8: try registerMemory(i, UInt8.self, Subtract.self)
                case .subRM32: try registerMemory(i, UInt32.self, Subtract.self)
                case .subRM64: try registerMemory(i, UInt64.self, Subtract.self)
                case .xorRM8: try registerMemory(i, UInt8.self, ExclusiveOr.self)
                case .xorRM32: try registerMemory(i, UInt32.self, ExclusiveOr.self)
                case .xorRM64: try registerMemory(i, UInt64.self, ExclusiveOr.self)
                case .cmpRM8: try registerMemory(i, UInt8.self, Compare.self)
                case .cmpRM32: try registerMemory(i, UInt32.self, Compare.self)
                case .cmpRM64: try registerMemory(i, UInt64.self, Compare.self)
                case .addMR8: try memoryRegister(i, UInt8.self, Add.self)
                case .addMR32: try memoryRegister(i, UInt32.self, Add.self)
                case .addMR64: try memoryRegister(i, UInt64.self, Add.self)
                case .orMR8: try memoryRegister(i, UInt8.self, Or.self)
                case .orMR32: try memoryRegister(i, UInt32.self, Or.self)
                case .orMR64: try memoryRegister(i, UInt64.self, Or.self)
                case .adcMR8: try memoryRegister(i, UInt8.self, AddWithCarry.self)
                case .adcMR32: try memoryRegister(i, UInt32.self, AddWithCarry.self)
                case .adcMR64: try memoryRegister(i, UInt64.self, AddWithCarry.self)
                case .sbbMR8: try memoryRegister(i, UInt8.self, SubtractWithBorrow.self)
                case .sbbMR32: try memoryRegister(i, UInt32.self, SubtractWithBorrow.self)
                case .sbbMR64: try memoryRegister(i, UInt64.self, SubtractWithBorrow.self)
                case .andMR8: try memoryRegister(i, UInt8.self, And.self)
                case .andMR32: try memoryRegister(i, UInt32.self, And.self)
                case .andMR64: try memoryRegister(i, UInt64.self, And.self)
                case .subMR8: try memoryRegister(i, UInt8.self, Subtract.self)
                case .subMR32: try memoryRegister(i, UInt32.self, Subtract.self)
                case .subMR64: try memoryRegister(i, UInt64.self, Subtract.self)
                case .xorMR8: try memoryRegister(i, UInt8.self, ExclusiveOr.self)
                case .xorMR32: try memoryRegister(i, UInt32.self, ExclusiveOr.self)
                case .xorMR64: try memoryRegister(i, UInt64.self, ExclusiveOr.self)
                case .cmpMR8: try memoryRegister(i, UInt8.self, Compare.self)
                case .cmpMR32: try memoryRegister(i, UInt32.self, Compare.self)
                case .cmpMR64: try memoryRegister(i, UInt64.self, Compare.self)
                case .testMR8: try memoryRegister(i, UInt8.self, Test.self)
                case .testMR32: try memoryRegister(i, UInt32.self, Test.self)
                case .testMR64: try memoryRegister(i, UInt64.self, Test.self)
                case .addRI8: registerImmediate(i, UInt8.self, Add.self)
                case .addRI32: registerImmediate(i, UInt32.self, Add.self)
                case .addRI64: registerImmediate(i, UInt64.self, Add.self)
                case .orRI8: registerImmediate(i, UInt8.self, Or.self)
                case .orRI32: registerImmediate(i, UInt32.self, Or.self)
                case .orRI64: registerImmediate(i, UInt64.self, Or.self)
                case .adcRI8: registerImmediate(i, UInt8.self, AddWithCarry.self)
                case .adcRI32: registerImmediate(i, UInt32.self, AddWithCarry.self)
                case .adcRI64: registerImmediate(i, UInt64.self, AddWithCarry.self)
                case .sbbRI8: registerImmediate(i, UInt8.self, SubtractWithBorrow.self)
                case .sbbRI32: registerImmediate(i, UInt32.self, SubtractWithBorrow.self)
                case .sbbRI64: registerImmediate(i, UInt64.self, SubtractWithBorrow.self)
                case .andRI8: registerImmediate(i, UInt8.self, And.self)
                case .andRI32: registerImmediate(i, UInt32.self, And.self)
                case .andRI64: registerImmediate(i, UInt64.self, And.self)
                case .subRI8: registerImmediate(i, UInt8.self, Subtract.self)
                case .subRI32: registerImmediate(i, UInt32.self, Subtract.self)
                case .subRI64: registerImmediate(i, UInt64.self, Subtract.self)
                case .xorRI8: registerImmediate(i, UInt8.self, ExclusiveOr.self)
                case .xorRI32: registerImmediate(i, UInt32.self, ExclusiveOr.self)
                case .xorRI64: registerImmediate(i, UInt64.self, ExclusiveOr.self)
                case .cmpRI8: registerImmediate(i, UInt8.self, Compare.self)
                case .cmpRI32: registerImmediate(i, UInt32.self, Compare.self)
                case .cmpRI64: registerImmediate(i, UInt64.self, Compare.self)
                case .testRI8: registerImmediate(i, UInt8.self, Test.self)
                case .testRI32: registerImmediate(i, UInt32.self, Test.self)
                case .testRI64: registerImmediate(i, UInt64.self, Test.self)
                case .addMI8: try memoryImmediate(i, UInt8.self, Add.self)
                case .addMI32: try memoryImmediate(i, UInt32.self, Add.self)
                case .addMI64: try memoryImmediate(i, UInt64.self, Add.self)
                case .orMI8: try memoryImmediate(i, UInt8.self, Or.self)
                case .orMI32: try memoryImmediate(i, UInt32.self, Or.self)
                case .orMI64: try memoryImmediate(i, UInt64.self, Or.self)
                case .adcMI8: try memoryImmediate(i, UInt8.self, AddWithCarry.self)
                case .adcMI32: try memoryImmediate(i, UInt32.self, AddWithCarry.self)
                case .adcMI64: try memoryImmediate(i, UInt64.self, AddWithCarry.self)
                case .sbbMI8: try memoryImmediate(i, UInt8.self, SubtractWithBorrow.self)
                case .sbbMI32: try memoryImmediate(i, UInt32.self, SubtractWithBorrow.self)
                case .sbbMI64: try memoryImmediate(i, UInt64.self, SubtractWithBorrow.self)
                case .andMI8: try memoryImmediate(i, UInt8.self, And.self)
                case .andMI32: try memoryImmediate(i, UInt32.self, And.self)
                case .andMI64: try memoryImmediate(i, UInt64.self, And.self)
                case .subMI8: try memoryImmediate(i, UInt8.self, Subtract.self)
                case .subMI32: try memoryImmediate(i, UInt32.self, Subtract.self)
                case .subMI64: try memoryImmediate(i, UInt64.self, Subtract.self)
                case .xorMI8: try memoryImmediate(i, UInt8.self, ExclusiveOr.self)
                case .xorMI32: try memoryImmediate(i, UInt32.self, ExclusiveOr.self)
                case .xorMI64: try memoryImmediate(i, UInt64.self, ExclusiveOr.self)
                case .cmpMI8: try memoryImmediate(i, UInt8.self, Compare.self)
                case .cmpMI32: try memoryImmediate(i, UInt32.self, Compare.self)
                case .cmpMI64: try memoryImmediate(i, UInt64.self, Compare.self)
                case .testMI8: try memoryImmediate(i, UInt8.self, Test.self)
                case .testMI32: try memoryImmediate(i, UInt32.self, Test.self)
                case .testMI64: try memoryImmediate(i, UInt64.self, Test.self)

                case .moveRR8: setByte(atOffset: i.rm, byte(atOffset: i.reg))
                case .moveRR32: setRegister(i.rmIndex, register(i.regIndex, as: UInt32.self))
                case .moveRR64: setFile(i.rmIndex, file(i.regIndex))
                case .load8: setByte(atOffset: i.reg, try loadOperand(i, as: UInt8.self))
                case .load32: setRegister(i.regIndex, try loadOperand(i, as: UInt32.self))
                case .load64: setRegister(i.regIndex, try loadOperand(i, as: UInt64.self))
                case .store8: try storeOperand(i, byte(atOffset: i.reg))
                case .store16: try storeOperand(i, register(i.regIndex, as: UInt16.self))
                case .store32: try storeOperand(i, register(i.regIndex, as: UInt32.self))
                case .store64: try storeOperand(i, register(i.regIndex, as: UInt64.self))
                case .moveRI8: setByte(atOffset: i.rm, i.immediate8)
                case .moveRI32: setRegister(i.rmIndex, UInt32(truncatingIfNeeded: i.immediate))
                case .moveRI64: setRegister(i.rmIndex, UInt64(truncatingIfNeeded: i.immediate))
                case .moveMI8: try storeOperand(i, UInt8(truncatingIfNeeded: i.immediate))
                case .moveMI32: try storeOperand(i, UInt32(truncatingIfNeeded: i.immediate))
                case .moveMI64: try storeOperand(i, UInt64(truncatingIfNeeded: i.immediate))

                case .zeroExtend8RR: setFile(i.regIndex, UInt64(truncatingIfNeeded: byte(atOffset: i.rm)))
                case .zeroExtend16RR: setFile(i.regIndex, UInt64(truncatingIfNeeded: register(i.rmIndex, as: UInt16.self)))
                case .zeroExtend8RM: setFile(i.regIndex, UInt64(truncatingIfNeeded: try loadOperand(i, as: UInt8.self)))
                case .zeroExtend16RM: setFile(i.regIndex, UInt64(truncatingIfNeeded: try loadOperand(i, as: UInt16.self)))
                case .signExtend8RR32: setRegister(i.regIndex, UInt32(truncatingIfNeeded: Int8(bitPattern: byte(atOffset: i.rm))))
                case .signExtend16RR32:
                    setRegister(i.regIndex, UInt32(truncatingIfNeeded: Int16(bitPattern: register(i.rmIndex, as: UInt16.self))))
                case .signExtend8RM32:
                    setRegister(i.regIndex, UInt32(truncatingIfNeeded: Int8(bitPattern: try loadOperand(i, as: UInt8.self))))
                case .signExtend16RM32:
                    setRegister(i.regIndex, UInt32(truncatingIfNeeded: Int16(bitPattern: try loadOperand(i, as: UInt16.self))))
                case .signExtend8RR64: setRegister(i.regIndex, UInt64(truncatingIfNeeded: Int8(bitPattern: byte(atOffset: i.rm))))
                case .signExtend16RR64:
                    setRegister(i.regIndex, UInt64(truncatingIfNeeded: Int16(bitPattern: register(i.rmIndex, as: UInt16.self))))
                case .signExtend8RM64:
                    setRegister(i.regIndex, UInt64(truncatingIfNeeded: Int8(bitPattern: try loadOperand(i, as: UInt8.self))))
                case .signExtend16RM64:
                    setRegister(i.regIndex, UInt64(truncatingIfNeeded: Int16(bitPattern: try loadOperand(i, as: UInt16.self))))
                case .signExtend32RR64:
                    setRegister(i.regIndex, UInt64(truncatingIfNeeded: Int32(bitPattern: register(i.rmIndex, as: UInt32.self))))
                case .signExtend32RM64:
                    setRegister(i.regIndex, UInt64(truncatingIfNeeded: Int32(bitPattern: try loadOperand(i, as: UInt32.self))))
                case .lea32: setRegister(i.regIndex, UInt32(truncatingIfNeeded: effectiveAddress(i)))
                case .lea64: setFile(i.regIndex, effectiveAddress(i))

                case .pushR64: try push(file(i.rmIndex))
                case .popR64: setFile(i.rmIndex, try pop(as: UInt64.self))
                case .pushI64: try push(UInt64(bitPattern: i.immediate))
                case .pushM64: try push(try loadOperand(i, as: UInt64.self))
                case .incRR32: setRegister(i.rmIndex, increment(register(i.rmIndex, as: UInt32.self)))
                case .decRR32: setRegister(i.rmIndex, decrement(register(i.rmIndex, as: UInt32.self)))
                case .negRR32: setRegister(i.rmIndex, negate(register(i.rmIndex, as: UInt32.self)))
                case .notRR32: setRegister(i.rmIndex, ~register(i.rmIndex, as: UInt32.self))
                case .shlRI32: setRegister(i.rmIndex, shiftLeft(register(i.rmIndex, as: UInt32.self), i.immediate8))
                case .shrRI32: setRegister(i.rmIndex, shiftRight(register(i.rmIndex, as: UInt32.self), i.immediate8))
                case .sarRI32: setRegister(i.rmIndex, shiftRightArithmetic(register(i.rmIndex, as: UInt32.self), i.immediate8))
                case .imulRR32:
                    setRegister(i.regIndex, multiplySigned(register(i.regIndex, as: UInt32.self), register(i.rmIndex, as: UInt32.self)))
                case .imulRM32:
                    setRegister(i.regIndex, multiplySigned(register(i.regIndex, as: UInt32.self), try loadOperand(i, as: UInt32.self)))
                case .cmovRR32: setRegister(i.regIndex, register(condition(i.opcodeByte) ? i.rmIndex : i.regIndex, as: UInt32.self))
                case .incRR64: setRegister(i.rmIndex, increment(register(i.rmIndex, as: UInt64.self)))
                case .decRR64: setRegister(i.rmIndex, decrement(register(i.rmIndex, as: UInt64.self)))
                case .negRR64: setRegister(i.rmIndex, negate(register(i.rmIndex, as: UInt64.self)))
                case .notRR64: setRegister(i.rmIndex, ~register(i.rmIndex, as: UInt64.self))
                case .shlRI64: setRegister(i.rmIndex, shiftLeft(register(i.rmIndex, as: UInt64.self), i.immediate8))
                case .shrRI64: setRegister(i.rmIndex, shiftRight(register(i.rmIndex, as: UInt64.self), i.immediate8))
                case .sarRI64: setRegister(i.rmIndex, shiftRightArithmetic(register(i.rmIndex, as: UInt64.self), i.immediate8))
                case .imulRR64:
                    setRegister(i.regIndex, multiplySigned(register(i.regIndex, as: UInt64.self), register(i.rmIndex, as: UInt64.self)))
                case .imulRM64:
                    setRegister(i.regIndex, multiplySigned(register(i.regIndex, as: UInt64.self), try loadOperand(i, as: UInt64.self)))
                case .cmovRR64: setRegister(i.regIndex, register(condition(i.opcodeByte) ? i.rmIndex : i.regIndex, as: UInt64.self))
                case .setccR8: setByte(atOffset: i.rm, condition(i.opcodeByte) ? 1 : 0)
                case .exchangeRR64:
                    let value = file(i.rmIndex)
                    setFile(i.rmIndex, file(i.regIndex))
                    setFile(i.regIndex, value)
                case .bitTestRI64: setCarry((file(i.rmIndex) &>> UInt64(truncatingIfNeeded: i.immediate8 & 63)) & 1 != 0)
                case .bitTestRR64: setCarry((file(i.rmIndex) &>> (file(i.regIndex) & 63)) & 1 != 0)
                case .noOperation: break

                case .jump:
                    s.rip = nextRIP(i) &+ UInt64(bitPattern: i.immediate)
                    return .taken
                case .jumpRR64:
                    s.rip = file(i.rmIndex)
                    return .anywhere
                case .jumpRM64:
                    s.rip = try loadOperand(i, as: UInt64.self)
                    return .anywhere
                case .call:
                    try push(nextRIP(i))
                    s.rip = nextRIP(i) &+ UInt64(bitPattern: i.immediate)
                    return .taken
                case .callRR64:
                    let target = file(i.rmIndex)
                    try push(nextRIP(i))
                    s.rip = target
                    return .anywhere
                case .callRM64:
                    let target = try loadOperand(i, as: UInt64.self)
                    try push(nextRIP(i))
                    s.rip = target
                    return .anywhere
                case .ret:
                    s.rip = try pop(as: UInt64.self)
                    return .anywhere
                case .retImmediate:
                    s.rip = try pop(as: UInt64.self)
                    rsp = rsp &+ UInt64(bitPattern: i.immediate & 0xffff)
                    return .anywhere
                case .jo: return branch(i, overflowFlag)
                case .jno: return branch(i, !overflowFlag)
                case .jb: return branch(i, carryFlag)
                case .jnb: return branch(i, !carryFlag)
                case .jz: return branch(i, zeroFlag)
                case .jnz: return branch(i, !zeroFlag)
                case .jbe: return branch(i, carryFlag || zeroFlag)
                case .jnbe: return branch(i, !(carryFlag || zeroFlag))
                case .js: return branch(i, signFlag)
                case .jns: return branch(i, !signFlag)
                case .jp: return branch(i, parityFlag)
                case .jnp: return branch(i, !parityFlag)
                case .jl: return branch(i, signFlag != overflowFlag)
                case .jnl: return branch(i, signFlag == overflowFlag)
                case .jle: return branch(i, zeroFlag || signFlag != overflowFlag)
                case .jnle: return branch(i, !zeroFlag && signFlag == overflowFlag)

                case .integer: try executeInteger(i)
                case .string: try executeString(i)
                case .x87: try executeX87(i)
                case .fxState: try executeFXState(i)
                case .sse: try executeSSE(i)
                case .system: try executeSystem(i)
                case .transfer:
                    s.rip = nextRIP(i)
                    try executeTransfer(i)
                    return .anywhere
                case .systemEnding:
                    let next = nextRIP(i)
                    s.rip = next
                    try executeSystem(i)
                    return .anywhere
                case .invalid: throw .invalidOpcode
                }
                unsafe row += 1
            }
        } catch {
            let i = unsafe InstructionRef(row)
            s.rip = instructionRIP(i)
            s.nextRIP = nextRIP(i)
            let done = unsafe row - UnsafePointer(block.instructions)
            s.instructionCount &-= UInt64(truncatingIfNeeded: unsafe Int(block.pointee.instructionCount) - done)
            throw error
        }
    }

    @inline(__always)
    private func branch(_ i: InstructionRef, _ isTaken: Bool) -> BlockExit {
        if isTaken {
            s.rip = nextRIP(i) &+ UInt64(bitPattern: i.immediate)
            return .taken
        }
        s.rip = nextRIP(i)
        return .fallThrough
    }
}
