internal import X86
internal import X86Decoder

/// Loading and storing segment registers (SDM vol. 3A, chapters 3 and 5; vol. 2, MOV, POP, LDS).
extension Core {
    /// Real mode or virtual-8086 mode: a selector is a paragraph number.
    @inline(__always) var usesParagraphs: Bool { !isProtected || isVirtual8086 }

    func paragraphSegment(_ number: Int, _ selector: UInt16) -> Segment {
        var value = segment(number)
        value.selector = selector
        value.base = UInt64(selector) &<< 4
        if isVirtual8086 {
            value.limit = 0xffff
            value.attributes = 0xf3
        }
        return value
    }

    /// Loads ES, SS, DS, FS or GS with all checks; nothing has changed when it throws.
    func loadDataSegment(_ number: Int, _ selector: UInt16) throws(GuestFault) {
        if usesParagraphs { return setSegment(number, paragraphSegment(number, selector)) }
        if number == 2 { return setSegment(2, try stackSegment(selector)) }
        guard !Core.isNull(selector) else {
            return setSegment(number, Segment(selector: selector, base: 0, limit: 0, attributes: 0))
        }
        var descriptor = try readDescriptor(selector)
        let code = Core.code(selector)
        guard descriptor.isReadable else { throw .generalProtection(code) }
        if !descriptor.isConforming {
            let rpl = UInt8(truncatingIfNeeded: selector & 3)
            guard max(rpl, s.cpl) <= descriptor.privilege else { throw .generalProtection(code) }
        }
        guard descriptor.isPresent else { throw .segmentNotPresent(code) }
        try markAccessed(&descriptor)
        setSegment(number, descriptor.segment(selector))
    }

    /// What MOV to SS makes of a selector in protected mode.
    private func stackSegment(_ selector: UInt16) throws(GuestFault) -> Segment {
        let rpl = UInt8(truncatingIfNeeded: selector & 3)
        if Core.isNull(selector) {
            guard s.codeSize == .bits64, s.cpl < 3, rpl == s.cpl else { throw .generalProtection() }
            return Core.nullStack(s.cpl)
        }
        return try stackSegment(selector, privilege: s.cpl, vector: ExceptionVector.generalProtection, external: 0)
    }

    /// A null SS still says the privilege level it belongs to.
    static func nullStack(_ cpl: UInt8) -> Segment {
        Segment(selector: UInt16(cpl), base: 0, limit: 0, attributes: UInt16(cpl) &<< 5)
    }

    /// Checks a stack segment for `privilege`; `vector` is what a wrong one raises (#GP, or #TS from a TSS).
    func stackSegment(_ selector: UInt16, privilege: UInt8, vector: UInt8, external: UInt32) throws(GuestFault) -> Segment {
        let code = Core.code(selector, external)
        var descriptor = try readDescriptor(selector, vector: vector, external: external)
        guard UInt8(truncatingIfNeeded: selector & 3) == privilege, descriptor.isWritableData, descriptor.privilege == privilege
        else { throw GuestFault(vector, errorCode: code) }
        guard descriptor.isPresent else { throw .stackFault(code) }
        try markAccessed(&descriptor)
        return descriptor.segment(selector)
    }

    /// After a return to an outer level: data segments that level may not use become null.
    func dropInnerSegments() {
        for number in [0, 3, 4, 5] {
            var value = segment(number)
            guard value.isCodeOrData, value.privilege < s.cpl, value.type & 0xc != 0xc else { continue }
            value.selector = 0
            value.attributes = 0
            if !isLongMode { value.limit = 0 }
            setSegment(number, value)
        }
    }

    // MARK: - instructions

    /// 8C: MOV r/m, Sreg
    func moveFromSegment(_ i: InstructionRef) throws(GuestFault) {
        try storeSelector(i, segment(i.regIndex).selector)
    }

    /// Stores a selector: 16 bits in memory, the whole operand size in a register.
    func storeSelector(_ i: InstructionRef, _ selector: UInt16) throws(GuestFault) {
        if i.isMemory { return try storeOperand(i, selector) }
        if i.operandSize == 2 { return setRegister(i.rmIndex, selector) }
        setFile(i.rmIndex, UInt64(selector))
    }

    /// 8E: MOV Sreg, r/m16
    func moveToSegment(_ i: InstructionRef) throws(GuestFault) {
        try loadDataSegment(i.regIndex, try loadRM(i, as: UInt16.self))
        if i.reg == 2 { shadowStack() }
    }

    func pushSized(_ value: UInt64, _ size: UInt8) throws(GuestFault) {
        switch size {
        case 2: try push(UInt16(truncatingIfNeeded: value))
        case 4: try push(UInt32(truncatingIfNeeded: value))
        default: try push(value)
        }
    }

    func popSized(_ size: UInt8) throws(GuestFault) -> UInt64 {
        switch size {
        case 2: UInt64(try pop(as: UInt16.self))
        case 4: UInt64(try pop(as: UInt32.self))
        default: try pop(as: UInt64.self)
        }
    }

    func popSegment(_ i: InstructionRef, _ number: Int) throws(GuestFault) {
        let old = rsp
        let selector = UInt16(truncatingIfNeeded: try popSized(i.operandSize))
        let new = rsp
        rsp = old
        try loadDataSegment(number, selector)
        // The pop counts by the stack it came from.
        rsp = new
        if number == 2 { shadowStack() }
    }

    /// MOV SS and POP SS: neither interrupts nor debug exceptions come before the instruction that loads the stack pointer is done.
    private func shadowStack() {
        s.interruptShadow = true
        s.debugShadow = runsAlone
    }

    /// LES LDS LSS LFS LGS
    func loadFarPointer(_ i: InstructionRef, _ number: Int) throws(GuestFault) {
        let (selector, offset) = try farOperand(i)
        try loadDataSegment(number, selector)
        switch i.operandSize {
        case 2: setRegister(i.regIndex, UInt16(truncatingIfNeeded: offset))
        case 4: setRegister(i.regIndex, UInt32(truncatingIfNeeded: offset))
        default: setFile(i.regIndex, offset)
        }
    }

    /// A far pointer in memory: the offset by operand size, then the selector.
    func farOperand(_ i: InstructionRef) throws(GuestFault) -> (selector: UInt16, offset: UInt64) {
        let size = Int(truncatingIfNeeded: i.operandSize)
        try checkOperand(i, byteCount: size &+ 2, isWrite: false)
        let address = linear(i)
        let offset: UInt64
        switch size {
        case 2: offset = UInt64(try load(address, i.segment, as: UInt16.self))
        case 4: offset = UInt64(try load(address, i.segment, as: UInt32.self))
        default: offset = try load(address, i.segment, as: UInt64.self)
        }
        let selector = try load(wrapOperand(address &+ UInt64(truncatingIfNeeded: size)), i.segment, as: UInt16.self)
        return (selector, offset)
    }

    func wrapOperand(_ address: UInt64) -> UInt64 { s.codeSize == .bits64 ? address : address & 0xffff_ffff }
}
