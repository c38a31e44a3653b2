internal import Synchronization
internal import X86
internal import X86Decoder

/// Something to deliver through the IDT.
struct Event {
    var vector: UInt8
    var errorCode: UInt32?
    /// The instruction pointer the handler sees.
    var returnRIP: UInt64
    /// RF in the saved flags: set by faults, so that the instruction gets past a breakpoint on it.
    var setsResume = false
    /// INT n, INT3 and INTO: gates check CPL.
    var isSoftware = false

    /// EXT in the error code of a fault during the delivery.
    var external: UInt32 { isSoftware ? 0 : 1 }
    var idtCode: UInt32 { UInt32(vector) &* 8 | 2 | external }
}

/// Exceptions and interrupts (SDM vol. 3A, chapter 6).
extension Core {
    /// Delivers what stopped the instruction at `s.rip`; `s.nextRIP` is what follows it.
    ///
    /// Ends in a shutdown (``CPUState/exitReason``) when a double fault cannot be delivered.
    func deliver(_ fault: GuestFault) {
        if fault.vector == ExceptionVector.pageFault && fault.hasErrorCode { s.cr2 = fault.address }
        let isFault = fault.kind == .fault
        // The instruction did not complete: what it touched before does not count.
        if isFault { s.pendingDebug = 0 }
        if fault.vector == ExceptionVector.debug { s.dr7 &= ~DR7.generalDetect }
        raise(
            Event(
                vector: fault.vector, errorCode: fault.hasErrorCode ? fault.errorCode : nil,
                returnRIP: isFault ? s.rip : s.nextRIP, setsResume: isFault))
    }

    /// Delivers an external interrupt at an instruction boundary.
    func deliverInterrupt(_ vector: UInt8) {
        raise(Event(vector: vector, returnRIP: s.rip))
    }

    /// Delivers a non-maskable interrupt, or remembers it while another one is being handled.
    func deliverNMI() {
        if s.nmiBlocked {
            s.nmiWaits = true
            return
        }
        s.nmiBlocked = true
        raise(Event(vector: ExceptionVector.nmi, returnRIP: s.rip))
    }

    /// Delivers, and combines with what goes wrong on the way (SDM vol. 3A, table 6-5). Three rounds at most: benign,
    /// contributory or page fault, double fault.
    func raise(_ first: Event) {
        var event = first
        let allowed = s.allowsCodeWrite
        // No block is running: what a frame overwrites can be dropped at once.
        s.allowsCodeWrite = true
        defer { s.allowsCodeWrite = allowed }
        while true {
            s.switchedTask = false
            do throws(GuestFault) {
                return try enter(event)
            } catch {
                // Behind the point of no return of a task switch the fault is the new task's.
                if s.switchedTask { event.returnRIP = s.rip }
                guard error.kind == .fault, event.vector != ExceptionVector.doubleFault else { return shutDown() }
                if error.vector == ExceptionVector.pageFault { s.cr2 = error.address }
                event = combine(event, error)
            }
        }
    }

    private func combine(_ event: Event, _ fault: GuestFault) -> Event {
        let isPageFault = event.vector == ExceptionVector.pageFault
        let isDouble =
            isPageFault
            ? fault.vector == ExceptionVector.pageFault || Core.isContributory(fault.vector)
            : Core.isContributory(event.vector) && Core.isContributory(fault.vector)
        if isDouble && !event.isSoftware {
            return Event(vector: ExceptionVector.doubleFault, errorCode: 0, returnRIP: event.returnRIP, setsResume: true)
        }
        return Event(
            vector: fault.vector, errorCode: fault.hasErrorCode ? fault.errorCode : nil, returnRIP: event.returnRIP, setsResume: true)
    }

    private static func isContributory(_ vector: UInt8) -> Bool {
        vector == ExceptionVector.divideError || (10...13).contains(vector)
    }

    func shutDown() {
        s.exitReason = .shutdown
        shared.attention.raise()
    }

    // MARK: - software interrupts

    /// INT n, INT3, INTO. A fault on the way is the instruction's own.
    func softwareInterrupt(_ vector: UInt8, _ i: InstructionRef, checksIOPL: Bool) throws(GuestFault) {
        if isVirtual8086 && checksIOPL {
            if try redirectsInterrupt(vector) { return try enterRedirected(vector, nextRIP(i)) }
            if ioPrivilege < 3 { throw .generalProtection() }
        }
        s.cancelsStep = true
        try completingInNewTask { () throws(GuestFault) in
            try enter(Event(vector: vector, returnRIP: nextRIP(i), isSoftware: true))
        }
    }

    var ioPrivilege: UInt8 { UInt8(truncatingIfNeeded: s.systemFlags &>> 12) & 3 }

    // MARK: - delivery

    /// Enters the handler. Registers have not changed when it throws; memory below the new stack pointer may have.
    ///
    /// What it writes matches no data breakpoint: a breakpoint on the stack of #DB would never come to an end.
    func enter(_ event: Event) throws(GuestFault) {
        let pendingDebug = s.pendingDebug
        defer { s.pendingDebug = pendingDebug | s.pendingDebug & DR6.taskSwitch }
        if isLongMode {
            try enterLong(event)
        } else if isProtected {
            try enterProtected(event)
        } else {
            try enterReal(event)
        }
        s.interruptShadow = false
        s.debugShadow = false
    }

    private func enterReal(_ event: Event) throws(GuestFault) {
        let entry = UInt64(event.vector) &* 4
        guard entry &+ 3 <= UInt64(s.idtr.limit) else { throw .generalProtection() }
        let target = try loadTable(wrapTable(s.idtr.base &+ entry), as: UInt32.self)
        var frame = StackFrame(segment: segment(2), pointer: rsp, size: 2, isLong: false)
        try push(rflags, &frame)
        try push(UInt64(segment(1).selector), &frame)
        try push(event.returnRIP, &frame)
        rsp = frame.pointer
        clearFlags(RFLAGS.interrupt | RFLAGS.trap | RFLAGS.alignmentCheck | RFLAGS.resume)
        setSegment(1, paragraphSegment(1, UInt16(truncatingIfNeeded: target &>> 16)))
        s.rip = UInt64(target & 0xffff)
        updateCodeSize()
    }

    /// Clears system flags.
    @inline(__always)
    func clearFlags(_ bits: UInt64) {
        s.systemFlags &= ~bits
        if bits & RFLAGS.trap != 0 { s.isStepping = false }
    }

    /// Runs `body` under the rules of another privilege level and code size; they stay in force unless it throws.
    @inline(__always)
    func withPrivilege(_ cpl: UInt8, _ size: CodeSize, _ body: () throws(GuestFault) -> Void) throws(GuestFault) {
        let old = (s.cpl, s.codeSize)
        s.cpl = cpl
        s.codeSize = size
        updateMode()
        do throws(GuestFault) {
            try body()
        } catch {
            (s.cpl, s.codeSize) = old
            updateMode()
            throw error
        }
    }
}
