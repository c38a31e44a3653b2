internal import SoftFloat
internal import X86
internal import X86Decoder

/// Control, environment and state instructions.
extension Core {
    /// Executes `i` when it is a control instruction: those leave the instruction and data pointers alone.
    func executeX87Control(_ i: InstructionRef) throws(GuestFault) -> Bool {
        let operation = i.modRM &>> 3 & 7
        guard i.isMemory else { return try x87ControlRegister(i) }
        switch (i.opcodeByte & 7, operation) {
        case (1, 4):
            try raisePendingX87()
            try loadX87Environment(i)
        case (1, 5):
            try raisePendingX87()
            setX87ControlWord(try loadOperand(i, as: UInt16.self))
        case (1, 6): try storeX87Environment(i)
        case (1, 7): try storeOperand(i, s.fcw)
        case (5, 4):
            try raisePendingX87()
            try restoreX87(i)
        case (5, 6): try saveX87(i)
        case (5, 7): try storeOperand(i, s.fsw)
        default: return false
        }
        return true
    }

    private func x87ControlRegister(_ i: InstructionRef) throws(GuestFault) -> Bool {
        switch (i.opcodeByte & 7, i.modRM) {
        // FENI, FDISI and FSETPM of older processors do nothing.
        case (3, 0xe0), (3, 0xe1), (3, 0xe4): break
        case (3, 0xe2): s.fsw &= 0x7f00
        case (3, 0xe3): initializeX87()
        case (7, 0xe0): setRegister(0, s.fsw)
        default: return false
        }
        return true
    }

    /// FNINIT: the registers keep their contents under empty tags.
    func initializeX87() {
        s.fcw = 0x37f
        s.fsw = 0
        s.ftw = 0
        s.fop = 0
        (s.fip, s.fdp) = (0, 0)
        (s.fcs, s.fds) = (0, 0)
    }

    /// Bit 6 reads as one; bits 7 and 13-15 as zero.
    func setX87ControlWord(_ value: UInt16) {
        s.fcw = value & 0x1f3f | 0x40
        updateX87Summary()
    }

    // MARK: - the tag word of FSTENV

    /// Two bits a register: 0 valid, 1 zero, 2 special, 3 empty.
    var fullX87TagWord: UInt16 {
        var word: UInt16 = 0
        for index in 0..<8 {
            let tag: UInt16 =
                if s.ftw &>> UInt8(truncatingIfNeeded: index) & 1 == 0 { 3 } else {
                    switch Extended80(significand: x87Significand(index), signExponent: x87SignExponent(index)).classification {
                    case .normal: 0
                    case .zero: 1
                    case .unsupported, .nan, .infinity, .denormal: 2
                    }
                }
            word |= tag &<< UInt16(truncatingIfNeeded: index &* 2)
        }
        return word
    }

    private func setFullX87TagWord(_ word: UInt16) {
        var tags: UInt8 = 0
        for index in 0..<8 where word &>> UInt16(truncatingIfNeeded: index &* 2) & 3 != 3 {
            tags |= 1 &<< UInt8(truncatingIfNeeded: index)
        }
        s.ftw = tags
    }

    // MARK: - environment (SDM vol. 1, figures 8-9 to 8-12)

    private func isWideX87(_ i: InstructionRef) -> Bool { i.operandSize != 2 }
    private var hasX87Selectors: Bool { isProtected && !isVirtual8086 }
    private func x87EnvironmentByteCount(_ i: InstructionRef) -> UInt64 { isWideX87(i) ? 28 : 14 }

    /// Seven words of 16 or 32 bits, in memory order. In real and virtual-8086 mode pointers are linear, cut to 20 or 32 bits.
    private func x87EnvironmentWord(_ number: Int, wide: Bool) -> UInt32 {
        let filler: UInt32 = wide ? 0xffff_0000 : 0
        let (ip, dp) = (UInt32(truncatingIfNeeded: s.fip), UInt32(truncatingIfNeeded: s.fdp))
        let (cs, ds, op) = (UInt32(truncatingIfNeeded: s.fcs), UInt32(truncatingIfNeeded: s.fds), UInt32(truncatingIfNeeded: s.fop & 0x7ff))
        switch number {
        case 0: return UInt32(truncatingIfNeeded: s.fcw) | filler
        case 1: return UInt32(truncatingIfNeeded: s.fsw) | filler
        case 2: return UInt32(truncatingIfNeeded: fullX87TagWord) | filler
        default: break
        }
        if hasX87Selectors {
            switch number {
            case 3: return ip
            case 4: return wide ? cs | op &<< 16 : cs
            case 5: return dp
            default: return ds | filler
            }
        }
        let (linearIP, linearDP) = (ip &+ cs &<< 4, dp &+ ds &<< 4)
        switch number {
        case 3: return linearIP & 0xffff | filler
        case 4: return (wide ? linearIP &>> 16 : linearIP &>> 16 & 0xf) &<< 12 | op
        case 5: return linearDP & 0xffff | filler
        default: return (wide ? linearDP &>> 16 : linearDP &>> 16 & 0xf) &<< 12
        }
    }

