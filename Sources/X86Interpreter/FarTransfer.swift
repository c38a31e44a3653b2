internal import X86
internal import X86Decoder

/// JMP, CALL and RET between code segments (SDM vol. 3A, 5.8; vol. 2, CALL, JMP, RET).
extension Core {
    /// EA and 9A carry the pointer as an immediate.
    func farImmediate(_ i: InstructionRef) -> (selector: UInt16, offset: UInt64) {
        (UInt16(truncatingIfNeeded: i.immediate &>> 32), UInt64(bitPattern: i.immediate & 0xffff_ffff))
    }

    /// An instruction pointer as an operand of `size` bytes carries it.
    func cut(_ offset: UInt64, _ size: UInt8) -> UInt64 {
        switch size {
        case 2: offset & 0xffff
        case 4: offset & 0xffff_ffff
        default: offset
        }
    }

    /// #GP(0) when `offset` lies outside of a code segment that is about to be entered.
    func checkTarget(_ code: Segment, _ offset: UInt64) throws(GuestFault) {
        if isLongMode && code.isLong {
            guard Core.isCanonical(offset) else { throw .generalProtection() }
        } else {
            guard offset <= UInt64(code.limit) else { throw .generalProtection() }
        }
    }

    /// Makes a code segment current.
    func enterCode(_ code: Segment, _ offset: UInt64, cpl: UInt8) {
        setSegment(1, code)
        s.rip = offset
        s.cpl = cpl
        updateCodeSize()
    }

    // MARK: - JMP and CALL

    func farJump(_ selector: UInt16, _ offset: UInt64, _ i: InstructionRef) throws(GuestFault) {
        let offset = cut(offset, i.operandSize)
        if usesParagraphs { return try enterParagraph(selector, offset) }
        var descriptor = try targetDescriptor(selector)
        if descriptor.isSystem { return try farSystem(selector, &descriptor, i, isCall: false) }
        let code = try sameLevelCode(selector, &descriptor)
        try checkTarget(code, offset)
        enterCode(code, offset, cpl: s.cpl)
    }

    func farCall(_ selector: UInt16, _ offset: UInt64, _ i: InstructionRef) throws(GuestFault) {
        let offset = cut(offset, i.operandSize)
        if usesParagraphs {
            guard offset <= UInt64(segment(1).limit) else { throw .generalProtection() }
            try pushReturn(i, i.operandSize)
            return try enterParagraph(selector, offset)
        }
        var descriptor = try targetDescriptor(selector)
        if descriptor.isSystem { return try farSystem(selector, &descriptor, i, isCall: true) }
        let code = try sameLevelCode(selector, &descriptor)
        try checkTarget(code, offset)
        try pushReturn(i, i.operandSize)
        enterCode(code, offset, cpl: s.cpl)
    }

    private func enterParagraph(_ selector: UInt16, _ offset: UInt64) throws(GuestFault) {
        let code = paragraphSegment(1, selector)
        guard offset <= UInt64(code.limit) else { throw .generalProtection() }
        enterCode(code, offset, cpl: s.cpl)
    }

    private func targetDescriptor(_ selector: UInt16) throws(GuestFault) -> Descriptor {
        guard !Core.isNull(selector) else { throw .generalProtection() }
        return try readDescriptor(selector)
    }

    /// Pushes CS and the return address, both or neither.
    private func pushReturn(_ i: InstructionRef, _ size: UInt8) throws(GuestFault) {
        let old = rsp
        do throws(GuestFault) {
            try pushSized(UInt64(segment(1).selector), size)
            try pushSized(nextRIP(i), size)
        } catch {
            rsp = old
            throw error
        }
    }

