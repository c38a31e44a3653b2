internal import SoftFloat
internal import X86
internal import X86Decoder

/// The x87 FPU (SDM vol. 1, chapter 8).
///
/// Every instruction reads its memory operand first, computes, stores, and only then changes the FPU, so that a fault of the
/// memory leaves nothing behind. Unmasked exceptions set ES and are raised by the next waiting instruction.
extension Core {
    /// D8-DF, FWAIT (9B) and EMMS (0F 77).
    ///
    /// - Throws: #NM with CR0.EM or CR0.TS, #MF for a pending unmasked exception when CR0.NE is set, #UD, and what memory throws.
    @inline(never)
    func executeX87(_ i: InstructionRef) throws(GuestFault) {
        if i.opcode == 0x9b { return try executeFWAIT() }
        if i.opcode == 0x177 { return try executeEMMS() }
        if s.cr0 & (CR0.emulation | CR0.taskSwitched) != 0 { throw .deviceNotAvailable }
        if try executeX87Control(i) { return }
        try raisePendingX87()
        let address = i.isMemory ? effectiveAddress(i) : 0
        if i.isMemory { try executeX87Memory(i) } else { try executeX87Register(i) }
        noteX87Pointers(i, address)
    }

    /// FWAIT: #NM with CR0.MP and CR0.TS, #MF for a pending exception.
    private func executeFWAIT() throws(GuestFault) {
        let both = CR0.monitorCoprocessor | CR0.taskSwitched
        if s.cr0 & both == both { throw .deviceNotAvailable }
        try raisePendingX87()
    }

    /// EMMS: all registers empty, TOP 0 (SDM vol. 3A, table 12-1).
    private func executeEMMS() throws(GuestFault) {
        if s.cr0 & CR0.emulation != 0 { throw .invalidOpcode }
        if s.cr0 & CR0.taskSwitched != 0 { throw .deviceNotAvailable }
        try raisePendingX87()
        s.fsw &= ~X87Status.top
        s.ftw = 0
    }

    /// Without CR0.NE the exception goes to the FERR pin, where no controller listens here.
    func raisePendingX87() throws(GuestFault) {
        if s.fsw & X87Status.summary != 0 && s.cr0 & CR0.numericError != 0 { throw .x87FloatingPoint }
    }

    private func noteX87Pointers(_ i: InstructionRef, _ address: UInt64) {
        s.fip = instructionRIP(i)
        s.fcs = segment(1).selector
        s.fop = UInt16(truncatingIfNeeded: i.opcodeByte & 7) &<< 8 | UInt16(truncatingIfNeeded: i.modRM)
        guard i.isMemory else { return }
        s.fdp = address
        s.fds = segment(Int(truncatingIfNeeded: i.segment)).selector
    }

    private func executeX87Memory(_ i: InstructionRef) throws(GuestFault) {
        let operation = i.modRM &>> 3 & 7
        switch i.opcodeByte & 7 {
        case 0: x87Arithmetic(operation, Unpacked(try loadOperand(i, as: UInt32.self)))
        case 2: x87Arithmetic(operation, x87Integer(try loadOperand(i, as: Int32.self)))
        case 4: x87Arithmetic(operation, Unpacked(try loadOperand(i, as: UInt64.self)))
        case 6: x87Arithmetic(operation, x87Integer(try loadOperand(i, as: Int16.self)))
        default: try x87Transfer(i, operation)
        }
    }

    private func x87Integer<T: FixedWidthInteger>(_ value: T) -> Unpacked { Unpacked(Int64(truncatingIfNeeded: value)) }

    private func executeX87Register(_ i: InstructionRef) throws(GuestFault) {
        let operation = i.modRM &>> 3 & 7
        let number = Int(truncatingIfNeeded: i.modRM & 7)
        switch i.opcodeByte & 7 {
        case 0: x87Arithmetic(operation, with: number, to: 0, pops: 0)
        case 1: try x87D9(i.modRM, operation, number)
        case 2: try x87DA(operation, number)
        case 3: try x87DB(operation, number)
        case 4: x87Arithmetic(operation, with: number, to: number, pops: 0)
        case 5: try x87DD(operation, number)
        case 6 where operation == 3:
            guard number == 1 else { throw .invalidOpcode }
            x87Compare(with: 1, signaling: true, pops: 2)
        case 6: x87Arithmetic(operation, with: number, to: number, pops: 1)
        default: try x87DF(operation, number)
        }
    }

    private func x87D9(_ modRM: UInt8, _ operation: UInt8, _ number: Int) throws(GuestFault) {
        switch operation {
        case 0: x87Duplicate(number)
        case 1: x87Exchange(number)
        case 2:
            guard number == 0 else { throw .invalidOpcode }
        case 3: x87StoreRegister(number, pops: 1)
        default: try x87Function(modRM)
        }
    }

    private func x87DA(_ operation: UInt8, _ number: Int) throws(GuestFault) {
        switch operation {
        case 0...3: x87Move(number, if: x87Condition(operation))
        case 5 where number == 1: x87Compare(with: 1, signaling: false, pops: 2)
        default: throw .invalidOpcode
        }
    }

    private func x87DB(_ operation: UInt8, _ number: Int) throws(GuestFault) {
        switch operation {
        case 0...3: x87Move(number, if: !x87Condition(operation))
        case 5: x87CompareFlags(with: number, signaling: false, pops: 0)
        case 6: x87CompareFlags(with: number, signaling: true, pops: 0)
        default: throw .invalidOpcode
        }
    }

    private func x87DD(_ operation: UInt8, _ number: Int) throws(GuestFault) {
        switch operation {
        case 0: x87Free(number, pops: 0)
        case 1: x87Exchange(number)
        case 2: x87StoreRegister(number, pops: 0)
        case 3: x87StoreRegister(number, pops: 1)
        case 4: x87Compare(with: number, signaling: false, pops: 0)
        case 5: x87Compare(with: number, signaling: false, pops: 1)
        default: throw .invalidOpcode
        }
    }

    private func x87DF(_ operation: UInt8, _ number: Int) throws(GuestFault) {
        switch operation {
        case 0: x87Free(number, pops: 1)
        case 1: x87Exchange(number)
        case 2, 3: x87StoreRegister(number, pops: 1)
        case 5: x87CompareFlags(with: number, signaling: false, pops: 1)
        case 6: x87CompareFlags(with: number, signaling: true, pops: 1)
        default: throw .invalidOpcode
        }
    }

    /// B, E, BE and U of FCMOVcc.
    private func x87Condition(_ operation: UInt8) -> Bool {
        switch operation {
        case 0: carryFlag
        case 1: zeroFlag
        case 2: carryFlag || zeroFlag
        default: parityFlag
        }
    }
}
