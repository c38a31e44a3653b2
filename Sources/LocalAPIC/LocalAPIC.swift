/// The local APIC of one vCPU: registers in, actions out. No clock, no threads; the caller brings the time in
/// nanoseconds and carries out the actions.
///
/// Version register and timer follow Xen's virtual APIC: version 0x14, highest LVT entry 5, a bus clock of 100 MHz.
///
/// Reference: SDM vol. 3A, chapter 11. Tests: `LocalAPICTests`.
public struct LocalAPIC: Sendable {
    /// Length of a bus cycle, in nanoseconds.
    public static let busCycle: UInt64 = 10
    /// Periodic expiries closer than this are merged, so that no guest keeps the host's timer thread busy. Nanoseconds.
    public static let shortestPeriod: UInt64 = 50_000
    public static let versionValue: UInt32 = 0x0005_0014
    static let lvtMasked: UInt32 = 1 << 16
    static let softwareEnable: UInt32 = 1 << 8

    /// The APIC identifier: 8 bits in xAPIC mode, 32 in x2APIC mode.
    public let identifier: UInt32
    /// IA32_APIC_BASE.
    public internal(set) var base: UInt64
    var taskPriority: UInt8 = 0
    var logicalDestination: UInt32 = 0
    var destinationFormat: UInt32 = 0xffff_ffff
    var spuriousVector: UInt32 = 0xff
    var errorStatus: UInt32 = 0
    var pendingErrors: UInt32 = 0
    var commandLow: UInt32 = 0
    var commandHigh: UInt32 = 0
    /// Timer, thermal, performance, LINT0, LINT1, error.
    var lvt = InlineArray<6, UInt32>(repeating: lvtMasked)
    var requests = VectorSet()
    var inService = VectorSet()
    var levelTriggered = VectorSet()
    var timer = LocalAPICTimer()
    var held = HeldTime()

    /// What a periodic timer does about ticks the vCPU could not take.
    public let missedTicks: MissedTicks

    public init(identifier: UInt32, isBootProcessor: Bool, missedTicks: MissedTicks = .delivered) {
        self.identifier = identifier
        self.missedTicks = missedTicks
        base = APICBase.defaultAddress | APICBase.enable | (isBootProcessor ? APICBase.bootProcessor : 0)
    }

    // MARK: - modes

    public var isX2APIC: Bool { base & (APICBase.enable | APICBase.x2apic) == APICBase.enable | APICBase.x2apic }
    public var isHardwareEnabled: Bool { base & APICBase.enable != 0 }
    /// True when both the base register and the spurious vector register enable it: only then interrupts are delivered.
    public var isEnabled: Bool { isHardwareEnabled && spuriousVector & Self.softwareEnable != 0 }

    /// WRMSR to IA32_APIC_BASE.
    ///
    /// - Returns: False for what has to raise #GP: reserved bits, another address, or a forbidden change of mode.
    ///   Nothing has changed then.
    public mutating func setBase(_ value: UInt64) -> Bool {
        let modeBits = APICBase.enable | APICBase.x2apic
        let known = modeBits | APICBase.bootProcessor | APICBase.defaultAddress
        guard value & ~known == 0, value & ~0xfff == APICBase.defaultAddress else { return false }
        let wasDisabled = base & modeBits == 0
        switch value & modeBits {
        case APICBase.x2apic: return false
        case modeBits: if wasDisabled { return false }
        case APICBase.enable: if isX2APIC { return false }
        default: break
        }
        let becomesX2APIC = value & modeBits == modeBits && !isX2APIC
        base = APICBase.defaultAddress | (base & APICBase.bootProcessor) | (value & modeBits)
        if value & modeBits == 0 { resetRegisters() }
        if becomesX2APIC { logicalDestination = ((identifier &>> 4) &<< 16) | (1 &<< (identifier & 15)) }
        return true
    }

    /// INIT: the state after reset, with the base register kept.
    public mutating func resetRegisters() {
        let (kept, time) = (base, held)
        self = LocalAPIC(identifier: identifier, isBootProcessor: kept & APICBase.bootProcessor != 0, missedTicks: missedTicks)
        (base, held) = (kept, time)
        if isX2APIC { logicalDestination = ((identifier &>> 4) &<< 16) | (1 &<< (identifier & 15)) }
    }

    // MARK: - interrupts

    /// PPR: what an interrupt has to exceed.
    public var processorPriority: UInt8 {
        let serving = inService.highest ?? 0
        return taskPriority & 0xf0 >= serving & 0xf0 ? taskPriority : serving & 0xf0
    }

