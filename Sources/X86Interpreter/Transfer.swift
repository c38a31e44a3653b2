internal import X86
internal import X86Decoder

/// Near transfers of 16- and 32-bit code, and LOOP and JCXZ everywhere. `s.rip` already names the next instruction.
extension Core {
    func executeTransfer(_ i: InstructionRef) throws(GuestFault) {
        switch i.operandSize {
        case 2: try transfer(i, as: UInt16.self)
        case 4: try transfer(i, as: UInt32.self)
        default: try transfer(i, as: UInt64.self)
        }
    }

    private func transfer<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let relative = s.rip &+ UInt64(bitPattern: i.immediate)
        switch i.opcode {
        case 0x70...0x7f, 0x180...0x18f: if condition(i.opcodeByte) { try jump(to: relative, as: T.self) }
        case 0xc2, 0xc3: try returnNear(i, as: T.self)
        case 0xe0...0xe2: try loop(i, relative, as: T.self)
        case 0xe3: if counter(i) == 0 { try jump(to: relative, as: T.self) }
        case 0xe8: try call(relative, as: T.self)
        case 0xe9, 0xeb: try jump(to: relative, as: T.self)
        case 0xff:
            let target = UInt64(truncatingIfNeeded: try loadRM(i, as: T.self))
            if i.reg & 7 == 2 { try call(target, as: T.self) } else { try jump(to: target, as: T.self) }
        default: throw .invalidOpcode
        }
    }

    /// A target cut to the operand size.
    ///
    /// - Throws: #GP(0) when it is not canonical, or beyond the limit of the code segment.
    private func checkedTarget<T: OperandWord>(_ target: UInt64, as: T.Type) throws(GuestFault) -> UInt64 {
        let cut = wrapRIP(UInt64(truncatingIfNeeded: T(truncatingIfNeeded: target)))
        if s.codeSize == .bits64 {
            try checkCanonical(cut, 1)
        } else {
            guard cut <= UInt64(segment(1).limit) else { throw .generalProtection() }
        }
        return cut
    }

    private func jump<T: OperandWord>(to target: UInt64, as: T.Type) throws(GuestFault) {
        s.rip = try checkedTarget(target, as: T.self)
    }

    private func call<T: OperandWord>(_ target: UInt64, as: T.Type) throws(GuestFault) {
        let checked = try checkedTarget(target, as: T.self)
        try push(T(truncatingIfNeeded: s.rip))
        s.rip = checked
    }

    private func returnNear<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let old = rsp
        let target = UInt64(truncatingIfNeeded: try pop(as: T.self))
        do throws(GuestFault) {
            try jump(to: target, as: T.self)
        } catch {
            rsp = old
            throw error
        }
        if i.opcode == 0xc2 { setStackPointer(rsp &+ UInt64(bitPattern: i.immediate & 0xffff)) }
    }

    /// LOOPNE, LOOPE and LOOP. The counter has the address size.
    private func loop<T: OperandWord>(_ i: InstructionRef, _ target: UInt64, as: T.Type) throws(GuestFault) {
        let left = cutAddress(i, counter(i) &- 1)
        var isTaken = left != 0
        if i.opcode == 0xe0 { isTaken = isTaken && !zeroFlag }
        if i.opcode == 0xe1 { isTaken = isTaken && zeroFlag }
        if isTaken { try jump(to: target, as: T.self) }
        setAddressRegister(1, left, i)
    }

    /// CX, ECX or RCX.
    @inline(__always)
    func counter(_ i: InstructionRef) -> UInt64 { cutAddress(i, rcx) }

    /// Writes a register that is an address or a counter, in the address size.
    @inline(__always)
    func setAddressRegister(_ number: Int, _ value: UInt64, _ i: InstructionRef) {
        if i.flags.contains(.address16) {
            setRegister(number, UInt16(truncatingIfNeeded: value))
        } else {
            setFile(number, cutAddress(i, value))
        }
    }
}
