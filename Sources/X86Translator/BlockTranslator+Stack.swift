internal import X86Decoder
internal import X86Interpreter

/// PUSH, POP and LEAVE: the probe first, RSP last.
extension BlockTranslator {
    /// Probes the eight bytes below RSP; their address is in R10 then.
    mutating func probePush(_ index: Int) {
        destroyFlags(index)
        a.add(.address, .guestRSP, -8)
        probe(index, width: 8, isWrite: true)
    }

    mutating func emitPush(_ index: Int, _ value: (inout BlockTranslator) -> HostRegister) {
        probePush(index)
        let register = value(&self)
        a.emitGuestMemory(.one(0x89), register.number)
        a.move(.guestRSP, .address)
    }

    mutating func emitPushImmediate(_ index: Int, _ row: Instruction) {
        probePush(index)
        a.emitGuestMemory(.one(0xc7), 0)
        a.immediate(row.immediate, byteCount: 4)
        a.move(.guestRSP, .address)
    }

    mutating func emitPushMemory(_ index: Int, _ row: Instruction) {
        probeOperand(index, isWrite: false)
        a.emitGuestMemory(.one(0x8b), HostRegister.scratch.number)
        a.storeState(Layout.temporary, .scratch)
        emitPush(index) {
            $0.a.loadState(.scratch, Layout.temporary)
            return .scratch
        }
    }

    /// Probes the eight bytes at RSP.
    mutating func probePop(_ index: Int) {
        destroyFlags(index)
        a.move(.address, .guestRSP)
        probe(index, width: 8, isWrite: false)
    }

    mutating func emitPop(_ index: Int, _ row: Instruction) {
        probePop(index)
        let host = HostRegister.holding(guest: row.rm)
        a.emitGuestMemory(.one(0x8b), (host ?? .scratch).number)
        if row.rm == 4 { return }
        a.add(.guestRSP, .guestRSP, 8)
        if host == nil { a.storeState(Int(truncatingIfNeeded: row.rm) &* 8, .scratch) }
    }

    mutating func emitLeave(_ index: Int) {
        destroyFlags(index)
        a.move(.address, .rbp)
        probe(index, width: 8, isWrite: false)
        a.emitGuestMemory(.one(0x8b), HostRegister.rbp.number)
        a.add(.guestRSP, .address, 8)
    }
}
