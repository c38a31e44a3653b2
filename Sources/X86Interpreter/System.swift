internal import X86
internal import X86Decoder

/// From an opcode to the system instruction.
extension Core {
    func executeSystem(_ i: InstructionRef) throws(GuestFault) {
        if i.opcodeMap == 1 { return try executeSystem0F(i) }
        if i.opcodeMap != 0 {
            guard i.opcode == 0x282 else { throw .invalidOpcode }
            return try invalidateContext(i)
        }
        switch i.opcodeByte {
        case 0xfa: try clearInterruptFlag()
        case 0xfb: try setInterruptFlag()
        case 0x9c: try pushFlags(i)
        case 0x9d: try popFlags(i)
        case 0xcf: try interruptReturn(i)
        case 0xf4: try halt()
        case 0xcd: try softwareInterrupt(i.immediate8, i, checksIOPL: true)
        case 0xcc: try softwareInterrupt(ExceptionVector.breakpoint, i, checksIOPL: false)
        case 0xce: if overflowFlag { try softwareInterrupt(ExceptionVector.overflow, i, checksIOPL: false) }
        case 0xf1: throw GuestFault(ExceptionVector.debug, kind: .trap)
        case 0xe4, 0xe5: try input(i, UInt16(i.immediate8))
        case 0xe6, 0xe7: try output(i, UInt16(i.immediate8))
        case 0xec, 0xed: try input(i, register(2, as: UInt16.self))
        case 0xee, 0xef: try output(i, register(2, as: UInt16.self))
        case 0x6c...0x6f: try stringPort(i)
        default: try executeSegmentInstruction(i)
        }
    }

    private func executeSegmentInstruction(_ i: InstructionRef) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x06, 0x0e, 0x16, 0x1e: try pushSized(UInt64(segment(Int(truncatingIfNeeded: i.opcodeByte &>> 3)).selector), i.operandSize)
        case 0x07, 0x17, 0x1f: try popSegment(i, Int(truncatingIfNeeded: i.opcodeByte &>> 3))
        case 0x63: try adjustRequestedPrivilege(i)
        case 0x8c: try moveFromSegment(i)
        case 0x8e: try moveToSegment(i)
        case 0x9a:
            let (selector, offset) = farImmediate(i)
            try farCall(selector, offset, i)
        case 0xea:
            let (selector, offset) = farImmediate(i)
            try farJump(selector, offset, i)
        case 0xff: try farIndirect(i)
        case 0xc4: try loadFarPointer(i, 0)
        case 0xc5: try loadFarPointer(i, 3)
        case 0xca: try farReturn(i, released: UInt64(bitPattern: i.immediate & 0xffff))
        case 0xcb: try farReturn(i, released: 0)
        default: throw .invalidOpcode
        }
    }

    private func farIndirect(_ i: InstructionRef) throws(GuestFault) {
        let (selector, offset) = try farOperand(i)
        if i.reg & 7 == 3 { try farCall(selector, offset, i) } else { try farJump(selector, offset, i) }
    }

    private func executeSystem0F(_ i: InstructionRef) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x05: try systemCall(i)
        case 0x07: try systemReturn(i)
        case 0x01: try executeGroup01(i)
        case 0x31: try readTimeStamp()
        case 0x30: try writeModelSpecific()
        case 0x32: try readModelSpecific()
        case 0x22: try moveToControl(i)
        case 0x20: try moveFromControl(i)
        case 0xae: try executeBase(i)
        case 0xa2: identifyProcessor()
        case 0x00: try executeSelectorGroup(i)
        case 0x02: try loadAccessRights(i)
        case 0x03: try loadSegmentLimit(i)
        case 0x06: try clearTaskSwitched()
        case 0x08, 0x09: try requireKernel()
        case 0x21: try moveFromDebug(i)
        case 0x23: try moveToDebug(i)
        case 0x33: throw .generalProtection()
        case 0x34: try systemEnter(i)
        case 0x35: try systemExit(i)
        case 0xa0, 0xa8: try pushSized(UInt64(segment(i.opcodeByte == 0xa0 ? 4 : 5).selector), i.operandSize)
        case 0xa1, 0xa9: try popSegment(i, i.opcodeByte == 0xa1 ? 4 : 5)
        case 0xaa: throw .invalidOpcode
        case 0xb2: try loadFarPointer(i, 2)
        case 0xb4: try loadFarPointer(i, 4)
        case 0xb5: try loadFarPointer(i, 5)
        default: throw .invalidOpcode
        }
    }

    /// 0F 01: by the whole ModRM byte in register forms, else by its middle.
    private func executeGroup01(_ i: InstructionRef) throws(GuestFault) {
        guard !i.isMemory else { return try executeTableGroup(i) }
        switch i.modRM {
        case 0xca: try setAccessFlag(false)
        case 0xcb: try setAccessFlag(true)
        case 0xf8: try swapGS()
        case 0xc1, 0xd9: hypercall()
        case 0xf9: try readTimeStampAndProcessor()
        case 0xd0: try executeGetExtended()
        case 0xd1: try executeSetExtended()
        case 0xe0...0xe7: try storeMachineStatus(i)
        case 0xf0...0xf7: try loadMachineStatus(i)
        default: throw .invalidOpcode
        }
    }

    private func executeTableGroup(_ i: InstructionRef) throws(GuestFault) {
        switch (i.modRM &>> 3) & 7 {
        case 0: try storeTable(i, s.gdtr)
        case 1: try storeTable(i, s.idtr)
        case 2: s.gdtr = try loadTableRegister(i)
        case 3: s.idtr = try loadTableRegister(i)
        case 4: try storeMachineStatus(i)
        case 6: try loadMachineStatus(i)
        case 7: try invalidatePage(i)
        default: throw .invalidOpcode
        }
    }
}