    /// A code segment entered without a change of level; `checksRequest` is false behind a gate.
    private func sameLevelCode(
        _ selector: UInt16, _ descriptor: inout Descriptor, checksRequest: Bool = true
    ) throws(GuestFault) -> Segment {
        let code = Core.code(selector)
        let rpl = UInt8(truncatingIfNeeded: selector & 3)
        guard descriptor.isCode else { throw .generalProtection(code) }
        if descriptor.isConforming {
            guard descriptor.privilege <= s.cpl else { throw .generalProtection(code) }
        } else {
            guard descriptor.privilege == s.cpl, !checksRequest || rpl <= s.cpl else { throw .generalProtection(code) }
        }
        guard !isLongMode || !descriptor.isLong || !descriptor.isBig else { throw .generalProtection(code) }
        guard descriptor.isPresent else { throw .segmentNotPresent(code) }
        try markAccessed(&descriptor)
        return descriptor.segment(selector & ~3 | UInt16(s.cpl))
    }

    // MARK: - gates

    private func farSystem(
        _ selector: UInt16, _ descriptor: inout Descriptor, _ i: InstructionRef, isCall: Bool
    ) throws(GuestFault) {
        let code = Core.code(selector)
        let type = descriptor.type
        let isGate = type == SystemType.callGate || (type == SystemType.callGate16 && !isLongMode)
        let isTask = !isLongMode && [SystemType.taskGate, SystemType.availableTSS, SystemType.availableTSS16].contains(type)
        guard isGate || isTask, descriptor.privilege >= max(s.cpl, UInt8(truncatingIfNeeded: selector & 3)) else {
            throw .generalProtection(code)
        }
        if isTask { return try farTask(selector, descriptor, isCall: isCall, i) }
        try readUpperHalf(selector, &descriptor)
        guard descriptor.isPresent else { throw .segmentNotPresent(code) }
        if type == SystemType.callGate16 { descriptor.raw &= 0x0000_ffff_ffff_ffff }
        try farGate(descriptor, i, isCall: isCall)
    }

    private func farGate(_ gate: Descriptor, _ i: InstructionRef, isCall: Bool) throws(GuestFault) {
        let selector = gate.gateSelector
        guard !Core.isNull(selector) else { throw .generalProtection() }
        var target = try readDescriptor(selector)
        guard target.isCode, !isLongMode || (target.isLong && !target.isBig) else { throw .generalProtection(Core.code(selector)) }
        if isCall && !target.isConforming && target.privilege < s.cpl { return try innerCall(gate, &target, i) }
        let code = try sameLevelCode(selector, &target, checksRequest: false)
        try checkTarget(code, gate.gateOffset)
        if isCall { try pushReturn(i, isLongMode ? 8 : gate.type & 8 != 0 ? 4 : 2) }
        enterCode(code, gate.gateOffset, cpl: s.cpl)
    }

    private func innerCall(_ gate: Descriptor, _ target: inout Descriptor, _ i: InstructionRef) throws(GuestFault) {
        let selector = gate.gateSelector
        let cpl = target.privilege
        guard target.isPresent else { throw .segmentNotPresent(Core.code(selector)) }
        try markAccessed(&target)
        let code = target.segment(selector & ~3 | UInt16(cpl))
        var frame: StackFrame
        if isLongMode {
            let pointer = try longStack(at: UInt64(cpl) &* 8 &+ 4, external: 0)
            frame = StackFrame(segment: Core.nullStack(cpl), pointer: pointer, size: 8, isLong: true)
        } else {
            let (stack, pointer) = try innerStack(cpl, external: 0)
            frame = StackFrame(
                segment: stack, pointer: pointer, size: gate.type & 8 != 0 ? 4 : 2, isLong: false, errorCode: Core.code(stack.selector))
        }
        try checkTarget(code, gate.gateOffset)
        let parameters = try gateParameters(gate, Int(truncatingIfNeeded: frame.size))
        let returnRIP = nextRIP(i)
        try withPrivilege(cpl, isLongMode ? .bits64 : s.codeSize) { () throws(GuestFault) in
            try push(UInt64(segment(2).selector), &frame)
            try push(rsp, &frame)
            for value in parameters { try push(value, &frame) }
            try push(UInt64(segment(1).selector), &frame)
            try push(returnRIP, &frame)
        }
        setSegment(2, frame.segment)
        rsp = frame.pointer
        enterCode(code, gate.gateOffset, cpl: cpl)
    }

