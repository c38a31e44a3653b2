internal import X86
internal import X86Decoder

/// What makes the processor switch tasks.
enum TaskSwitchCause {
    case jump, call
    /// An exception or interrupt through a task gate.
    case event
    /// IRET with NT set.
    case interruptReturn

    /// The new task gets a link to the old one, and NT.
    var nests: Bool { self == .call || self == .event }
    /// The old task is available again.
    var ends: Bool { self == .jump || self == .interruptReturn }
}

/// Hardware task switches (SDM vol. 3A, chapter 8). Long mode has none: what would be one there raises #GP elsewhere.
///
/// Up to the point of no return a switch changes nothing and its faults are the old task's. Behind it they are the new task's:
/// ``CPUState/switchedTask`` says so, and `s.rip` is the new task's then.
extension Core {
    // MARK: - ways in

    /// A task gate of the IDT.
    func enterTask(_ selector: UInt16, _ event: Event) throws(GuestFault) {
        let flags = rflags | (event.setsResume ? RFLAGS.resume : 0)
        try switchTask(to: selector, .event, returnRIP: event.returnRIP, flags: flags, external: event.external)
        guard let errorCode = event.errorCode else { return }
        if segment(Core.tr).type & 8 != 0 { try push(errorCode) } else { try push(UInt16(truncatingIfNeeded: errorCode)) }
    }

    /// JMP or CALL to a task gate or a TSS, whose privilege has been checked.
    func farTask(_ selector: UInt16, _ descriptor: Descriptor, isCall: Bool, _ i: InstructionRef) throws(GuestFault) {
        var target = selector
        if descriptor.type == SystemType.taskGate {
            guard descriptor.isPresent else { throw .segmentNotPresent(Core.code(selector)) }
            target = descriptor.gateSelector
        }
        try completingInNewTask { () throws(GuestFault) in
            try switchTask(to: target, isCall ? .call : .jump, returnRIP: nextRIP(i), flags: rflags, external: 0)
        }
    }

    /// IRET with NT set.
    func returnTask(_ i: InstructionRef) throws(GuestFault) {
        let selector = try loadSystem(wrapTable(segment(Core.tr).base), as: UInt16.self)
        try completingInNewTask { () throws(GuestFault) in
            try switchTask(to: selector, .interruptReturn, returnRIP: nextRIP(i), flags: rflags & ~RFLAGS.nestedTask, external: 0)
        }
    }

    /// Runs an instruction's `body`, which may switch tasks. What goes wrong in the new task is delivered there; the instruction
    /// itself is complete.
    func completingInNewTask(_ body: () throws(GuestFault) -> Void) throws(GuestFault) {
        s.switchedTask = false
        do throws(GuestFault) {
            try body()
        } catch {
            guard s.switchedTask else { throw error }
            deliver(error)
        }
    }

    // MARK: - the switch

    private func switchTask(
        to selector: UInt16, _ cause: TaskSwitchCause, returnRIP: UInt64, flags: UInt64, external: UInt32
    ) throws(GuestFault) {
        var target = try taskDescriptor(selector, cause, external)
        let old = segment(Core.tr)
        let oldBusy = cause.ends ? try busyByte(of: old.selector) : nil
        guard old.isPresent, old.limit >= TaskLayout(old.type).lastSaved else { throw .invalidTSS(Core.code(old.selector, external)) }
        let layout = TaskLayout(target.type)
        let image = try readTask(target.base, layout)
        try probeSystemWrite(old.base, byteCount: UInt64(TaskLayout(old.type).lastSaved) &+ 1)
        try probeSystemWrite(target.base, byteCount: 2)
        try probeSystemWrite(target.address &+ 5, byteCount: 1)
        if let oldBusy { try probeSystemWrite(oldBusy, byteCount: 1) }

        // Every page has been found: nothing of this faults.
        try saveTask(old.base, TaskLayout(old.type), returnRIP, flags)
        if let oldBusy { try storeSystem(oldBusy, try loadSystem(oldBusy, as: UInt8.self) & ~2) }
        if cause.nests { try storeSystem(wrapTable(target.base), old.selector) }
        target.raw |= 2 &<< 40
        if cause != .interruptReturn { try storeSystem(target.address &+ 5, UInt8(truncatingIfNeeded: target.raw &>> 40)) }
        setSegment(Core.tr, target.segment(selector))
        try loadTask(image, layout, nests: cause.nests, external: external)
    }

