internal import Synchronization
internal import VirtualCPU
internal import X86
internal import X86Decoder

/// Ports (SDM vol. 1, chapter 19; vol. 2, IN, OUT, INS, OUTS).
extension Core {
    /// CPL against IOPL, then the bitmap of the TSS.
    private func checkPort(_ port: UInt16, _ byteCount: Int) throws(GuestFault) {
        guard isProtected, isVirtual8086 || s.cpl > ioPrivilege else { return }
        let task = segment(Core.tr)
        guard task.isPresent, task.type & 8 != 0, task.limit >= 0x67 else { throw .generalProtection() }
        let map = try loadTable(wrapTable(task.base &+ 0x66), as: UInt16.self)
        let at = UInt64(map) &+ UInt64(port &>> 3)
        guard at &+ 1 <= UInt64(task.limit) else { throw .generalProtection() }
        let bits = try loadTable(wrapTable(task.base &+ at), as: UInt16.self)
        let wanted = (UInt16(1) &<< UInt16(truncatingIfNeeded: byteCount)) &- 1
        guard (bits &>> (port & 7)) & wanted == 0 else { throw .generalProtection() }
    }

    /// Bytes an IN, OUT, INS or OUTS moves: even opcodes one, odd ones by operand size.
    private func portSize(_ i: InstructionRef) -> Int {
        i.opcode & 1 == 0 ? 1 : i.operandSize == 2 ? 2 : 4
    }

    /// E4 E5 EC ED
    func input(_ i: InstructionRef, _ port: UInt16) throws(GuestFault) {
        let size = portSize(i)
        try checkPort(port, size)
        let value = shared.environment.readPort(port, byteCount: size)
        matchPort(port, byteCount: size)
        switch size {
        case 1: setRegister(0, UInt8(truncatingIfNeeded: value))
        case 2: setRegister(0, UInt16(truncatingIfNeeded: value))
        default: setRegister(0, value)
        }
    }

    /// E6 E7 EE EF
    func output(_ i: InstructionRef, _ port: UInt16) throws(GuestFault) {
        let size = portSize(i)
        try checkPort(port, size)
        let mask: UInt32 = size == 4 ? ~0 : (1 &<< UInt32(truncatingIfNeeded: size &* 8)) &- 1
        shared.environment.writePort(port, byteCount: size, value: register(0, as: UInt32.self) & mask)
        matchPort(port, byteCount: size)
    }

    // MARK: - strings

    private func addressMask(_ i: InstructionRef) -> UInt64 {
        i.flags.contains(.address16) ? 0xffff : i.flags.contains(.address32) ? 0xffff_ffff : ~0
    }

    /// Writes a counter or index register: 16 bits keep what is above, 32 clear it.
    private func setAddressRegister(_ number: Int, _ value: UInt64, _ mask: UInt64) {
        setFile(number, mask == 0xffff ? file(number) & ~mask | value & mask : value & mask)
    }

    private func isRepeated(_ i: InstructionRef) -> Bool { i.flags.contains(.rep) || i.flags.contains(.repne) }

    /// 6C-6F, element by element. Registers say what is done when an element faults or something waits.
    func stringPort(_ i: InstructionRef) throws(GuestFault) {
        let port = register(2, as: UInt16.self)
        let size = portSize(i)
        let mask = addressMask(i)
        let isRepeated = isRepeated(i)
        if isRepeated && rcx & mask == 0 { return }
        try checkPort(port, size)
        while true {
            if i.opcode & 2 == 0 { try inputElement(i, port, size, mask) } else { try outputElement(i, port, size, mask) }
            matchPort(port, byteCount: size)
            guard isRepeated else { return }
            let left = (rcx &- 1) & mask
            setAddressRegister(1, left, mask)
            if left == 0 { return }
            if shared.attention.isRaised { throw .leave }
        }
    }

    private func step(_ number: Int, _ size: Int, _ mask: UInt64) {
        let distance = UInt64(truncatingIfNeeded: size)
        let isDown = s.systemFlags & RFLAGS.direction != 0
        setAddressRegister(number, isDown ? file(number) &- distance : file(number) &+ distance, mask)
    }

    private func elementAddress(
        _ i: InstructionRef, _ number: Int, _ register: Int, _ size: Int, _ mask: UInt64, isWrite: Bool
    )
        throws(GuestFault) -> UInt64
    {
        let offset = file(register) & mask
        if i.codeSize == .bits64 { return offset &+ (number >= 4 ? segment(number).base : 0) }
        try checkSegment(number, offset, byteCount: size, isWrite: isWrite)
        return (offset &+ segment(number).base) & 0xffff_ffff
    }

    private func inputElement(_ i: InstructionRef, _ port: UInt16, _ size: Int, _ mask: UInt64) throws(GuestFault) {
        let address = try elementAddress(i, 0, 7, size, mask, isWrite: true)
        try probeWrite(address, byteCount: size, 0)
        let value = shared.environment.readPort(port, byteCount: size)
        switch size {
        case 1: try store(address, UInt8(truncatingIfNeeded: value), 0)
        case 2: try store(address, UInt16(truncatingIfNeeded: value), 0)
        default: try store(address, value, 0)
        }
        step(7, size, mask)
    }

    private func outputElement(_ i: InstructionRef, _ port: UInt16, _ size: Int, _ mask: UInt64) throws(GuestFault) {
        let address = try elementAddress(i, Int(truncatingIfNeeded: i.segment), 6, size, mask, isWrite: false)
        let value: UInt32
        switch size {
        case 1: value = UInt32(try load(address, i.segment, as: UInt8.self))
        case 2: value = UInt32(try load(address, i.segment, as: UInt16.self))
        default: value = try load(address, i.segment, as: UInt32.self)
        }
        shared.environment.writePort(port, byteCount: size, value: value)
        step(6, size, mask)
    }
}