    /// What a call gate copies from the caller's stack, the word pushed first in front.
    private func gateParameters(_ gate: Descriptor, _ size: Int) throws(GuestFault) -> [UInt64] {
        guard !isLongMode else { return [] }
        var values: [UInt64] = []
        for index in (0..<gate.gateParameterCount).reversed() {
            values.append(try stackValue(index, UInt8(truncatingIfNeeded: size)))
        }
        return values
    }

    // MARK: - RET

    /// Value number `index` on the stack, without popping it.
    func stackValue(_ index: Int, _ size: UInt8, offset: UInt64 = 0) throws(GuestFault) -> UInt64 {
        let count = Int(truncatingIfNeeded: size)
        let address = try stackLinear(rsp &+ offset &+ UInt64(truncatingIfNeeded: index &* count), byteCount: count, isWrite: false)
        switch size {
        case 2: return UInt64(try load(address, 2, as: UInt16.self))
        case 4: return UInt64(try load(address, 2, as: UInt32.self))
        default: return try load(address, 2, as: UInt64.self)
        }
    }

    /// RETF, with `released` bytes of parameters.
    func farReturn(_ i: InstructionRef, released: UInt64) throws(GuestFault) {
        let size = i.operandSize
        let words = UInt64(size) &* 2
        let offset = try stackValue(0, size)
        let selector = UInt16(truncatingIfNeeded: try stackValue(1, size))
        if usesParagraphs {
            let code = paragraphSegment(1, selector)
            guard offset <= UInt64(code.limit) else { throw .generalProtection() }
            setStackPointer(rsp &+ words &+ released)
            return enterCode(code, offset, cpl: s.cpl)
        }
        let (code, cpl) = try returnCode(selector)
        try checkTarget(code, offset)
        guard cpl > s.cpl else {
            setStackPointer(rsp &+ words &+ released)
            return enterCode(code, offset, cpl: cpl)
        }
        let pointer = try stackValue(2, size, offset: released)
        let stack = try returnStack(UInt16(truncatingIfNeeded: try stackValue(3, size, offset: released)), cpl, code)
        leaveInner(code, offset, cpl, stack, pointer)
        setStackPointer(pointer &+ released)
    }

    /// The code segment RETF and IRET go back to, at its RPL.
    func returnCode(_ selector: UInt16) throws(GuestFault) -> (segment: Segment, cpl: UInt8) {
        guard !Core.isNull(selector) else { throw .generalProtection() }
        var descriptor = try readDescriptor(selector)
        let code = Core.code(selector)
        let cpl = UInt8(truncatingIfNeeded: selector & 3)
        guard descriptor.isCode, cpl >= s.cpl else { throw .generalProtection(code) }
        guard descriptor.isConforming ? descriptor.privilege <= cpl : descriptor.privilege == cpl else { throw .generalProtection(code) }
        guard !isLongMode || !descriptor.isLong || !descriptor.isBig else { throw .generalProtection(code) }
        guard descriptor.isPresent else { throw .segmentNotPresent(code) }
        try markAccessed(&descriptor)
        return (descriptor.segment(selector), cpl)
    }

    /// The stack segment of the level returned to.
    func returnStack(_ selector: UInt16, _ cpl: UInt8, _ code: Segment) throws(GuestFault) -> Segment {
        if Core.isNull(selector) {
            guard isLongMode, code.isLong, cpl < 3, UInt8(truncatingIfNeeded: selector & 3) == cpl else { throw .generalProtection() }
            return Core.nullStack(cpl)
        }
        return try stackSegment(selector, privilege: cpl, vector: ExceptionVector.generalProtection, external: 0)
    }

    /// Goes to an outer level.
    func leaveInner(_ code: Segment, _ offset: UInt64, _ cpl: UInt8, _ stack: Segment, _ pointer: UInt64) {
        setSegment(2, stack)
        enterCode(code, offset, cpl: cpl)
        setStackPointer(pointer)
        dropInnerSegments()
    }
}
