internal import X86
internal import X86Decoder
internal import X86Interpreter

/// Instructions on words of the state that the interpreter keeps: RFLAGS and selectors. And bits anywhere in memory.
extension BlockTranslator {
    /// PUSHFQ: the system flags, then the arithmetic ones from where they are saved.
    mutating func emitPushFlags(_ index: Int) {
        probePush(index)
        a.loadState(.scratch, StateLayout.systemFlags)
        a.arithmetic(4, .scratch, ~Int32(truncatingIfNeeded: RFLAGS.resume | RFLAGS.virtual8086))
        a.emitGuestMemory(.one(0x89), HostRegister.scratch.number)
        a.emitState(.two(0xb6, is64: false), HostRegister.scratch.number, Layout.flags + 1)
        a.arithmetic(4, .scratch, 0xd5, is64: false)
        a.emitGuestMemory(.one(0x09), HostRegister.scratch.number)
        a.emitState(.two(0xb6, is64: false), HostRegister.scratch.number, Layout.flags)
        a.emit(.one(0xc1, is64: false), 4, .scratch)
        a.byte(11)
        a.emitGuestMemory(.one(0x09), HostRegister.scratch.number)
        a.move(.guestRSP, .address)
    }

    /// MOV from a segment register to a general one.
    mutating func emitMoveFromSegment(_ row: Instruction, _ plan: Plan) {
        let from = StateLayout.selector(Int(truncatingIfNeeded: row.reg))
        let host = HostRegister.holding(guest: row.rm)
        let target = host ?? .scratch
        if plan.width == 2 {
            if host == nil { a.loadState(.scratch, Int(truncatingIfNeeded: row.rm) &* 8) }
            a.emitState(Assembler.Opcode(code: 0x8b, is16: true), target.number, from)
        } else {
            a.emitState(.two(0xb7, is64: false), target.number, from)
        }
        if host == nil { a.storeState(Int(truncatingIfNeeded: row.rm) &* 8, .scratch) }
    }

    mutating func emitCloseInterrupts(_ index: Int) {
        destroyFlags(index)
        a.emitState(.one(0x81, is64: false), 4, StateLayout.systemFlags)
        a.long(~Int32(truncatingIfNeeded: RFLAGS.interrupt))
    }

    /// Interrupts stay closed for one more instruction, and so they do here: nobody looks before the next block, and ``decode`` sees to
    /// it that this is not the last instruction of its own. When one waits already, the interpreter opens.
    mutating func emitOpenInterrupts(_ index: Int) {
        destroyFlags(index)
        a.emitState(.one(0x80, is64: false), 7, StateLayout.interruptWaits)
        a.byte(0)
        leaveToInterpreter(index, if: 5)
        a.emitState(.one(0x81, is64: false), 1, StateLayout.systemFlags)
        a.long(Int32(truncatingIfNeeded: RFLAGS.interrupt))
    }

    /// The register's upper bits choose the word, the lower ones the bit in it.
    mutating func emitBitInMemory(_ index: Int, _ row: Instruction, _ plan: Plan) {
        let is64 = plan.width == 8
        destroyFlags(index)
        emitLinearAddress(row)
        let number = read(row.reg, .r11)
        a.emit(.one(0x8b, is64: is64), HostRegister.scratch.number, number)
        a.arithmetic(4, .scratch, is64 ? 63 : 31, is64: false)
        a.storeState(Layout.temporary, .scratch)
        if is64 { a.move(.r11, number) } else { a.emit(.one(0x63), HostRegister.r11.number, number) }
        a.emit(.one(0xc1), 7, .r11)
        a.byte(is64 ? 6 : 5)
        a.emitAddress(.one(0x8d), HostRegister.address.number, base: .address, index: .r11, scale: is64 ? 3 : 2, 0)
        probe(index, width: plan.width, isWrite: plan.writesRM, checksAlignment: plan.checksAlignment)
        provideFlags(index)
        a.loadState(.scratch, Layout.temporary)
        a.emitGuestMemory(
            Assembler.Opcode(code: row.opcode & 0x3ff, is64: is64, locks: row.flags.contains(.lock)), HostRegister.scratch.number)
        noteFlagWrites(index)
    }
}
