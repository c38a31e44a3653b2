public import GuestMemory
import LocalAPIC
import Synchronization
import VirtualCPU
import X86
public import XenABI

/// One guest as Xen presents it: hypercalls, event channels, grants, timers and the vCPUs' state, without threads and
/// without an engine. The owner runs one thread per vCPU (``VCPU/step(_:)``) and one for timers (``nextDeadline()``,
/// ``fireTimers(now:)``).
///
/// Locks: `memoryState`, `events`, `control` and those of each vCPU. None is taken while another is held, except the vCPUs'
/// locks below `events`.
public final class Domain: @unchecked Sendable {
    public let configuration: DomainConfiguration
    public let memory: GuestMemory
    public let host: any DomainHost
    /// All vCPUs of the domain, online or not.
    public private(set) var vcpus: [VCPU] = []
    /// Ports of the guest that are connected to the control domain from the start. The guest may write other numbers into
    /// the HVM parameters that tell it; these stay.
    public private(set) var storePort: UInt32 = 0
    public private(set) var consolePort: UInt32 = 0
    let policy: CPUPolicy
    let sharedInfo: SharedPlace
    let timeBase: TimeBase
    let events: Mutex<EventChannels>
    let memoryState: Mutex<MemoryState>
    let control: Mutex<ControlState>
    let pollerCount = Atomic<Int>(0)
    let announcedDeadline = Atomic<UInt64>(.max)
    private let shutdownCode = Atomic<Int>(-1)
    private let tripleFaulted = Atomic<Bool>(false)
    private let pauseCount = Atomic<Int>(0)
    private let latched32Bit = Atomic<Bool>(false)
    let runstateUpdateFlag = Atomic<Bool>(false)
    /// How often the guest made each hypercall, by number; the last counts every number beyond the table.
    let counters = CounterTable(count: HypercallTable.size + 1)

    /// Creates the domain's hypervisor side. The memory may be populated before or after.
    ///
    /// - Parameters:
    ///   - memory: Has room for `configuration.poolPageCount` pages.
    ///   - host: Kept for the life of the domain.
    /// - Throws: ``DomainError``; frames taken from `memory` until then stay taken.
    public init(_ configuration: DomainConfiguration, memory: GuestMemory, host: any DomainHost) throws(DomainError) {
        try Self.validate(configuration)
        var configuration = configuration
        // A counter that stands now and then, on each vCPU for itself, is none a guest may take for a clock.
        if configuration.holdsTSC { configuration.hasInvariantTSC = false }
        self.configuration = configuration
        self.memory = memory
        self.host = host
        policy = CPUPolicy(configuration, tscKHz: host.tscFrequencyKHz)
        timeBase = TimeBase(tsc: host.readTSC(), systemTime: host.now(), tscKHz: host.tscFrequencyKHz)
        guard let shared = try? memory.allocateFrame(), let grants = try? memory.allocateFrame() else { throw .noMemory }
        sharedInfo = SharedPlace(memory, shared)
        events = Mutex(EventChannels(limit: configuration.maximumEventChannels, vcpuCount: configuration.vcpuCount))
        memoryState = Mutex(MemoryState(configuration, sharedInfo: shared, firstGrantFrame: grants))
        control = Mutex(ControlState(configuration))
        for index in 0..<configuration.vcpuCount { vcpus.append(VCPU(index, domain: self)) }
        bindBuilderPorts()
        fillReservedGrants()
        writeWallClock()
        for vcpu in vcpus { vcpu.updateTime() }
        if configuration.demandPages > 0 { watchStock() }
    }

    private static func validate(_ configuration: DomainConfiguration) throws(DomainError) {
        guard configuration.features.isSanctioned else { throw .unsanctionedFeatures(configuration.features) }
        guard (1...128).contains(configuration.vcpuCount) else { throw .outOfRange("vcpuCount") }
        guard (1..<0x7ff0).contains(configuration.domainID) else { throw .outOfRange("domainID") }
        guard (1...65535).contains(configuration.maximumGrantFrames) else { throw .outOfRange("maximumGrantFrames") }
        guard (2..<131072).contains(configuration.maximumEventChannels) else { throw .outOfRange("maximumEventChannels") }
        guard configuration.cpuBrand.utf8.count < 48 else { throw .outOfRange("cpuBrand") }
    }

