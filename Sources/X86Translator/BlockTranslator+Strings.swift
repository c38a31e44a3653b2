internal import X86
internal import X86Decoder
internal import X86Interpreter

/// REP MOVS and REP STOS that stay inside of a page on each side: the host's own, on its own addresses. RCX, RSI, RDI and RAX are the
/// host's already. Everything else (longer runs, backwards, faults) is the interpreter's.
extension BlockTranslator {
    mutating func emitRepeatedString(_ index: Int, _ row: Instruction, _ plan: Plan) {
        let scale = UInt8(truncatingIfNeeded: plan.width.trailingZeroBitCount)
        destroyFlags(index)
        a.emit(.one(0x85), HostRegister.rcx.number, .rcx)
        let nothing = a.jump(4)
        a.emitState(.one(0xf7, is64: false), 0, StateLayout.systemFlags)
        a.long(Int32(truncatingIfNeeded: RFLAGS.direction))
        leaveToInterpreter(index, if: 5)
        a.arithmetic(7, .rcx, 4096 &>> Int32(scale))
        leaveToInterpreter(index, if: 7)
        let isMove = plan.shape == .repeatedMove
        if isMove {
            probeRun(index, .rsi, scale, isWrite: false)
            a.storeState(Layout.temporary, .addend)
        }
        probeRun(index, .rdi, scale, isWrite: true)
        if isMove { a.emitState(.one(0x03), HostRegister.rsi.number, Layout.temporary) }
        a.emit(.one(0x03), HostRegister.rdi.number, .addend)
        a.byte(0xf3)
        if plan.width == 2 { a.byte(0x66) }
        if plan.width == 8 { a.byte(0x48) }
        a.byte(UInt8(truncatingIfNeeded: row.opcode))
        a.emit(.one(0x2b), HostRegister.rdi.number, .addend)
        if isMove { a.emitState(.one(0x2b), HostRegister.rsi.number, Layout.temporary) }
        a.patch(nothing, to: a.position)
    }

    /// Proves that RCX elements at the address in `pointer` lie in one page, and that the page may be accessed.
    private mutating func probeRun(_ index: Int, _ pointer: HostRegister, _ scale: UInt8, isWrite: Bool) {
        a.emit(.one(0x8b, is64: false), HostRegister.scratch.number, pointer)
        a.arithmetic(4, .scratch, 0xfff, is64: false)
        a.emitAddress(.one(0x8d), HostRegister.scratch.number, base: .scratch, index: .rcx, scale: scale, 0)
        a.arithmetic(7, .scratch, 4096)
        leaveToInterpreter(index, if: 7)
        a.move(.address, pointer)
        probe(index, width: 1, isWrite: isWrite)
    }
}
