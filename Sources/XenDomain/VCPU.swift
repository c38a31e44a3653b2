import GuestMemory
import LocalAPIC
import Synchronization
public import VirtualCPU
import X86
import XenABI

/// One vCPU of a domain: what Xen knows about it. The engine that executes it is attached from outside and reaches the
/// domain through this object (`VirtualCPUEnvironment`).
public final class VCPU: @unchecked Sendable {
    /// Why a vCPU waits although it is online.
    enum Wait: UInt8, AtomicRepresentable, Sendable {
        case none
        /// HLT: until an interrupt can be delivered.
        case halted
        /// SCHEDOP_block: until an event or interrupt is pending.
        case blocked
        /// SCHEDOP_poll: until one of the ports is pending or the time is over.
        case polling
    }

    public let index: Int
    public unowned let domain: Domain
    /// Set before the vCPU's thread starts.
    var engine: (any VirtualCPU)?
    let lapic: Mutex<LocalAPIC>
    /// The vector the APIC would deliver now, 0 for none: a copy that can be read without its lock.
    private let deliverableVector = Atomic<UInt8>(0)
    private let pendingNMI = Atomic<Bool>(false)
    private let infoPosition: Atomic<Int>
    /// Vector of HVMOP_set_evtchn_upcall_vector; 0 for none.
    private let upcallVector = Atomic<UInt8>(0)
    /// Vector of the domain's global upcall as far as it concerns this vCPU; 0 when it does not.
    private let globalVector = Atomic<UInt8>(0)
    private let memory: GuestMemory
    let wait = Atomic<Wait>(.none)
    /// A polled port was raised or the poll's time is over.
    let pollSatisfied = Atomic<Bool>(false)
    let polledPorts = Mutex<[UInt32]>([])
    /// False when the poll began with interrupts off: then an interrupt does not end it.
    let pollWakesOnInterrupt = Atomic<Bool>(false)
    private let leaveRequested = Atomic<Bool>(false)
    let online: Atomic<Bool>
    let clock: Mutex<VCPUClock>
    let start: Mutex<VCPUStart>
    let registers: Mutex<ModelSpecificState>
    /// Guest TSC minus host TSC.
    let tscOffset = Atomic<UInt64>(0)
    /// Ticks by which the guest's TSC is behind because its time was held; contained in `tscOffset`.
    let heldTicks = Atomic<UInt64>(0)
    /// True when the domain's timer mode makes a difference between a vCPU that is held and one that is not.
    let tracksHeldTime: Bool
    private let infoIsRegistered = Atomic<Bool>(false)

    /// Behind the last member of the shared page.
    private static let unusedInfoOffset = 3584

    init(_ index: Int, domain: Domain) {
        self.index = index
        self.domain = domain
        memory = domain.memory
        let missedTicks = domain.configuration.missedTicks
        tracksHeldTime = missedTicks == .delayed || missedTicks == .dropped
        lapic = Mutex(LocalAPIC(identifier: UInt32(index) * 2, isBootProcessor: index == 0, missedTicks: missedTicks))
        infoPosition = Atomic(Self.firstInfoPosition(index, domain))
        online = Atomic(index == 0)
        clock = Mutex(VCPUClock(state: index == 0 ? RunstateLayout.runnable : RunstateLayout.offline, now: domain.host.now()))
        start = Mutex(VCPUStart(isInitialised: index == 0))
        registers = Mutex(ModelSpecificState())
    }

    private static func firstInfoPosition(_ index: Int, _ domain: Domain) -> Int {
        let hasSlot = index < SharedInfoLayout.vcpuInfoCount
        return domain.sharedInfo.position + (hasSlot ? index * SharedInfoLayout.vcpuInfoSize : unusedInfoOffset)
    }

    /// The vcpu_info is in the shared page again, and no upcall is asked for.
    func forgetGuestPlaces() {
        infoPosition.store(Self.firstInfoPosition(index, domain), ordering: .sequentiallyConsistent)
        infoIsRegistered.store(false, ordering: .releasing)
        upcallVector.store(0, ordering: .sequentiallyConsistent)
        globalVector.store(0, ordering: .sequentiallyConsistent)
    }

    /// Connects the engine that executes this vCPU. Once, before any thread of the domain runs.
    public func attach(_ engine: any VirtualCPU) { self.engine = engine }
    func detach() { engine = nil }

    // MARK: - vcpu_info

    /// Where the guest's vcpu_info lies: in the shared page, or where it registered one. A vCPU without either shares an
    /// unused piece of the shared page behind the last slot.
    var info: SharedPlace { SharedPlace(memory, position: infoPosition.load(ordering: .acquiring)) }

    var hasRegisteredInfo: Bool { infoIsRegistered.load(ordering: .acquiring) }

    /// VCPUOP_register_vcpu_info with a checked place: moves the contents and raises everything once, so that no event
    /// raised in between is lost.
    func moveInfo(to place: SharedPlace) {
        place.copy(from: info, byteCount: SharedInfoLayout.vcpuInfoSize)
        infoPosition.store(place.position, ordering: .sequentiallyConsistent)
        infoIsRegistered.store(true, ordering: .releasing)
        let selector = domain.is32Bit ? VCPUInfoLayout.pendingSelector32 : VCPUInfoLayout.pendingSelector64
        place.store32(selector, .max)
        if !domain.is32Bit { place.store32(selector + 4, .max) }
        place.store8(VCPUInfoLayout.upcallPending, 1)
        deliverUpcall()
        updateTime()
    }