    /// The vector that can be delivered now, if any.
    public var deliverable: UInt8? {
        guard isEnabled, let vector = requests.highest, vector & 0xf0 > processorPriority & 0xf0 else { return nil }
        return vector
    }

    /// Takes the deliverable vector into service.
    ///
    /// - Parameter now: system time; asked for only when the vCPU's time is behind it.
    public mutating func acknowledge(now: () -> UInt64) -> UInt8? {
        guard let vector = deliverable else { return nil }
        requests.remove(vector)
        inService.insert(vector)
        if vector == timerVector {
            tickDelivered(now: now)
            if timer.missed > 0 {
                timer.missed &-= 1
                requests.insert(vector)
            }
        }
        return vector
    }

    var timerVector: UInt8 { UInt8(truncatingIfNeeded: lvt[0]) }

    /// An interrupt arrives. Vectors below 16 are recorded as an error; a disabled APIC takes nothing.
    public mutating func raise(_ vector: UInt8, isLevelTriggered: Bool = false) {
        guard isHardwareEnabled else { return }
        guard vector >= 16 else { return recordError(1 << 6) }
        requests.insert(vector)
        if isLevelTriggered { levelTriggered.insert(vector) } else { levelTriggered.remove(vector) }
    }

    mutating func recordError(_ bits: UInt32) {
        let isNew = pendingErrors & bits == 0
        pendingErrors |= bits
        let entry = lvt[5]
        let vector = UInt8(truncatingIfNeeded: entry)
        if isNew, entry & Self.lvtMasked == 0, vector >= 16 { raise(vector) }
    }

    mutating func completeInterrupt() -> LocalAPICAction {
        guard let vector = inService.highest else { return .none }
        inService.remove(vector)
        return levelTriggered.contains(vector) ? .endOfInterrupt(vector) : .none
    }

    /// True when an interrupt with this target reaches this APIC; `sender` is the sending APIC's identifier.
    public func accepts(_ target: InterprocessorInterrupt.Target, from sender: UInt32) -> Bool {
        switch target {
        case .all: true
        case .sender: identifier == sender
        case .allButSender: identifier != sender
        case .physical(let id, let isX2): id == (isX2 ? 0xffff_ffff : 0xff) || id == identifier
        case .logical(let id, let isX2): matchesLogical(id, isX2APIC: isX2)
        }
    }

    func matchesLogical(_ id: UInt32, isX2APIC senderIsX2: Bool) -> Bool {
        if id == (senderIsX2 ? 0xffff_ffff : 0xff) { return true }
        if isX2APIC {
            return id &>> 16 == logicalDestination &>> 16 && id & logicalDestination & 0xffff != 0
        }
        let own = logicalDestination &>> 24
        if destinationFormat &>> 28 == 0xf { return id & own & 0xff != 0 }
        return id &>> 4 & 0xf == own &>> 4 && id & own & 0xf != 0
    }

    // MARK: - timer

    /// When the timer expires next, in nanoseconds of system time; nil when it does not run or its entry is masked.
    public var timerDeadline: UInt64? { lvt[0] & Self.lvtMasked == 0 ? timer.expiry : nil }

    /// Raises the timer's vector if it has expired at `now`.
    ///
    /// - Parameter isHeld: the vCPU cannot take interrupts, because its domain is paused.
    public mutating func fireTimer(now: UInt64, isHeld: Bool = false) {
        let isPeriodic = isTimerPeriodic
        let due = timer.expiry ?? now
        let count = timer.expire(now: now, isPeriodic: isPeriodic)
        guard count > 0, lvt[0] & Self.lvtMasked == 0 else { return }
        if isPeriodic { tick(due: due, count: count, isHeld: isHeld) } else { raise(timerVector) }
    }

    var isTimerPeriodic: Bool { lvt[0] &>> 17 & 3 == 1 }
    /// True when the timer entry selects the TSC deadline.
    public var isTimerDeadline: Bool { lvt[0] &>> 17 & 3 == 2 }
    /// IA32_TSC_DEADLINE: 0 when not armed or not in that mode.
    public var tscDeadline: UInt64 { isTimerDeadline ? timer.tscDeadline : 0 }

    /// WRMSR to IA32_TSC_DEADLINE; ignored in the other timer modes. `expiry` is `value` in system time.
    public mutating func setTSCDeadline(_ value: UInt64, expiry: UInt64) {
        guard isTimerDeadline, isHardwareEnabled else { return }
        timer.tscDeadline = value
        timer.expiry = value == 0 ? nil : expiry
    }
}