    /// The descriptor of the TSS to switch to.
    ///
    /// - Throws: #GP, or #TS for IRET, with the selector when it names no TSS, or one that is busy (not busy for IRET); #NP; #TS when
    ///   the TSS is too short.
    private func taskDescriptor(_ selector: UInt16, _ cause: TaskSwitchCause, _ external: UInt32) throws(GuestFault) -> Descriptor {
        let isReturn = cause == .interruptReturn
        let vector = isReturn ? ExceptionVector.invalidTSS : ExceptionVector.generalProtection
        let code = Core.code(selector, external)
        guard !Core.isNull(selector), selector & 4 == 0 else { throw GuestFault(vector, errorCode: code) }
        let descriptor = try readDescriptor(selector, vector: vector, external: external)
        let types = isReturn ? [SystemType.busyTSS, SystemType.busyTSS16] : [SystemType.availableTSS, SystemType.availableTSS16]
        guard types.contains(descriptor.type) else { throw GuestFault(vector, errorCode: code) }
        guard descriptor.isPresent else { throw .segmentNotPresent(code) }
        guard descriptor.limit >= TaskLayout(descriptor.type).lastByte else { throw .invalidTSS(code) }
        return descriptor
    }

    /// Address of the byte with the busy bit of the current task; nil when TR was never loaded.
    private func busyByte(of selector: UInt16) throws(GuestFault) -> UInt64? {
        guard !Core.isNull(selector) else { return nil }
        return try readDescriptor(selector, vector: ExceptionVector.invalidTSS).address &+ 5
    }

    /// Raises the page faults that writing would, at most 4096 bytes.
    private func probeSystemWrite(_ address: UInt64, byteCount: UInt64) throws(GuestFault) {
        let first = wrapTable(address)
        let last = wrapTable(address &+ byteCount &- 1)
        _ = unsafe try fill(first, [.implicit, .write])
        if (first ^ last) & ~0xfff != 0 { _ = unsafe try fill(last, [.implicit, .write]) }
    }

    private func saveTask(_ base: UInt64, _ layout: TaskLayout, _ returnRIP: UInt64, _ flags: UInt64) throws(GuestFault) {
        try storeTaskField(base &+ layout.instructionPointer, layout, returnRIP)
        try storeTaskField(base &+ layout.flags, layout, flags)
        for number in 0..<8 { try storeTaskField(base &+ layout.register(number), layout, file(number)) }
        for number in 0..<layout.segmentCount { try storeSystem(wrapTable(base &+ layout.segment(number)), segment(number).selector) }
    }

    private func storeTaskField(_ address: UInt64, _ layout: TaskLayout, _ value: UInt64) throws(GuestFault) {
        if layout.is32Bit {
            try storeSystem(wrapTable(address), UInt32(truncatingIfNeeded: value))
        } else {
            try storeSystem(wrapTable(address), UInt16(truncatingIfNeeded: value))
        }
    }

    private func readTask(_ base: UInt64, _ layout: TaskLayout) throws(GuestFault) -> TaskImage {
        var image = TaskImage()
        image.instructionPointer = try loadTaskField(base &+ layout.instructionPointer, layout)
        image.flags = try loadTaskField(base &+ layout.flags, layout)
        for number in 0..<8 { image.registers[number] = try loadTaskField(base &+ layout.register(number), layout) }
        for number in 0..<layout.segmentCount {
            image.selectors[number] = try loadSystem(wrapTable(base &+ layout.segment(number)), as: UInt16.self)
        }
        image.localTable = try loadSystem(wrapTable(base &+ layout.localTable), as: UInt16.self)
        if layout.is32Bit {
            image.cr3 = UInt64(try loadSystem(wrapTable(base &+ 0x1c), as: UInt32.self))
            image.traps = try loadSystem(wrapTable(base &+ 0x64), as: UInt16.self) & 1 != 0
        }
        return image
    }

    private func loadTaskField(_ address: UInt64, _ layout: TaskLayout) throws(GuestFault) -> UInt64 {
        layout.is32Bit
            ? UInt64(try loadSystem(wrapTable(address), as: UInt32.self)) : UInt64(try loadSystem(wrapTable(address), as: UInt16.self))
    }

    // MARK: - the new task

    /// Makes `image` current. What it throws belongs to the new task.
    private func loadTask(_ image: TaskImage, _ layout: TaskLayout, nests: Bool, external: UInt32) throws(GuestFault) {
        s.switchedTask = true
        s.cancelsStep = true
        s.cr0 |= CR0.taskSwitched
        s.dr7 &= ~DR7.localEnables
        for number in 0..<8 { setFile(number, image.registers[number]) }
        s.rip = image.instructionPointer
        rflags = (image.flags | (nests ? RFLAGS.nestedTask : 0)) & ~(RFLAGS.resume & ~resumeFlag)
        s.cpl = isVirtual8086 ? 3 : UInt8(truncatingIfNeeded: image.selectors[1] & 3)
        // Selectors first, without what stands behind them: a fault on the way shows which were not loaded.
        for number in 0..<6 { setSegment(number, Segment(selector: image.selectors[number], base: 0, limit: 0, attributes: 0)) }
        setSegment(Core.ldtr, Segment(selector: image.localTable, base: 0, limit: 0, attributes: 0))
        sortBreakpoints()
        if layout.is32Bit && s.cr0 & CR0.paging != 0 { try setCR3(image.cr3) }
        try loadTaskLocalTable(image.localTable, external)
        if isVirtual8086 {
            for number in 0..<6 { setSegment(number, paragraphSegment(number, image.selectors[number])) }
        } else {
            try loadTaskSegments(image, external)
        }
        updateCodeSize()
        if image.traps { noteDebug(DR6.taskSwitch) }
    }

