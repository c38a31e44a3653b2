/// Offsets of the registers in the xAPIC page (SDM vol. 3A, table 11-1). The x2APIC MSR of a register is
/// 0x800 + offset / 16.
public enum LocalAPICRegister {
    public static let id = 0x20
    public static let version = 0x30
    public static let taskPriority = 0x80
    public static let arbitrationPriority = 0x90
    public static let processorPriority = 0xa0
    public static let endOfInterrupt = 0xb0
    public static let logicalDestination = 0xd0
    public static let destinationFormat = 0xe0
    public static let spuriousVector = 0xf0
    public static let inService = 0x100
    public static let triggerMode = 0x180
    public static let interruptRequest = 0x200
    public static let errorStatus = 0x280
    public static let commandLow = 0x300
    public static let commandHigh = 0x310
    public static let lvtTimer = 0x320
    public static let lvtThermal = 0x330
    public static let lvtPerformance = 0x340
    public static let lvtLINT0 = 0x350
    public static let lvtLINT1 = 0x360
    public static let lvtError = 0x370
    public static let initialCount = 0x380
    public static let currentCount = 0x390
    public static let divideConfiguration = 0x3e0
    public static let selfIPI = 0x3f0
    /// Bytes of the register page that mean something.
    public static let pageSize = 0x1000
}

/// Bits of IA32_APIC_BASE.
public enum APICBase {
    public static let bootProcessor: UInt64 = 1 << 8
    public static let x2apic: UInt64 = 1 << 10
    public static let enable: UInt64 = 1 << 11
    public static let defaultAddress: UInt64 = 0xfee0_0000
}

/// An interrupt that one vCPU sends to others, as its command register describes it.
public struct InterprocessorInterrupt: Equatable, Sendable {
    public enum DeliveryMode: UInt8, Sendable {
        case fixed = 0
        case lowestPriority, smi, reserved, nmi, initialise, startUp, external
    }

    public enum Target: Equatable, Sendable {
        /// One vCPU, or all with the broadcast number, by APIC identifier.
        case physical(UInt32, isX2APIC: Bool)
        /// The vCPUs whose logical destination register matches.
        case logical(UInt32, isX2APIC: Bool)
        case sender, all, allButSender
    }

    public var mode: DeliveryMode
    public var vector: UInt8
    public var target: Target
    public var isLevelTriggered: Bool
    /// False for the de-assertion that ends a level-triggered INIT; it does nothing.
    public var isAsserted: Bool
}

/// What a register write asks of the rest of the machine.
public enum LocalAPICAction: Equatable, Sendable {
    case none
    case send(InterprocessorInterrupt)
    /// A level-triggered interrupt was completed.
    case endOfInterrupt(UInt8)
    /// The timer's next expiry changed.
    case timerChanged
}
