internal import X86
internal import X86Decoder

/// PUSH, POP, PUSHA, POPA, ENTER and LEAVE in every size (SDM vol. 2). A fault leaves RSP as it was.
extension Core {
    func executeStack<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x50...0x57: try push(register(i.rmIndex, as: T.self))
        case 0x58...0x5f: setRegister(i.rmIndex, try pop(as: T.self))
        case 0x60: try pushAll(as: T.self)
        case 0x61: try popAll(as: T.self)
        case 0x68, 0x6a: try push(T(truncatingIfNeeded: i.immediate))
        case 0x8f: try popOperand(i, as: T.self)
        case 0xc8: try enter(i, as: T.self)
        case 0xc9: try leave(as: T.self)
        default: try push(try loadRM(i, as: T.self))
        }
    }

    /// An address based on RSP is formed after the pop.
    private func popOperand<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let old = rsp
        let value = try pop(as: T.self)
        do throws(GuestFault) {
            try storeRM(i, value)
        } catch {
            rsp = old
            throw error
        }
    }

    private func pushAll<T: OperandWord>(as: T.Type) throws(GuestFault) {
        let size = MemoryLayout<T>.size
        var top = rsp
        for number in 0..<8 {
            top = top &- UInt64(truncatingIfNeeded: size)
            try store(stackLinear(top, byteCount: size, isWrite: true), register(number, as: T.self), 2)
        }
        setStackPointer(top)
    }

    private func popAll<T: OperandWord>(as: T.Type) throws(GuestFault) {
        let size = MemoryLayout<T>.size
        var top = rsp
        var values = InlineArray<8, T>(repeating: 0)
        for number in (0..<8).reversed() {
            values[number] = try load(stackLinear(top, byteCount: size, isWrite: false), 2, as: T.self)
            top = top &+ UInt64(truncatingIfNeeded: size)
        }
        for number in 0..<8 where number != 4 { setRegister(number, values[number]) }
        setStackPointer(top)
    }

    private func enter<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let size = UInt64(truncatingIfNeeded: MemoryLayout<T>.size)
        let level = (i.immediate &>> 16) & 31
        let old = rsp
        do throws(GuestFault) {
            try push(register(5, as: T.self))
            let frame = rsp
            try pushFrames(level, frame, as: T.self)
            let top = rsp &- UInt64(bitPattern: i.immediate & 0xffff)
            try probeWrite(
                stackLinear(top, byteCount: Int(truncatingIfNeeded: size), isWrite: true), byteCount: Int(truncatingIfNeeded: size), 2)
            setStackPointer(top)
            setRegister(5, T(truncatingIfNeeded: frame))
        } catch {
            rsp = old
            throw error
        }
    }

    /// The frame pointers of the outer levels, then the new one.
    private func pushFrames<T: OperandWord>(_ level: Int64, _ frame: UInt64, as: T.Type) throws(GuestFault) {
        guard level > 0 else { return }
        let size = MemoryLayout<T>.size
        var at = rbp
        for _ in 1..<level {
            at = at &- UInt64(truncatingIfNeeded: size)
            try push(try load(stackLinear(at, byteCount: size, isWrite: false), 2, as: T.self))
        }
        try push(T(truncatingIfNeeded: frame))
    }

    private func leave<T: OperandWord>(as: T.Type) throws(GuestFault) {
        let old = rsp
        setStackPointer(rbp)
        do throws(GuestFault) {
            setRegister(5, try pop(as: T.self))
        } catch {
            rsp = old
            throw error
        }
    }
}
