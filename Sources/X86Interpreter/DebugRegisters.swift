internal import Synchronization
internal import X86
internal import X86Decoder

/// Debug registers and breakpoints (SDM vol. 3B, chapter 18).
///
/// While a breakpoint is enabled the vCPU runs its instructions one by one, and with data breakpoints without a TLB, so that
/// nothing has to be looked at while none is.
extension Core {
    // MARK: - MOV

    private func debugNumber(_ i: InstructionRef) throws(GuestFault) -> UInt8 {
        let isAlias = i.reg == 4 || i.reg == 5
        if isAlias && s.cr4 & CR4.debuggingExtensions != 0 { throw .invalidOpcode }
        try requireKernel()
        if s.dr7 & DR7.generalDetect != 0 {
            // The access itself raises #DB, as a fault; the delivery clears GD.
            s.dr6 = s.dr6 & ~DR6.breakpoints | DR6.accessDetected
            throw GuestFault(ExceptionVector.debug)
        }
        return isAlias ? i.reg &+ 2 : i.reg
    }

    func moveFromDebug(_ i: InstructionRef) throws(GuestFault) {
        let value: UInt64
        switch try debugNumber(i) {
        case 0: value = s.dr0
        case 1: value = s.dr1
        case 2: value = s.dr2
        case 3: value = s.dr3
        case 6: value = s.dr6
        default: value = s.dr7
        }
        setFile(i.rmIndex, i.codeSize == .bits64 ? value : value & 0xffff_ffff)
    }

    func moveToDebug(_ i: InstructionRef) throws(GuestFault) {
        let number = try debugNumber(i)
        let value = i.codeSize == .bits64 ? file(i.rmIndex) : file(i.rmIndex) & 0xffff_ffff
        if number >= 6 && value &>> 32 != 0 { throw .generalProtection() }
        switch number {
        case 0: s.dr0 = value
        case 1: s.dr1 = value
        case 2: s.dr2 = value
        case 3: s.dr3 = value
        case 6: s.dr6 = value & 0xe00f | DR6.fixed
        default:
            s.dr7 = value & 0xffff_23ff | DR7.fixed
            sortBreakpoints()
        }
    }

    // MARK: - conditions

    /// Kinds of breakpoints as DR7 has them.
    private enum Kind {
        static let instruction: UInt64 = 0
        static let write: UInt64 = 1
        static let port: UInt64 = 2
        static let readOrWrite: UInt64 = 3
    }

    private func kind(_ number: Int) -> UInt64 { (s.dr7 &>> UInt64(16 &+ number &* 4)) & 3 }

    /// Follows a change of DR7 or CR4.DE: which breakpoints can match what.
    func sortBreakpoints() {
        (s.instructionBreakpoints, s.dataBreakpoints, s.portBreakpoints) = (0, 0, 0)
        for number in 0..<4 where (s.dr7 &>> UInt64(number &* 2)) & 3 != 0 {
            let bit: UInt8 = 1 &<< UInt8(number)
            switch kind(number) {
            case Kind.instruction: s.instructionBreakpoints |= bit
            case Kind.port: if s.cr4 & CR4.debuggingExtensions != 0 { s.portBreakpoints |= bit }
            default: s.dataBreakpoints |= bit
            }
        }
        updateMode()
        attendSoon()
    }

    private func breakpointAddress(_ number: Int) -> UInt64 {
        switch number {
        case 0: s.dr0
        case 1: s.dr1
        case 2: s.dr2
        default: s.dr3
        }
    }

    /// Whether `byteCount` bytes at `address` touch what breakpoint `number` watches.
    private func touches(_ number: Int, _ address: UInt64, _ byteCount: Int) -> Bool {
        let length: UInt64
        switch (s.dr7 &>> UInt64(18 &+ number &* 4)) & 3 {
        case 0: length = 1
        case 1: length = 2
        case 2: length = 8
        default: length = 4
        }
        // The watched bytes are aligned to their number: the low bits of the address mean nothing.
        let start = breakpointAddress(number) & ~(length &- 1)
        return address &- start < length || start &- address < UInt64(truncatingIfNeeded: byteCount)
    }

    /// Notes a data access; the trap comes at the end of the instruction or of the iteration.
    @inline(never)
    func matchData(_ address: UInt64, byteCount: Int, isWrite: Bool) {
        for number in 0..<4 where s.dataBreakpoints & (1 &<< UInt8(number)) != 0 {
            guard isWrite || kind(number) == Kind.readOrWrite, touches(number, address, byteCount) else { continue }
            noteDebug(1 &<< UInt64(number))
        }
    }

    /// Notes an access to ports; the trap comes behind the instruction or the iteration.
    func matchPort(_ port: UInt16, byteCount: Int) {
        guard s.portBreakpoints != 0 else { return }
        for number in 0..<4 where s.portBreakpoints & (1 &<< UInt8(number)) != 0 {
            if touches(number, UInt64(port), byteCount) { noteDebug(1 &<< UInt64(number)) }
        }
    }

    /// - Throws: #DB as a fault when the instruction at `s.rip` has a breakpoint. It comes before any fault of the fetch.
    func matchInstruction() throws(GuestFault) {
        let address = s.codeSize == .bits64 ? s.rip : (s.rip &+ segment(1).base) & 0xffff_ffff
        var found: UInt64 = 0
        for number in 0..<4 where s.instructionBreakpoints & (1 &<< UInt8(number)) != 0 {
            if breakpointAddress(number) == address { found |= 1 &<< UInt64(number) }
        }
        guard found != 0 else { return }
        s.dr6 = s.dr6 & ~DR6.breakpoints | found
        throw GuestFault(ExceptionVector.debug)
    }

    // MARK: - delivery

    /// Makes a debug exception due at the next instruction boundary.
    func noteDebug(_ bits: UInt64) {
        s.pendingDebug |= bits
        shared.attention.raise()
    }

    /// Delivers what waits: a trap, `s.rip` is what follows.
    func deliverDebug() {
        s.dr6 = s.dr6 & ~DR6.breakpoints | s.pendingDebug
        s.pendingDebug = 0
        s.nextRIP = s.rip
        deliver(GuestFault(ExceptionVector.debug, kind: .trap))
    }
}
