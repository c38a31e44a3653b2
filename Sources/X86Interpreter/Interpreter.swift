public import GuestMemory
internal import Synchronization
public import VirtualCPU
public import X86
internal import X86Decoder

/// A vCPU that is interpreted: portable, exact, the meaning other engines are held against.
///
/// Guest code is decoded once into blocks of flat rows (``Instruction``) and executed by one switch. Memory goes through a
/// software TLB. All calls but the two requests belong to the vCPU's thread.
@safe
public final class Interpreter: VirtualCPU {
    public let index: Int
    let core: Core
    let context: InterpreterContext

    /// Makes a vCPU in the state after INIT. It observes `memory` for writes to decoded code from now on.
    public convenience init(index: Int, memory: GuestMemory, environment: any VirtualCPUEnvironment) {
        self.init(index: index, memory: memory, environment: environment, arena: StateArena())
    }

    /// The same in memory that a translator shares.
    package init(index: Int, memory: GuestMemory, environment: any VirtualCPUEnvironment, arena: StateArena) {
        self.index = index
        context = InterpreterContext(memory: memory, environment: environment, arena: arena)
        let storage = unsafe arena.base
        unsafe (storage + Core.stateOffset).initializeMemory(as: CPUState.self, to: CPUState(tlb: context.tlbBase))
        precondition(MemoryLayout<CPUState>.size <= Core.byteCount - Core.stateOffset, "CPUState outgrew its room")
        precondition(MemoryLayout<Operation>.size == 1, "a dispatch code is one byte")
        core = unsafe Core(base: storage, context: Unmanaged.passUnretained(context))
        unsafe context.owner = self
        registerState = RegisterState()
        memory.addObserver(context)
    }

    public var instructionCount: UInt64 { core.s.instructionCount }
    public var is64Bit: Bool { core.s.codeSize == .bits64 }
    public var privilegeLevel: Int { Int(core.s.cpl) }
    public var interruptsEnabled: Bool { core.s.systemFlags & RFLAGS.interrupt != 0 }
    public func general(_ register: GPR) -> UInt64 { core.file(register.rawValue) }
    public func setGeneral(_ register: GPR, _ value: UInt64) { core.setFile(register.rawValue, value) }
    public func requestAttention() { context.attention.raiseFromOutside() }
    public func requestTLBFlush() { context.requestTLBFlush() }

    // MARK: - running

    public func run() -> VirtualCPUExit {
        let rendezvous = context.memory.rendezvous
        rendezvous.enter()
        defer { rendezvous.leave() }
        while true {
            if let exit = handleAttention() { return exit }
            do throws(GuestFault) {
                // Behind STI and MOV SS exactly one instruction runs before interrupts are looked at again.
                if core.runsAlone || core.s.interruptShadow {
                    try core.runAlone()
                } else if let translation = unsafe context.blocks.translation {
                    try translation.runBlocks()
                } else {
                    try core.runBlocks()
                }
            } catch {
                if let exit = handle(error) { return exit }
            }
        }
    }

    /// What waits at an instruction boundary: requests of other threads, leaving, interrupts.
    private func handleAttention() -> VirtualCPUExit? {
        context.attention.lower()
        context.memory.rendezvous.pauseIfWanted()
        handleRequests()
        switch core.s.exitReason {
        case .none: break
        case .halted:
            core.s.exitReason = .none
            return .halted
        case .shutdown:
            core.s.exitReason = .none
            return .tripleFault
        case .noCodeMemory:
            core.s.exitReason = .none
            return .crashed(context.crash ?? "no memory to fetch from")
        }
        if context.environment.shouldLeave() { return .left }
        if core.s.pendingDebug != 0 && !core.s.debugShadow {
            core.deliverDebug()
            if core.s.exitReason != .none { return handleAttention() }
        }
        guard !core.s.interruptShadow else {
            // One instruction runs first; look again right after it.
            requestAttention()
            return nil
        }
        if context.environment.takeNMI() {
            core.deliverNMI()
        } else if context.environment.hasPendingInterrupt() {
            if interruptsEnabled {
                if let vector = context.environment.acknowledgeInterrupt() { core.deliverInterrupt(vector) }
                if context.environment.hasPendingInterrupt() { core.s.interruptWaits = true }
            } else {
                core.s.interruptWaits = true
            }
        }
        return core.s.exitReason == .none ? nil : handleAttention()
    }

