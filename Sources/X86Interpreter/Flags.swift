internal import Synchronization
internal import X86

/// Arithmetic flags (SDM vol. 1, 3.4.3.1), stored lazily: see ``CPUState``.
extension Core {
    @inline(__always) var carryFlag: Bool { s.carries &>> 63 != 0 }
    @inline(__always) var zeroFlag: Bool { s.zeroSource == 0 }
    @inline(__always) var signFlag: Bool { s.signSource &>> 63 != 0 }
    @inline(__always) var overflowFlag: Bool { (s.carries ^ (s.carries &<< 1)) &>> 63 != 0 }
    @inline(__always) var parityFlag: Bool { (s.signSource & 0xff).nonzeroBitCount & 1 == 0 }
    @inline(__always) var auxiliaryFlag: Bool { s.auxiliary & 0x10 != 0 }

    /// Sets ZF, SF and PF from a result.
    @inline(__always)
    func setResultFlags<T: OperandWord>(_ result: T) {
        let extended = UInt64(bitPattern: Int64(T.SignedWord(truncatingIfNeeded: result)))
        s.zeroSource = extended
        s.signSource = extended
    }

    /// Sets CF and OF, keeping the rest.
    @inline(__always)
    func setCarryOverflow(carry: Bool, overflow: Bool) {
        let c: UInt64 = carry ? 1 : 0
        let o: UInt64 = overflow ? 1 : 0
        s.carries = (c &<< 63) | ((c ^ o) &<< 62)
    }

    /// Sets CF alone; OF keeps its value.
    @inline(__always)
    func setCarry(_ carry: Bool) {
        setCarryOverflow(carry: carry, overflow: overflowFlag)
    }

    /// Sets ZF alone (CMPXCHG8B, VERR, LAR …).
    @inline(__always)
    func setZero(_ zero: Bool) {
        s.zeroSource = zero ? 0 : 1
    }

    /// Sets all six from explicit values.
    func setArithmeticFlags(_ value: UInt64) {
        s.zeroSource = value & RFLAGS.zero != 0 ? 0 : 1
        s.signSource = (value & RFLAGS.sign) &<< 56 | (value & RFLAGS.parity != 0 ? 0 : 1)
        setCarryOverflow(carry: value & RFLAGS.carry != 0, overflow: value & RFLAGS.overflow != 0)
        s.auxiliary = value & RFLAGS.auxiliary
    }

    var arithmeticFlags: UInt64 {
        var value: UInt64 = 0
        if carryFlag { value |= RFLAGS.carry }
        if parityFlag { value |= RFLAGS.parity }
        if auxiliaryFlag { value |= RFLAGS.auxiliary }
        if zeroFlag { value |= RFLAGS.zero }
        if signFlag { value |= RFLAGS.sign }
        if overflowFlag { value |= RFLAGS.overflow }
        return value
    }

    /// RFLAGS as a whole. Setting it follows up on TF and AC; it does not check privileges.
    var rflags: UInt64 {
        get { s.systemFlags | arithmeticFlags }
        nonmutating set {
            setArithmeticFlags(newValue)
            let old = s.systemFlags
            s.systemFlags = (newValue & ~RFLAGS.arithmetic & 0x3f_7fd7) | RFLAGS.fixed
            s.isStepping = newValue & RFLAGS.trap != 0
            if s.isStepping || (s.interruptWaits && newValue & RFLAGS.interrupt != 0) { attendSoon() }
            if (old ^ s.systemFlags) & (RFLAGS.alignmentCheck | RFLAGS.virtual8086) != 0 { updateMode() }
        }
    }

    /// Makes the engine look at interrupts and modes before the next block.
    func attendSoon() {
        s.interruptWaits = false
        shared.attention.raise()
    }

    /// Condition `code` of Jcc, SETcc and CMOVcc (SDM vol. 2, appendix B.1.4.7).
    @inline(__always)
    func condition(_ code: UInt8) -> Bool {
        let holds: Bool
        switch code & 0xe {
        case 0x0: holds = overflowFlag
        case 0x2: holds = carryFlag
        case 0x4: holds = zeroFlag
        case 0x6: holds = carryFlag || zeroFlag
        case 0x8: holds = signFlag
        case 0xa: holds = parityFlag
        case 0xc: holds = signFlag != overflowFlag
        default: holds = zeroFlag || signFlag != overflowFlag
        }
        return holds != (code & 1 != 0)
    }
}