    private func loadTaskLocalTable(_ selector: UInt16, _ external: UInt32) throws(GuestFault) {
        guard !Core.isNull(selector) else { return }
        let code = Core.code(selector, external)
        guard selector & 4 == 0 else { throw .invalidTSS(code) }
        let descriptor = try readDescriptor(selector, vector: ExceptionVector.invalidTSS, external: external)
        guard descriptor.type == SystemType.ldt, descriptor.isPresent else { throw .invalidTSS(code) }
        setSegment(Core.ldtr, descriptor.segment(selector))
    }

    private func loadTaskSegments(_ image: TaskImage, _ external: UInt32) throws(GuestFault) {
        setSegment(1, try taskCode(image.selectors[1], external))
        updateCodeSize()
        guard !Core.isNull(image.selectors[2]) else { throw .invalidTSS(Core.code(image.selectors[2], external)) }
        setSegment(
            2, try stackSegment(image.selectors[2], privilege: s.cpl, vector: ExceptionVector.invalidTSS, external: external))
        for number in [3, 0, 4, 5] { try loadTaskData(number, image.selectors[number], external) }
    }

    private func taskCode(_ selector: UInt16, _ external: UInt32) throws(GuestFault) -> Segment {
        let code = Core.code(selector, external)
        guard !Core.isNull(selector) else { throw .invalidTSS(code) }
        var descriptor = try readDescriptor(selector, vector: ExceptionVector.invalidTSS, external: external)
        guard descriptor.isCode, descriptor.isConforming ? descriptor.privilege <= s.cpl : descriptor.privilege == s.cpl else {
            throw .invalidTSS(code)
        }
        guard descriptor.isPresent else { throw .segmentNotPresent(code) }
        try markAccessed(&descriptor)
        return descriptor.segment(selector)
    }

    private func loadTaskData(_ number: Int, _ selector: UInt16, _ external: UInt32) throws(GuestFault) {
        guard !Core.isNull(selector) else { return }
        let code = Core.code(selector, external)
        var descriptor = try readDescriptor(selector, vector: ExceptionVector.invalidTSS, external: external)
        guard descriptor.isReadable else { throw .invalidTSS(code) }
        if !descriptor.isConforming {
            guard max(UInt8(truncatingIfNeeded: selector & 3), s.cpl) <= descriptor.privilege else { throw .invalidTSS(code) }
        }
        guard descriptor.isPresent else { throw .segmentNotPresent(code) }
        try markAccessed(&descriptor)
        setSegment(number, descriptor.segment(selector))
    }
}

/// Where things stand in a 32-bit or 16-bit TSS, in bytes (SDM vol. 3A, 8.2.1 and 8.6).
private struct TaskLayout {
    let is32Bit: Bool

    /// - Parameter type: of the TSS's descriptor; bit 3 is set for 32-bit ones.
    init(_ type: UInt16) { is32Bit = type & 8 != 0 }

    var instructionPointer: UInt64 { is32Bit ? 0x20 : 0x0e }
    var flags: UInt64 { is32Bit ? 0x24 : 0x10 }
    func register(_ number: Int) -> UInt64 { is32Bit ? 0x28 &+ UInt64(number) &* 4 : 0x12 &+ UInt64(number) &* 2 }
    /// ES CS SS DS, and FS GS in 32-bit ones.
    var segmentCount: Int { is32Bit ? 6 : 4 }
    func segment(_ number: Int) -> UInt64 { is32Bit ? 0x48 &+ UInt64(number) &* 4 : 0x22 &+ UInt64(number) &* 2 }
    var localTable: UInt64 { is32Bit ? 0x60 : 0x2a }
    /// The smallest limit of a TSS that is switched to, and of one that is saved to.
    var lastByte: UInt32 { is32Bit ? 0x67 : 0x2b }
    var lastSaved: UInt32 { is32Bit ? 0x5d : 0x29 }
}

/// What a TSS holds of a task.
private struct TaskImage {
    var instructionPointer: UInt64 = 0
    var flags: UInt64 = 0
    var registers = InlineArray<8, UInt64>(repeating: 0)
    /// Null where a 16-bit TSS has none.
    var selectors = InlineArray<6, UInt16>(repeating: 0)
    var localTable: UInt16 = 0
    var cr3: UInt64 = 0
    /// T: a debug exception at the first instruction.
    var traps = false
}
