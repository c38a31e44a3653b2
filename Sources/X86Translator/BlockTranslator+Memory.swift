internal import X86Decoder
internal import X86Interpreter

/// Memory operands: the linear address in R10, then a probe of the TLB that leaves the operand at [R10 + R11].
extension BlockTranslator {
    /// A guest register to read: its host register, or `scratch` with its value.
    @inline(__always)
    mutating func read(_ guest: UInt8, _ scratch: HostRegister) -> HostRegister {
        if let host = HostRegister.holding(guest: guest) { return host }
        a.loadState(scratch, Int(truncatingIfNeeded: guest) &* 8)
        return scratch
    }

    /// LEA of the effective address. R10 and R11 are free; flags stay.
    mutating func emitEffectiveAddress(_ row: Instruction, into target: UInt8, _ opcode: Assembler.Opcode) {
        var base: HostRegister?
        if row.base == RegisterFile.blockRIP {
            a.loadState(.r10, Layout.ripPage)
            base = .r10
        } else if row.base < 16 {
            base = read(row.base, .r10)
        }
        let index = row.index < 16 ? read(row.index, .r11) : nil
        a.emitAddress(opcode, target, base: base, index: index, scale: row.scale, row.displacement)
    }

    /// The operand's linear address into R10. Destroys flags where there is a segment base.
    mutating func emitLinearAddress(_ row: Instruction) {
        emitEffectiveAddress(row, into: HostRegister.address.number, .one(0x8d))
        addSegmentBase(row)
    }

    mutating func addSegmentBase(_ row: Instruction) {
        if row.segmentBase != RegisterFile.zero {
            a.emitState(.one(0x03), HostRegister.address.number, Int(truncatingIfNeeded: row.segmentBase) &* 8)
        }
    }

    /// Proves that `width` bytes at the address in R10 may be accessed and puts what to add into R11. Destroys flags and R13.
    mutating func probe(_ index: Int, width: UInt8, isWrite: Bool, checksAlignment: Bool = false) {
        let row = unsafe space.rows[index]
        let back = a.position
        var second = 0
        if checksAlignment && width > 1 {
            a.emit(Assembler.Opcode(code: 0xf6, needsREX: true), 0, .r10)
            a.byte(width &- 1)
            second = a.jump(5)
        }
        a.move(.r11, .r10)
        a.emit(.one(0xc1), 5, .r11)
        a.byte(Layout.tlbShift)
        a.arithmetic(4, .r11, Layout.tlbMask, is64: false)
        a.move(.r13, .r10)
        let tlb = Layout.tlb(mode)
        a.emitState(
            .one(0x33), HostRegister.scratch.number, index: .r11, scale: 0, tlb + (isWrite ? StateLayout.writeTag : StateLayout.readTag))
        a.arithmetic(7, .r13, 4096 &- Int32(truncatingIfNeeded: width))
        let site = a.jump(7)
        a.emitState(.one(0x8b), HostRegister.addend.number, index: .r11, scale: 0, tlb + StateLayout.addend)
        let remaining = UInt32(truncatingIfNeeded: rowCount &- index)
        let word =
            ExitCode.interpret | UInt32(truncatingIfNeeded: row.offset) | UInt32(width) &<< ExitCode.widthShift
            | (isWrite ? ExitCode.isWrite : 0) | (checksAlignment ? ExitCode.checksAlignment : 0) | remaining &<< ExitCode.remainingShift
        addStub(.init(kind: .miss, site: site, secondSite: second, back: back, word: word))
    }

    /// Address and probe of a ModRM operand.
    mutating func probeOperand(_ index: Int, isWrite: Bool) {
        destroyFlags(index)
        emitLinearAddress(unsafe space.rows[index])
        let plan = unsafe space.plans[index]
        probe(index, width: plan.memoryWidth, isWrite: isWrite, checksAlignment: plan.checksAlignment)
    }

    /// A condition has shown that the interpreter has to run the instruction. Flags are in memory, or dead.
    mutating func leaveToInterpreter(_ index: Int, if condition: UInt8) {
        let row = unsafe space.rows[index]
        let remaining = UInt32(truncatingIfNeeded: rowCount &- index)
        addStub(
            .init(
                kind: .leave, site: a.jump(condition),
                word: ExitCode.interpret | UInt32(truncatingIfNeeded: row.offset) | remaining &<< ExitCode.remainingShift))
    }
}