    /// Sets the upcall flag and tells the vCPU if it was clear. Any thread.
    func markEventsPending() {
        guard info.exchange8(VCPUInfoLayout.upcallPending, 1) == 0 else { return }
        deliverUpcall()
    }

    func deliverUpcall() {
        let vector = upcallVector.load(ordering: .acquiring)
        if vector != 0 { withLAPIC { $0.raise(vector) } }
        kick()
    }

    /// Routes upcalls through this vCPU's APIC from now on, which comes before the global vector.
    func setUpcallVector(_ vector: UInt8) {
        upcallVector.store(vector, ordering: .sequentiallyConsistent)
        globalVector.store(0, ordering: .sequentiallyConsistent)
        if upcallIsPending { deliverUpcall() }
    }

    func setGlobalVector(_ vector: UInt8) {
        guard upcallVector.load(ordering: .sequentiallyConsistent) == 0 else { return }
        globalVector.store(vector, ordering: .sequentiallyConsistent)
        if upcallIsPending { kick() }
    }

    /// Makes the vCPU look at its interrupts, whether it runs or waits.
    func kick() {
        engine?.requestAttention()
        domain.host.wake(vcpu: index)
    }

    func requestLeave() {
        leaveRequested.store(true, ordering: .sequentiallyConsistent)
        kick()
    }

    func clearLeave() { leaveRequested.store(false, ordering: .sequentiallyConsistent) }
    var mustLeave: Bool { leaveRequested.load(ordering: .acquiring) }

    // MARK: - interrupts

    /// Runs `body` on the APIC and keeps the copies up to date that others read without the lock.
    func withLAPIC<Result: Sendable>(_ body: (inout LocalAPIC) -> Result) -> Result {
        lapic.withLock { apic in
            let wasEnabled = apic.isEnabled
            let result = body(&apic)
            if !wasEnabled && apic.isEnabled { reassertUpcall(&apic) }
            deliverableVector.store(apic.deliverable ?? 0, ordering: .releasing)
            return result
        }
    }

    /// An upcall through the APIC is an edge: one that came while the APIC was off or before INIT would be lost otherwise.
    /// A vCPU that starts late has had its events marked pending before it enabled its APIC.
    private func reassertUpcall(_ apic: inout LocalAPIC) {
        let vector = upcallVector.load(ordering: .acquiring)
        if vector != 0 && upcallIsPending { apic.raise(vector, isLevelTriggered: false) }
    }

    var upcallIsPending: Bool { info.load8(VCPUInfoLayout.upcallPending) != 0 }
    /// The vector of a global upcall that waits; 0 for none.
    var pendingGlobalUpcall: UInt8 {
        let vector = globalVector.load(ordering: .relaxed)
        return vector != 0 && upcallIsPending ? vector : 0
    }
    var interruptIsPending: Bool { deliverableVector.load(ordering: .acquiring) != 0 || pendingGlobalUpcall != 0 }
    var nmiIsPending: Bool { pendingNMI.load(ordering: .acquiring) }

    func raiseNMI() {
        pendingNMI.store(true, ordering: .sequentiallyConsistent)
        kick()
    }

    func consumeNMI() -> Bool {
        pendingNMI.load(ordering: .relaxed) && pendingNMI.exchange(false, ordering: .sequentiallyConsistent)
    }

    // MARK: - time

    /// The guest's TSC now.
    var guestTSC: UInt64 { domain.host.readTSC() &+ tscOffset.load(ordering: .relaxed) }

    /// `vcpu_time_info` of this vCPU, version 2.
    var timeInfo: Wire {
        let base = domain.timeBase
        var wire = Wire(count: VCPUTimeInfoLayout.size)
        wire.set(VCPUTimeInfoLayout.version, UInt32(2))
        wire.set(VCPUTimeInfoLayout.tscTimestamp, base.tsc &+ tscOffset.load(ordering: .relaxed))
        wire.set(VCPUTimeInfoLayout.systemTime, base.systemTime)
        wire.set(VCPUTimeInfoLayout.multiplier, base.scale.multiplier)
        wire.set(VCPUTimeInfoLayout.shift, base.scale.shift)
        wire.set(VCPUTimeInfoLayout.flags, domain.configuration.hasInvariantTSC ? VCPUTimeInfoLayout.tscStable : 0)
        return wire
    }

    /// Writes the time information of this vCPU, between an odd and an even version. It changes only with the vCPU's TSC
    /// offset, because all vCPUs keep counting from one base.
    func updateTime() {
        write(timeInfo, to: info.advanced(by: VCPUInfoLayout.time))
        switch clock.withLock({ $0.timeArea }) {
        case .none: break
        case .linear(let address):
            // An area that cannot be written is left alone, as in Xen.
            if let engine { _ = unsafe timeInfo.withBytes { unsafe engine.writeLinear(address, from: $0) } }
        case .place(let place): write(timeInfo, to: place)
        }
    }

    private func write(_ time: Wire, to place: SharedPlace) {
        var time = time
        let version = place.load32(VCPUTimeInfoLayout.version) & ~1
        place.store32(VCPUTimeInfoLayout.version, version | 1)
        time.set(VCPUTimeInfoLayout.version, version | 1)
        place.store(time)
        place.store32(VCPUTimeInfoLayout.version, version &+ 2)
    }
}