    /// xenstore is the guest's port 1 and the console its port 2, connected to the control domain from the start.
    func bindBuilderPorts() {
        guard let store = try? makeHostPort(), let console = try? makeHostPort() else {
            preconditionFailure("a new domain has two free ports, because its configuration was checked")
        }
        (storePort, consolePort) = (store.port, console.port)
        control.withLock { control in
            control.parameters[HVMParameter.storeEventChannel] = UInt64(store.port)
            control.parameters[HVMParameter.consoleEventChannel] = UInt64(console.port)
        }
    }

    /// An HVM parameter by index, whoever may read it.
    public func parameter(_ index: Int) -> UInt64 { control.withLock { $0.parameters[index] } }

    // MARK: - bitness

    /// The layout of the shared structures that the guest showed last.
    public var is32Bit: Bool { latched32Bit.load(ordering: .acquiring) }

    /// Takes over the bitness of the caller for the shared structures.
    func latchBitness(is64Bit: Bool) {
        // The clock's old place has another meaning in the new layout.
        if is32Bit == is64Bit { clearWallClock() }
        latched32Bit.store(!is64Bit, ordering: .releasing)
        writeWallClock()
    }

    // MARK: - shutdown and pause

    /// Why the domain stopped; nil while it runs.
    public var shutdownReason: ShutdownReason? {
        let code = shutdownCode.load(ordering: .acquiring)
        return code < 0 ? nil : ShutdownReason(rawValue: UInt8(truncatingIfNeeded: code))
    }

    /// Ends the shutdown: ``softReset()``.
    func revive() { shutdownCode.store(-1, ordering: .sequentiallyConsistent) }

    public var isPaused: Bool { pauseCount.load(ordering: .acquiring) != 0 }

    /// Stops the domain once; later calls change nothing. All vCPUs leave their engines. Safe from any thread.
    public func shutdown(_ reason: ShutdownReason) {
        let code = control.withLock { $0.latchedShutdownCode ?? reason.rawValue }
        guard shutdownCode.compareExchange(expected: -1, desired: Int(code), ordering: .acquiringAndReleasing).exchanged else { return }
        for vcpu in vcpus { vcpu.requestLeave() }
        host.shutdown(ShutdownReason(rawValue: code))
    }

    /// Whether the domain stopped because of a triple fault.
    public var hasTripleFaulted: Bool { tripleFaulted.load(ordering: .acquiring) }

    /// The guest's processor gave up: a triple fault ends the domain with the reason the toolstack chose, else a reboot.
    public func tripleFault() {
        tripleFaulted.store(true, ordering: .releasing)
        let chosen = parameter(HVMParameter.tripleFaultReason)
        shutdown(chosen == 0 ? .reboot : ShutdownReason(rawValue: UInt8(truncatingIfNeeded: chosen)))
    }

    public func crash(_ message: String) {
        host.crashed(message)
        shutdown(.crash)
    }

    /// Keeps every vCPU from running until as many calls of ``unpause()``. vCPUs leave at their next instruction boundary.
    public func pause() {
        pauseCount.add(1, ordering: .sequentiallyConsistent)
        for vcpu in vcpus { vcpu.requestLeave() }
    }

    public func unpause() {
        pauseCount.subtract(1, ordering: .sequentiallyConsistent)
        for vcpu in vcpus { host.wake(vcpu: vcpu.index) }
    }

    /// Lets go of the engines, which hold the domain's vCPUs in turn. Call it when no thread runs any more.
    public func detach() {
        for vcpu in vcpus { vcpu.detach() }
    }

    /// Makes every engine drop its translations, after the guest's physical map changed.
    func flushTLBs() {
        for vcpu in vcpus { vcpu.engine?.requestTLBFlush() }
    }

    /// Calls made per hypercall number; numbers beyond 63 are counted together under 64.
    public var hypercallCounts: [Int: UInt64] {
        var result: [Int: UInt64] = [:]
        for number in 0...HypercallTable.size where counters[number] != 0 { result[number] = counters[number] }
        return result
    }
}

/// What a domain has one of, guarded by `Domain.control`.
struct ControlState: Sendable {
    var parameters = [UInt64](repeating: 0, count: HVMParameter.count)
    /// Set by SCHEDOP_shutdown_code: what a later shutdown reports.
    var latchedShutdownCode: UInt8?
    /// Expiry of the two watchdogs, in nanoseconds.
    var watchdogs = InlineArray<2, UInt64?>(repeating: nil)

    init(_ configuration: DomainConfiguration) {
        for (index, value) in configuration.parameters where parameters.indices.contains(index) { parameters[index] = value }
        parameters[HVMParameter.storePFN] = configuration.storeFrame ?? 0
        parameters[HVMParameter.consolePFN] = configuration.consoleFrame ?? 0
    }
}