    /// Stores the environment; the caller has made sure that all of it can be written.
    private func writeX87Environment(_ i: InstructionRef) throws(GuestFault) {
        let wide = isWideX87(i)
        for number in 0..<7 {
            let word = x87EnvironmentWord(number, wide: wide)
            let offset = UInt64(truncatingIfNeeded: number)
            if wide {
                try store(operandAddress(i, offset &* 4), word, i.segment)
            } else {
                try store(operandAddress(i, offset &* 2), UInt16(truncatingIfNeeded: word), i.segment)
            }
        }
    }

    /// FNSTENV, which masks all exceptions once it has stored.
    private func storeX87Environment(_ i: InstructionRef) throws(GuestFault) {
        let byteCount = Int(truncatingIfNeeded: x87EnvironmentByteCount(i))
        try checkOperand(i, byteCount: byteCount, isWrite: true)
        try probeWrite(linear(i), byteCount: byteCount, i.segment)
        try writeX87Environment(i)
        s.fcw |= 0x3f
        updateX87Summary()
    }

    private struct Environment {
        var words: InlineArray<7, UInt32> = InlineArray(repeating: 0)
    }

    private func readX87Environment(_ i: InstructionRef) throws(GuestFault) -> Environment {
        var environment = Environment()
        for number in 0..<7 {
            let offset = UInt64(truncatingIfNeeded: number)
            environment.words[number] =
                isWideX87(i)
                ? try load(operandAddress(i, offset &* 4), i.segment, as: UInt32.self)
                : UInt32(truncatingIfNeeded: try load(operandAddress(i, offset &* 2), i.segment, as: UInt16.self))
        }
        return environment
    }

    private func setX87Environment(_ environment: Environment, wide: Bool) {
        let words = environment.words
        s.fcw = UInt16(truncatingIfNeeded: words[0]) & 0x1f3f | 0x40
        s.fsw = UInt16(truncatingIfNeeded: words[1])
        setFullX87TagWord(UInt16(truncatingIfNeeded: words[2]))
        if hasX87Selectors {
            (s.fip, s.fdp) = (UInt64(truncatingIfNeeded: words[3]), UInt64(truncatingIfNeeded: words[5]))
            (s.fcs, s.fds) = (UInt16(truncatingIfNeeded: words[4]), UInt16(truncatingIfNeeded: words[6]))
            if wide { s.fop = UInt16(truncatingIfNeeded: words[4] &>> 16) & 0x7ff }
        } else {
            s.fip = UInt64(truncatingIfNeeded: words[3] & 0xffff | (words[4] &>> 12) &<< 16)
            s.fdp = UInt64(truncatingIfNeeded: words[5] & 0xffff | (words[6] &>> 12) &<< 16)
            (s.fcs, s.fds) = (0, 0)
            s.fop = UInt16(truncatingIfNeeded: words[4]) & 0x7ff
        }
        updateX87Summary()
    }

    private func loadX87Environment(_ i: InstructionRef) throws(GuestFault) {
        try checkOperand(i, byteCount: Int(truncatingIfNeeded: x87EnvironmentByteCount(i)), isWrite: false)
        setX87Environment(try readX87Environment(i), wide: isWideX87(i))
    }

    // MARK: - FSAVE and FRSTOR: the environment and eight registers of ten bytes

    private func saveX87(_ i: InstructionRef) throws(GuestFault) {
        let start = x87EnvironmentByteCount(i)
        let byteCount = Int(truncatingIfNeeded: start) &+ 80
        try checkOperand(i, byteCount: byteCount, isWrite: true)
        try probeWrite(linear(i), byteCount: byteCount, i.segment)
        try writeX87Environment(i)
        for number in 0..<8 { try storeExtended(i, start &+ UInt64(truncatingIfNeeded: number &* 10), x87(number)) }
        initializeX87()
    }

    private func restoreX87(_ i: InstructionRef) throws(GuestFault) {
        let start = x87EnvironmentByteCount(i)
        try checkOperand(i, byteCount: Int(truncatingIfNeeded: start) &+ 80, isWrite: false)
        let environment = try readX87Environment(i)
        var registers = InlineArray<8, Extended80>(repeating: .zero)
        for number in 0..<8 { registers[number] = try loadExtended(i, start &+ UInt64(truncatingIfNeeded: number &* 10)) }
        setX87Environment(environment, wide: isWideX87(i))
        let tags = s.ftw
        for number in 0..<8 { setX87(number, registers[number]) }
        s.ftw = tags
    }
}
