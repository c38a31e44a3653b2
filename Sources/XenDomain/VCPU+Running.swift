import LocalAPIC
import Synchronization
public import VirtualCPU
import X86
import XenABI

/// What a vCPU's thread does next.
public enum VCPUStep: Equatable, Sendable {
    /// Call ``VCPU/step(_:)`` again.
    case again
    /// Sleep until `DomainHost.wake` names this vCPU and ``VCPU/isRunnable`` is true.
    case wait
    /// The domain has stopped; the thread may end.
    case stopped
}

extension VCPU {
    public var isOnline: Bool { online.load(ordering: .acquiring) }

    /// True when the vCPU has something to execute now. Any thread; looks at nothing but the state of the vCPU, so a
    /// thread that checks it after each `DomainHost.wake` misses nothing.
    public var isRunnable: Bool {
        guard isOnline, domain.shutdownReason == nil, !domain.isPaused else { return false }
        switch wait.load(ordering: .sequentiallyConsistent) {
        case .none: return true
        case .halted: return interruptIsPending || nmiIsPending
        case .blocked: return interruptIsPending || nmiIsPending || upcallIsPending
        case .polling:
            return pollSatisfied.load(ordering: .acquiring) || nmiIsPending
                || (pollWakesOnInterrupt.load(ordering: .relaxed) && interruptIsPending)
        }
    }

    /// Runs the engine once, until something for this thread happens, and does what its exit asks for.
    ///
    /// Only on the vCPU's own thread.
    public func step(_ cpu: any VirtualCPU) -> VCPUStep {
        guard domain.shutdownReason == nil else { return .stopped }
        guard isRunnable else { return .wait }
        resume(cpu)
        switch cpu.run() {
        case .halted: halt(cpu)
        case .left: break
        case .tripleFault: domain.tripleFault()
        case .crashed(let message): domain.crash("vCPU \(index): \(message)")
        }
        leaveTime()
        guard domain.shutdownReason == nil else { return .stopped }
        if isRunnable { return .again }
        changeRunstate(to: isOnline ? RunstateLayout.blocked : RunstateLayout.offline, cpu)
        return .wait
    }

    private func resume(_ cpu: any VirtualCPU) {
        if wait.exchange(.none, ordering: .sequentiallyConsistent) == .polling { endPoll() }
        clearLeave()
        if domain.isPaused || domain.shutdownReason != nil || !isOnline { requestLeave() }
        enterTime()
        if let state = start.withLock({ $0.takeState() }) { cpu.registerState = state }
        changeRunstate(to: RunstateLayout.running, cpu)
    }

    /// HLT. With interrupts off nothing but an NMI could wake the vCPU: it goes down, and with the last one the domain.
    private func halt(_ cpu: any VirtualCPU) {
        if !cpu.interruptsEnabled, !nmiIsPending { return goDown() }
        wait.store(.halted, ordering: .sequentiallyConsistent)
    }

    /// Blocks the vCPU until an event; it leaves its engine after the hypercall.
    func block(_ reason: Wait) {
        wait.store(reason, ordering: .sequentiallyConsistent)
        requestLeave()
    }

    // MARK: - up and down

    /// Takes the vCPU offline; with the last one online the domain powers off.
    func goDown() {
        online.store(false, ordering: .sequentiallyConsistent)
        requestLeave()
        if !domain.vcpus.contains(where: \.isOnline) { domain.shutdown(.powerOff) }
    }

    /// Brings an initialised vCPU online.
    ///
    /// - Throws: `.invalidArgument` when it has no state to run from.
    func goUp() throws(XenError) {
        guard start.withLock({ $0.isInitialised }) else { throw .invalidArgument }
        guard !online.exchange(true, ordering: .sequentiallyConsistent) else { return }
        if wait.exchange(.none, ordering: .sequentiallyConsistent) == .polling { endPoll() }
        updateTime()
        domain.host.startVCPU(index)
        domain.host.wake(vcpu: index)
    }

    /// INIT: the vCPU stops and waits for a start-up interrupt.
    func initialiseByINIT() {
        online.store(false, ordering: .sequentiallyConsistent)
        start.withLock { start in
            start.isInitialised = false
            start.state = nil
        }
        withLAPIC { $0.resetRegisters() }
        requestLeave()
    }

    /// SIPI: starts in real mode at `vector` pages. Ignored unless the vCPU waits for it.
    func startUp(vector: UInt8) {
        let accepted = start.withLock { start -> Bool in
            guard !start.isInitialised else { return false }
            var state = RegisterState()
            state[.cs] = Segment(selector: UInt16(vector) << 8, base: UInt64(vector) << 12, limit: 0xffff, attributes: 0x9b)
            start.state = state
            start.isInitialised = true
            return true
        }
        // An INIT that another vCPU sent in between wins: then nothing is left to start.
        if accepted { do { try goUp() } catch { return } }
    }

    /// Hands over the state of VCPUOP_initialise.
    func initialise(_ state: RegisterState) throws(XenError) {
        let isNew = start.withLock { start -> Bool in
            guard !start.isInitialised else { return false }
            start.isInitialised = true
            start.state = state
            return true
        }
        guard isNew else { throw .exists }
    }

    // MARK: - timers

    var nextDeadline: UInt64 {
        let own = clock.withLock { $0.nextDeadline }
        return min(own, lapic.withLock { $0.timerDeadline } ?? .max)
    }

    func fireTimers(now: UInt64) {
        let due = clock.withLock { $0.takeDue(now: now) }
        if due.timer { domain.raiseVIRQ(VIRQ.timer, on: index) }
        if due.poll { satisfyPoll() }
        let hasFired = withLAPIC { apic -> Bool in
            guard let deadline = apic.timerDeadline, deadline <= now else { return false }
            apic.fireTimer(now: now, isHeld: domain.isPaused)
            return true
        }
        if hasFired { kick() }
    }

    func satisfyPoll() {
        pollSatisfied.store(true, ordering: .sequentiallyConsistent)
        kick()
    }

    // MARK: - run states

    /// Moves to a run state and shows it to the guest where it asked for that.
    private func changeRunstate(to state: UInt32, _ cpu: any VirtualCPU) {
        let now = domain.host.now()
        let (area, record) = clock.withLock { clock in
            clock.runstate.change(to: state, now: now)
            return (clock.runstateArea, clock.runstate)
        }
        publish(record, to: area, cpu)
    }

    /// Writes a run state to the guest's area. An area that cannot be written is left alone, as in Xen.
    func publish(_ record: Runstate, to area: VCPUClock.GuestArea, _ cpu: any VirtualCPU) {
        let is64Bit = !domain.is32Bit
        let announces = domain.runstateUpdateFlag.load(ordering: .relaxed)
        switch area {
        case .none: break
        case .linear(let address):
            if announces {
                _ = unsafe record.wire(is64Bit: is64Bit, updating: true).withBytes { unsafe cpu.writeLinear(address, from: $0) }
            }
            _ = unsafe record.wire(is64Bit: is64Bit).withBytes { unsafe cpu.writeLinear(address, from: $0) }
        case .place(let place):
            // A 32-bit guest may have put it so close to the page's end that the longer record no longer fits.
            guard place.hasRoom(is64Bit ? RunstateLayout.size64 : RunstateLayout.size32) else { return }
            if announces { place.store(record.wire(is64Bit: is64Bit, updating: true)) }
            place.store(record.wire(is64Bit: is64Bit))
        }
    }
}
