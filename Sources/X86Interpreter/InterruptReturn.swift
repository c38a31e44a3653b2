internal import Synchronization
internal import X86
internal import X86Decoder

/// IRET in all modes (SDM vol. 2, IRET).
extension Core {
    func interruptReturn(_ i: InstructionRef) throws(GuestFault) {
        if isLongMode {
            try longReturn(i.operandSize)
        } else if usesParagraphs {
            try paragraphReturn(i.operandSize)
        } else if s.systemFlags & RFLAGS.nestedTask != 0 {
            try returnTask(i)
        } else {
            try protectedReturn(i.operandSize)
        }
        unblockNMI()
    }

    private func unblockNMI() {
        guard s.nmiBlocked else { return }
        s.nmiBlocked = false
        guard s.nmiWaits else { return }
        s.nmiWaits = false
        deliverNMI()
    }

    /// RF as an image of RFLAGS may bring it: it is kept only while there is an instruction breakpoint for it to hold off.
    var resumeFlag: UInt64 { s.instructionBreakpoints != 0 ? RFLAGS.resume : 0 }

    /// The flags IRET and POPF of `size` bytes may change at the current privilege level.
    func changeableFlags(_ size: UInt8) -> UInt64 {
        var mask = RFLAGS.arithmetic | RFLAGS.trap | RFLAGS.direction | RFLAGS.nestedTask
        if size > 2 { mask |= RFLAGS.alignmentCheck | RFLAGS.identification }
        if s.cpl <= ioPrivilege { mask |= RFLAGS.interrupt }
        if s.cpl == 0 { mask |= RFLAGS.ioPrivilege }
        return mask
    }

    private static let virtualInterruptFlags = RFLAGS.virtualInterrupt | RFLAGS.virtualInterruptPending

    @inline(__always)
    private func mergeFlags(_ image: UInt64, _ mask: UInt64) {
        // RF lies beyond an image of 16 bits.
        let mask = mask & RFLAGS.alignmentCheck != 0 ? mask | resumeFlag : mask
        rflags = s.systemFlags & ~mask | image & mask | arithmeticFlags & ~mask
    }

    // MARK: - long mode

    private func longReturn(_ size: UInt8) throws(GuestFault) {
        guard s.systemFlags & RFLAGS.nestedTask == 0 else { throw .generalProtection() }
        let offset = try stackValue(0, size)
        let selector = UInt16(truncatingIfNeeded: try stackValue(1, size))
        let image = try stackValue(2, size)
        let (code, cpl) = try returnCode(selector)
        let mask = changeableFlags(size) | (s.cpl == 0 && size > 2 ? Core.virtualInterruptFlags : 0)
        guard s.codeSize == .bits64 || cpl > s.cpl else {
            try checkTarget(code, offset)
            setStackPointer(rsp &+ UInt64(size) &* 3)
            enterCode(code, offset, cpl: cpl)
            return mergeFlags(image, mask)
        }
        let pointer = try stackValue(3, size)
        let stack = try returnStack(UInt16(truncatingIfNeeded: try stackValue(4, size)), cpl, code)
        try checkTarget(code, offset)
        let leavesLevel = cpl > s.cpl
        setSegment(2, stack)
        enterCode(code, offset, cpl: cpl)
        setStackPointer(pointer)
        if leavesLevel { dropInnerSegments() }
        mergeFlags(image, mask)
    }

    // MARK: - protected mode

    private func protectedReturn(_ size: UInt8) throws(GuestFault) {
        let offset = try stackValue(0, size)
        let selector = UInt16(truncatingIfNeeded: try stackValue(1, size))
        let image = try stackValue(2, size)
        if image & RFLAGS.virtual8086 != 0 && s.cpl == 0 && size == 4 { return try returnToVirtual8086(offset, selector, image) }
        let (code, cpl) = try returnCode(selector)
        try checkTarget(code, offset)
        let mask = changeableFlags(size) | (s.cpl == 0 && size > 2 ? Core.virtualInterruptFlags : 0)
        if cpl == s.cpl {
            setStackPointer(rsp &+ UInt64(size) &* 3)
            enterCode(code, offset, cpl: cpl)
        } else {
            let pointer = try stackValue(3, size)
            let stack = try returnStack(UInt16(truncatingIfNeeded: try stackValue(4, size)), cpl, code)
            leaveInner(code, offset, cpl, stack, pointer)
        }
        mergeFlags(image, mask)
    }

    private func returnToVirtual8086(_ offset: UInt64, _ selector: UInt16, _ image: UInt64) throws(GuestFault) {
        var values: (UInt64, UInt16, UInt16, UInt16, UInt16, UInt16) = (try stackValue(3, 4), 0, 0, 0, 0, 0)
        values.1 = UInt16(truncatingIfNeeded: try stackValue(4, 4))
        values.2 = UInt16(truncatingIfNeeded: try stackValue(5, 4))
        values.3 = UInt16(truncatingIfNeeded: try stackValue(6, 4))
        values.4 = UInt16(truncatingIfNeeded: try stackValue(7, 4))
        values.5 = UInt16(truncatingIfNeeded: try stackValue(8, 4))
        guard offset <= 0xffff else { throw .generalProtection() }
        rflags = image & ~(RFLAGS.resume & ~resumeFlag)
        setSegment(2, paragraphSegment(2, values.1))
        setSegment(0, paragraphSegment(0, values.2))
        setSegment(3, paragraphSegment(3, values.3))
        setSegment(4, paragraphSegment(4, values.4))
        setSegment(5, paragraphSegment(5, values.5))
        rsp = values.0
        enterCode(paragraphSegment(1, selector), offset, cpl: 3)
    }

    // MARK: - real and virtual-8086 mode

    private func paragraphReturn(_ size: UInt8) throws(GuestFault) {
        let isVirtual = isVirtual8086
        let usesVIF = isVirtual && ioPrivilege < 3
        if usesVIF && (s.cr4 & CR4.virtual8086Extensions == 0 || size != 2) { throw .generalProtection() }
        let offset = try stackValue(0, size)
        let selector = UInt16(truncatingIfNeeded: try stackValue(1, size))
        var image = try stackValue(2, size)
        let code = paragraphSegment(1, selector)
        guard offset <= UInt64(code.limit) else { throw .generalProtection() }
        var mask = changeableFlags(size)
        if usesVIF { try applyVirtualInterrupt(&image, &mask) }
        setStackPointer(rsp &+ UInt64(size) &* 3)
        enterCode(code, offset, cpl: s.cpl)
        mergeFlags(image, mask)
    }

    /// VME: IF of the image stands for VIF (SDM vol. 3B, 20.3.3).
    func applyVirtualInterrupt(_ image: inout UInt64, _ mask: inout UInt64) throws(GuestFault) {
        let opens = image & RFLAGS.interrupt != 0
        if image & RFLAGS.trap != 0 || (opens && s.systemFlags & RFLAGS.virtualInterruptPending != 0) { throw .generalProtection() }
        mask &= ~(RFLAGS.interrupt | RFLAGS.ioPrivilege)
        mask |= RFLAGS.virtualInterrupt
        image = image & ~RFLAGS.virtualInterrupt | (opens ? RFLAGS.virtualInterrupt : 0)
    }
}
