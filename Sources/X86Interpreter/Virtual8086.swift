internal import X86
internal import X86Decoder

/// Interrupts that virtual-8086 code handles itself: the redirection of CR4.VME (SDM vol. 3B, 20.3.3).
extension Core {
    /// Whether INT `vector` goes to the 8086 program's own handler: a clear bit in the 32 bytes below the I/O bitmap of the TSS.
    ///
    /// - Throws: #GP(0) when the TSS has no such bit.
    func redirectsInterrupt(_ vector: UInt8) throws(GuestFault) -> Bool {
        guard s.cr4 & CR4.virtual8086Extensions != 0 else { return false }
        let task = segment(Core.tr)
        guard task.isPresent, task.type & 8 != 0, task.limit >= 0x67 else { throw .generalProtection() }
        let map = UInt64(try loadSystem(wrapTable(task.base &+ 0x66), as: UInt16.self))
        let at = map &- 32 &+ UInt64(vector &>> 3)
        guard map >= 32, at <= UInt64(task.limit) else { throw .generalProtection() }
        let bits = try loadSystem(wrapTable(task.base &+ at), as: UInt8.self)
        return bits & (1 &<< (vector & 7)) == 0
    }

    /// Enters a handler of the interrupt table at linear address 0, as real mode would. Below IOPL 3 the flags pushed show VIF as IF.
    func enterRedirected(_ vector: UInt8, _ returnRIP: UInt64) throws(GuestFault) {
        let target = try load(UInt64(vector) &* 4, as: UInt32.self)
        let usesVIF = ioPrivilege < 3
        var image = rflags
        if usesVIF {
            let isOpen = s.systemFlags & RFLAGS.virtualInterrupt != 0
            image = image & ~RFLAGS.interrupt | RFLAGS.ioPrivilege | (isOpen ? RFLAGS.interrupt : 0)
        }
        var frame = StackFrame(segment: segment(2), pointer: rsp, size: 2, isLong: false)
        try push(image, &frame)
        try push(UInt64(segment(1).selector), &frame)
        try push(returnRIP, &frame)
        setStackPointer(frame.pointer)
        s.cancelsStep = true
        clearFlags((usesVIF ? RFLAGS.virtualInterrupt : RFLAGS.interrupt) | RFLAGS.trap)
        enterCode(paragraphSegment(1, UInt16(truncatingIfNeeded: target &>> 16)), UInt64(target & 0xffff), cpl: 3)
    }
}
