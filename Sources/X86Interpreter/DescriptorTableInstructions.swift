internal import X86
internal import X86Decoder

/// LGDT and its family, LLDT, LTR, and the instructions that look at descriptors (SDM vol. 2).
extension Core {
    func requireKernel() throws(GuestFault) {
        guard s.cpl == 0 else { throw .generalProtection() }
    }

    /// User-mode instruction prevention.
    func checkPrevention() throws(GuestFault) {
        if s.cpl != 0 && s.cr4 & CR4.userModeInstructionPrevention != 0 { throw .generalProtection() }
    }

    /// 0F 00: SLDT STR LLDT LTR VERR VERW
    func executeSelectorGroup(_ i: InstructionRef) throws(GuestFault) {
        guard !usesParagraphs else { throw .invalidOpcode }
        switch (i.modRM &>> 3) & 7 {
        case 0:
            try checkPrevention()
            try storeSelector(i, segment(Core.ldtr).selector)
        case 1:
            try checkPrevention()
            try storeSelector(i, segment(Core.tr).selector)
        case 2:
            try requireKernel()
            try loadLocalTable(try loadRM(i, as: UInt16.self))
        case 3:
            try requireKernel()
            try loadTask(try loadRM(i, as: UInt16.self))
        case 4: setZero(try verify(try loadRM(i, as: UInt16.self), isWrite: false))
        case 5: setZero(try verify(try loadRM(i, as: UInt16.self), isWrite: true))
        default: throw .invalidOpcode
        }
    }

    private func loadLocalTable(_ selector: UInt16) throws(GuestFault) {
        if Core.isNull(selector) {
            return setSegment(Core.ldtr, Segment(selector: selector, base: 0, limit: 0, attributes: 0))
        }
        let code = Core.code(selector)
        guard selector & 4 == 0 else { throw .generalProtection(code) }
        var descriptor = try readDescriptor(selector)
        guard descriptor.type == SystemType.ldt else { throw .generalProtection(code) }
        try readUpperHalf(selector, &descriptor)
        guard descriptor.isPresent else { throw .segmentNotPresent(code) }
        guard !isLongMode || Core.isCanonical(descriptor.base) else { throw .generalProtection(code) }
        setSegment(Core.ldtr, descriptor.segment(selector))
    }

    private func loadTask(_ selector: UInt16) throws(GuestFault) {
        guard !Core.isNull(selector) else { throw .generalProtection() }
        let code = Core.code(selector)
        guard selector & 4 == 0 else { throw .generalProtection(code) }
        var descriptor = try readDescriptor(selector)
        let isTSS =
            descriptor.type == SystemType.availableTSS
            || (descriptor.type == SystemType.availableTSS16 && !isLongMode)
        guard isTSS else { throw .generalProtection(code) }
        try readUpperHalf(selector, &descriptor)
        guard descriptor.isPresent else { throw .segmentNotPresent(code) }
        guard !isLongMode || Core.isCanonical(descriptor.base) else { throw .generalProtection(code) }
        descriptor.raw |= 2 &<< 40
        try storeSystem(descriptor.address &+ 5, UInt8(truncatingIfNeeded: descriptor.raw &>> 40))
        setSegment(Core.tr, descriptor.segment(selector))
    }

    private func isVisible(_ descriptor: Descriptor, _ selector: UInt16) -> Bool {
        descriptor.isConforming || max(UInt8(truncatingIfNeeded: selector & 3), s.cpl) <= descriptor.privilege
    }

    private func verify(_ selector: UInt16, isWrite: Bool) throws(GuestFault) -> Bool {
        guard let descriptor = try descriptorIfAny(selector), isVisible(descriptor, selector) else { return false }
        return isWrite ? descriptor.isWritableData : descriptor.isReadable
    }

    /// 0F 02: LAR
    func loadAccessRights(_ i: InstructionRef) throws(GuestFault) {
        guard !usesParagraphs else { throw .invalidOpcode }
        let selector = try loadRM(i, as: UInt16.self)
        guard let descriptor = try descriptorIfAny(selector), isVisible(descriptor, selector),
            !descriptor.isSystem || hasAccessRights(descriptor.type)
        else { return setZero(false) }
        let rights = UInt32(truncatingIfNeeded: descriptor.raw &>> 32) & 0x00ff_ff00
        if i.operandSize == 2 {
            setRegister(i.regIndex, UInt16(truncatingIfNeeded: rights))
        } else {
            setRegister(i.regIndex, rights)
        }
        setZero(true)
    }

    private func hasAccessRights(_ type: UInt16) -> Bool {
        switch type {
        case SystemType.ldt, SystemType.availableTSS, SystemType.busyTSS, SystemType.callGate: true
        case SystemType.availableTSS16, SystemType.busyTSS16, SystemType.callGate16, SystemType.taskGate: !isLongMode
        default: false
        }
    }

    /// 0F 03: LSL
    func loadSegmentLimit(_ i: InstructionRef) throws(GuestFault) {
        guard !usesParagraphs else { throw .invalidOpcode }
        let selector = try loadRM(i, as: UInt16.self)
        guard let descriptor = try descriptorIfAny(selector), isVisible(descriptor, selector),
            !descriptor.isSystem || hasLimit(descriptor.type)
        else { return setZero(false) }
        if i.operandSize == 2 {
            setRegister(i.regIndex, UInt16(truncatingIfNeeded: descriptor.limit))
        } else {
            setRegister(i.regIndex, descriptor.limit)
        }
        setZero(true)
    }

    private func hasLimit(_ type: UInt16) -> Bool {
        switch type {
        case SystemType.ldt, SystemType.availableTSS, SystemType.busyTSS: true
        case SystemType.availableTSS16, SystemType.busyTSS16: !isLongMode
        default: false
        }
    }

    /// 63 outside of 64-bit code: ARPL
    func adjustRequestedPrivilege(_ i: InstructionRef) throws(GuestFault) {
        guard !usesParagraphs else { throw .invalidOpcode }
        let selector = try loadRM(i, as: UInt16.self)
        let wanted = register(i.regIndex, as: UInt16.self) & 3
        guard selector & 3 < wanted else { return setZero(false) }
        try storeRM(i, selector & ~3 | wanted)
        setZero(true)
    }

    /// SGDT, SIDT
    func storeTable(_ i: InstructionRef, _ table: DescriptorTable) throws(GuestFault) {
        try checkPrevention()
        let size = i.codeSize == .bits64 ? 10 : 6
        try checkOperand(i, byteCount: size, isWrite: true)
        let address = linear(i)
        try probeWrite(address, byteCount: size, i.segment)
        try store(address, table.limit, i.segment)
        let second = wrapOperand(address &+ 2)
        if size == 10 { return try store(second, table.base, i.segment) }
        try store(second, UInt32(truncatingIfNeeded: table.base), i.segment)
    }

    /// LGDT, LIDT
    func loadTableRegister(_ i: InstructionRef) throws(GuestFault) -> DescriptorTable {
        try requireKernel()
        try checkOperand(i, byteCount: i.codeSize == .bits64 ? 10 : 6, isWrite: false)
        let address = linear(i)
        let limit = try load(address, i.segment, as: UInt16.self)
        let second = wrapOperand(address &+ 2)
        if i.codeSize == .bits64 {
            let base = try load(second, i.segment, as: UInt64.self)
            guard Core.isCanonical(base) else { throw .generalProtection() }
            return DescriptorTable(base: base, limit: limit)
        }
        let base = try load(second, i.segment, as: UInt32.self)
        return DescriptorTable(base: UInt64(i.operandSize == 2 ? base & 0xff_ffff : base), limit: limit)
    }
}
