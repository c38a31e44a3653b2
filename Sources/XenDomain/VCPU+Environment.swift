public import GuestMemory
import LocalAPIC
import Synchronization
public import VirtualCPU
public import X86
import XenABI

/// What the engine of this vCPU reaches: ports, device memory, MSRs, CPUID, hypercalls and interrupts.
extension VCPU: VirtualCPUEnvironment {
    /// No port answers; see the feature set for platforms that have devices.
    public func readPort(_ port: UInt16, byteCount: Int) -> UInt32 {
        byteCount >= 4 ? .max : (1 &<< UInt32(byteCount &* 8)) &- 1
    }

    public func writePort(_ port: UInt16, byteCount: Int, value: UInt32) {
        guard port == XenCPUID.logPort, byteCount == 1 else { return }
        domain.host.hypervisorLog(UInt8(truncatingIfNeeded: value))
    }

    public func readPhysical(_ address: GuestPhysicalAddress, byteCount: Int) -> UInt64 {
        let ones = byteCount >= 8 ? UInt64.max : (1 &<< UInt64(byteCount &* 8)) &- 1
        guard let offset = lapicOffset(address) else { return ones }
        // Only aligned dwords are registers; narrower reads see a part of one.
        let register = withLAPIC { $0.read(offset & ~3, now: domain.host.now()) }
        return UInt64(register) &>> UInt64((offset & 3) &* 8) & ones
    }

    public func writePhysical(_ address: GuestPhysicalAddress, byteCount: Int, value: UInt64) {
        guard let offset = lapicOffset(address), offset & 0xf == 0, byteCount == 4 else { return }
        let now = domain.host.now()
        perform(withLAPIC { $0.write(offset, UInt32(truncatingIfNeeded: value), now: now) })
        if interruptIsPending { engine?.requestAttention() }
    }

    /// Position in the APIC's page, while the APIC answers there.
    private func lapicOffset(_ address: GuestPhysicalAddress) -> Int? {
        guard domain.configuration.features.contains(.hasLAPIC),
            address.rawValue & ~0xfff == APICBase.defaultAddress
        else { return nil }
        let answers = lapic.withLock { $0.isHardwareEnabled && !$0.isX2APIC }
        return answers ? address.pageOffset : nil
    }

    public func cpuid(leaf: UInt32, subleaf: UInt32) -> CPUIDResult {
        let isAPICEnabled = lapic.withLock { $0.isHardwareEnabled }
        return domain.policy.cpuid(leaf: leaf, subleaf: subleaf, vcpu: index, isAPICEnabled: isAPICEnabled)
    }

    public func hypercall(_ cpu: any VirtualCPU) { HypercallTable.dispatch(cpu, self) }

    public func hasPendingInterrupt() -> Bool { interruptIsPending }

    /// The global upcall comes before the APIC's interrupts and needs no acknowledgement.
    public func acknowledgeInterrupt() -> UInt8? {
        let global = pendingGlobalUpcall
        if global != 0 { return global }
        guard tracksHeldTime else { return withLAPIC { $0.acknowledge { domain.host.now() } } }
        let (vector, lag) = withLAPIC { ($0.acknowledge { domain.host.now() }, $0.lag) }
        hold(lag: lag)
        return vector
    }

    public func shouldLeave() -> Bool { mustLeave }
    public func takeNMI() -> Bool { consumeNMI() }
    public func readTSC() -> UInt64 { guestTSC }

    // MARK: - APIC actions

    /// Carries out what a register of this vCPU's APIC asked for.
    func perform(_ action: LocalAPICAction) {
        switch action {
        case .none, .endOfInterrupt: break
        case .timerChanged:
            if let deadline = lapic.withLock({ $0.timerDeadline }) { domain.armed(deadline) }
        case .send(let interrupt): deliver(interrupt)
        }
    }

    private func deliver(_ interrupt: InterprocessorInterrupt) {
        let sender = UInt32(index) * 2
        let targets = domain.vcpus.filter { target in
            target.lapic.withLock { $0.accepts(interrupt.target, from: sender) }
        }
        switch interrupt.mode {
        case .fixed: for target in targets { target.receive(interrupt) }
        // Any one of the targets: the one with the lowest priority, the first among equals.
        case .lowestPriority:
            let chosen = targets.min { a, b in
                a.lapic.withLock { $0.processorPriority } < b.lapic.withLock { $0.processorPriority }
            }
            chosen?.receive(interrupt)
        case .nmi: for target in targets { target.raiseNMI() }
        case .initialise: if interrupt.isAsserted { for target in targets { target.initialiseByINIT() } }
        case .startUp: for target in targets { target.startUp(vector: interrupt.vector) }
        // No source of SMIs or of an 8259's vectors exists.
        case .smi, .external, .reserved: break
        }
    }

    private func receive(_ interrupt: InterprocessorInterrupt) {
        withLAPIC { $0.raise(interrupt.vector, isLevelTriggered: interrupt.isLevelTriggered) }
        kick()
    }
}
