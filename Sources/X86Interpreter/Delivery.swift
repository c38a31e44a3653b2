internal import X86
internal import X86Decoder

/// Entering handlers through gates of the IDT, in protected and in long mode (SDM vol. 3A, 6.12 and 6.14).
extension Core {
    // MARK: - long mode

    func enterLong(_ event: Event) throws(GuestFault) {
        let oldCPL = s.cpl
        let returnFlags = rflags | (event.setsResume ? RFLAGS.resume : 0)
        try withPrivilege(0, .bits64) { () throws(GuestFault) in
            try enterLongAsKernel(event, oldCPL, returnFlags)
        }
    }

    private func longGate(_ event: Event, _ oldCPL: UInt8) throws(GuestFault) -> Descriptor {
        let entry = UInt64(event.vector) &* 16
        guard entry &+ 15 <= UInt64(s.idtr.limit) else { throw .generalProtection(event.idtCode) }
        var gate = Descriptor(raw: try loadTable(s.idtr.base &+ entry, as: UInt64.self), address: s.idtr.base &+ entry)
        gate.upper = try loadTable(s.idtr.base &+ entry &+ 8, as: UInt64.self) & 0xffff_ffff
        guard gate.type == SystemType.interruptGate || gate.type == SystemType.trapGate else {
            throw .generalProtection(event.idtCode)
        }
        if event.isSoftware && gate.privilege < oldCPL { throw .generalProtection(event.idtCode) }
        guard gate.isPresent else { throw .segmentNotPresent(event.idtCode) }
        return gate
    }

    /// The code segment a gate leads to. Nonconforming code sets the new privilege level.
    private func handlerCode(
        _ selector: UInt16, _ oldCPL: UInt8, _ external: UInt32
    ) throws(GuestFault) -> (segment: Segment, cpl: UInt8) {
        guard !Core.isNull(selector) else { throw .generalProtection(external) }
        var descriptor = try readDescriptor(selector, external: external)
        let code = Core.code(selector, external)
        guard descriptor.isCode, descriptor.privilege <= oldCPL, !isLongMode || (descriptor.isLong && !descriptor.isBig) else {
            throw .generalProtection(code)
        }
        guard descriptor.isPresent else { throw .segmentNotPresent(code) }
        try markAccessed(&descriptor)
        let cpl = descriptor.isConforming ? oldCPL : descriptor.privilege
        return (descriptor.segment(selector & ~3 | UInt16(cpl)), cpl)
    }

    private func enterLongAsKernel(_ event: Event, _ oldCPL: UInt8, _ flags: UInt64) throws(GuestFault) {
        let gate = try longGate(event, oldCPL)
        let (code, cpl) = try handlerCode(gate.gateSelector, oldCPL, event.external)
        let changesLevel = cpl < oldCPL
        var pointer = rsp
        if gate.gateStack != 0 {
            pointer = try longStack(at: UInt64(truncatingIfNeeded: gate.gateStack) &* 8 &+ 28, external: event.external)
        } else if changesLevel {
            pointer = try longStack(at: UInt64(cpl) &* 8 &+ 4, external: event.external)
        }
        if cpl != 0 {
            s.cpl = cpl
            updateMode()
        }
        guard Core.isCanonical(gate.gateOffset) else { throw .generalProtection(event.external) }
        var frame = StackFrame(segment: .null, pointer: pointer & ~0xf, size: 8, isLong: true)
        try push(UInt64(segment(2).selector), &frame)
        try push(rsp, &frame)
        try push(flags, &frame)
        try push(UInt64(segment(1).selector), &frame)
        try push(event.returnRIP, &frame)
        if let errorCode = event.errorCode { try push(UInt64(errorCode), &frame) }
        rsp = frame.pointer
        if changesLevel { setSegment(2, Core.nullStack(cpl)) }
        finishEntry(gate, code)
    }

    private func finishEntry(_ gate: Descriptor, _ code: Segment) {
        let closes = gate.type & 1 == 0 ? RFLAGS.interrupt : 0
        clearFlags(closes | RFLAGS.trap | RFLAGS.nestedTask | RFLAGS.resume | RFLAGS.virtual8086)
        setSegment(1, code)
        s.rip = gate.gateOffset
        updateCodeSize()
    }

    // MARK: - protected mode

    func enterProtected(_ event: Event) throws(GuestFault) {
        let entry = UInt64(event.vector) &* 8
        guard entry &+ 7 <= UInt64(s.idtr.limit) else { throw .generalProtection(event.idtCode) }
        let address = wrapTable(s.idtr.base &+ entry)
        var gate = Descriptor(raw: try loadTable(address, as: UInt64.self), address: address)
        let isKnown: Bool
        switch gate.type {
        case SystemType.taskGate, SystemType.interruptGate, SystemType.trapGate: isKnown = true
        case SystemType.interruptGate16, SystemType.trapGate16:
            isKnown = true
            gate.raw &= 0x0000_ffff_ffff_ffff
        default: isKnown = false
        }
        guard isKnown, !event.isSoftware || gate.privilege >= s.cpl else { throw .generalProtection(event.idtCode) }
        guard gate.isPresent else { throw .segmentNotPresent(event.idtCode) }
        if gate.type == SystemType.taskGate { return try enterTask(gate.gateSelector, event) }
        let (code, cpl) = try handlerCode(gate.gateSelector, s.cpl, event.external)
        if isVirtual8086 && cpl != 0 { throw .generalProtection(Core.code(gate.gateSelector, event.external)) }
        try enterProtected(event, gate, code, cpl)
    }

    private func enterProtected(_ event: Event, _ gate: Descriptor, _ code: Segment, _ cpl: UInt8) throws(GuestFault) {
        let size: UInt64 = gate.type & 8 != 0 ? 4 : 2
        let changesLevel = cpl < s.cpl
        let fromVirtual = isVirtual8086
        let flags = rflags | (event.setsResume ? RFLAGS.resume : 0)
        var frame = StackFrame(segment: segment(2), pointer: rsp, size: size, isLong: false, errorCode: event.external)
        if changesLevel {
            let (stack, pointer) = try innerStack(cpl, external: event.external)
            frame = StackFrame(
                segment: stack, pointer: pointer, size: size, isLong: false, errorCode: Core.code(stack.selector, event.external))
        }
        guard gate.gateOffset <= UInt64(code.limit) else { throw .generalProtection(event.external) }
        // The frame is checked as the handler's, not as virtual-8086 code's.
        s.systemFlags &= ~RFLAGS.virtual8086
        do throws(GuestFault) {
            try withPrivilege(cpl, code.isBig ? .bits32 : .bits16) { () throws(GuestFault) in
                if fromVirtual { for number in [5, 4, 3, 0] { try push(UInt64(segment(number).selector), &frame) } }
                if changesLevel {
                    try push(UInt64(segment(2).selector), &frame)
                    try push(rsp, &frame)
                }
                try push(flags, &frame)
                try push(UInt64(segment(1).selector), &frame)
                try push(event.returnRIP, &frame)
                if let errorCode = event.errorCode { try push(UInt64(errorCode), &frame) }
            }
        } catch {
            if fromVirtual { s.systemFlags |= RFLAGS.virtual8086 }
            throw error
        }
        rsp = frame.pointer
        if changesLevel { setSegment(2, frame.segment) }
        if fromVirtual { for number in [0, 3, 4, 5] { setSegment(number, .null) } }
        finishEntry(gate, code)
    }
}