    private func handleRequests() {
        let requests = context.requests.withLock { requests -> InterpreterContext.Requests? in
            guard requests.flushesTLB || !requests.writtenFrames.isEmpty || !requests.decodedFrames.isEmpty else { return nil }
            let taken = requests
            requests = InterpreterContext.Requests()
            return taken
        }
        guard let requests else { return }
        for frame in requests.decodedFrames { core.dropWriteEntries(of: frame) }
        for frame in requests.writtenFrames { context.blocks.dropBlocks(in: frame, memory: context.memory) }
        if requests.flushesTLB { core.flushTLB() }
    }

    /// Deals with what stopped an instruction; `s.rip` names it and `s.nextRIP` what follows it.
    private func handle(_ fault: GuestFault) -> VirtualCPUExit? {
        switch fault.kind {
        case .fault, .trap:
            core.deliver(fault)
            context.finishOverwriting()
            return nil
        case .codeWrite:
            core.s.allowsCodeWrite = true
            defer {
                core.s.allowsCodeWrite = false
                context.finishOverwriting()
            }
            do throws(GuestFault) { try core.step() } catch { return handle(error) }
            return nil
        case .leave:
            return nil
        }
    }

    // MARK: - state

    public var registerState: RegisterState {
        get { core.registerState }
        set { core.setRegisterState(newValue) }
    }

    public func readLinear(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        var done = 0
        while done < buffer.count {
            let at = address &+ UInt64(done)
            let count = min(buffer.count - done, 4096 - Int(at & 0xfff))
            guard let physical = core.peek(at, isWrite: false) else { return false }
            let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done..<done + count])
            do throws(GuestMemoryError) { unsafe try context.memory.read(physical, into: part) } catch { return false }
            done += count
        }
        return true
    }

    public func writeLinear(_ address: UInt64, from buffer: UnsafeRawBufferPointer) -> Bool {
        var done = 0
        while done < buffer.count {
            let at = address &+ UInt64(done)
            let count = min(buffer.count - done, 4096 - Int(at & 0xfff))
            guard let physical = core.peek(at, isWrite: true) else { return false }
            let part = unsafe UnsafeRawBufferPointer(rebasing: buffer[done..<done + count])
            do throws(GuestMemoryError) { unsafe try context.memory.write(physical, from: part) } catch { return false }
            done += count
        }
        return true
    }
}

extension Core {
    /// Where a linear address leads for a look from outside; nil when it is not mapped.
    func peek(_ address: UInt64, isWrite: Bool) -> GuestPhysicalAddress? {
        do throws(GuestFault) {
            return GuestPhysicalAddress(try translate(address, isWrite ? [.peek, .write] : .peek).physical)
        } catch {
            return nil
        }
    }

    var registerState: RegisterState {
        var state = RegisterState()
        for number in 0..<16 { state.general[number] = file(number) }
        state.rip = s.rip
        state.rflags = rflags
        for number in 0..<6 { state.segments[number] = segment(number) }
        state.ldtr = segment(Core.ldtr)
        state.tr = segment(Core.tr)
        state.gdtr = s.gdtr
        state.idtr = s.idtr
        (state.cr0, state.cr2, state.cr3, state.cr4) = (s.cr0, s.cr2, s.cr3, s.cr4)
        (state.efer, state.dr6, state.dr7) = (s.efer, s.dr6, s.dr7)
        (state.dr0, state.dr1, state.dr2, state.dr3) = (s.dr0, s.dr1, s.dr2, s.dr3)
        return state
    }

    func setRegisterState(_ state: RegisterState) {
        for number in 0..<16 { setFile(number, state.general[number]) }
        setFile(17, 0)
        for number in 0..<6 { setSegment(number, state.segments[number]) }
        setSegment(Core.ldtr, state.ldtr)
        setSegment(Core.tr, state.tr)
        s.gdtr = state.gdtr
        s.idtr = state.idtr
        (s.cr0, s.cr2, s.cr3, s.cr4) = (state.cr0, state.cr2, state.cr3, state.cr4)
        (s.efer, s.dr6, s.dr7) = (state.efer, state.dr6, state.dr7)
        (s.dr0, s.dr1, s.dr2, s.dr3) = (state.dr0, state.dr1, state.dr2, state.dr3)
        s.rip = state.rip
        s.cpl = isProtected ? segment(2).privilege : 0
        s.interruptShadow = false
        s.debugShadow = false
        s.pendingDebug = 0
        rflags = state.rflags
        sortBreakpoints()
        updateCodeSize()
        flushTLB()
    }

    /// Follows a change of CS or of EFER.LMA.
    func updateCodeSize() {
        let code = segment(1)
        s.codeSize = isLongMode && code.isLong ? .bits64 : code.isBig ? .bits32 : .bits16
        updateMode()
    }
}
