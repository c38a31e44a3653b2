/// EVTCHNOP_* commands and constants (`public/event_channel.h`).
public enum EventChannelOp {
    public static let bindInterdomain: UInt64 = 0
    public static let bindVIRQ: UInt64 = 1
    public static let bindPIRQ: UInt64 = 2
    public static let close: UInt64 = 3
    public static let send: UInt64 = 4
    public static let status: UInt64 = 5
    public static let allocUnbound: UInt64 = 6
    public static let bindIPI: UInt64 = 7
    public static let bindVCPU: UInt64 = 8
    public static let unmask: UInt64 = 9
    public static let reset: UInt64 = 10
    public static let initControl: UInt64 = 11
    public static let expandArray: UInt64 = 12
    public static let setPriority: UInt64 = 13
    public static let resetContinuation: UInt64 = 14
}

/// EVTCHNSTAT_*: kinds of a port as `status` reports them.
public enum EventChannelStatus {
    public static let closed: UInt32 = 0
    public static let unbound: UInt32 = 1
    public static let interdomain: UInt32 = 2
    public static let pirq: UInt32 = 3
    public static let virq: UInt32 = 4
    public static let ipi: UInt32 = 5
}

/// Virtual interrupt sources (`public/xen.h`).
public enum VIRQ {
    public static let timer: UInt32 = 0
    public static let debug: UInt32 = 1
    public static let xenoprofile: UInt32 = 7
    public static let xenpmu: UInt32 = 13
    /// Number of sources, named or not.
    public static let count = 24

    /// True for the sources that exist once per vCPU; the others belong to the domain.
    @inlinable public static func isPerVCPU(_ virq: UInt32) -> Bool {
        virq == timer || virq == debug || virq == xenoprofile || virq == xenpmu
    }
}

/// FIFO event channels: the event word and the control block.
///
///     event word   31 pending | 30 masked | 29 linked | 28 busy | 16..0 link
public enum FIFOEvent {
    public static let pending: UInt32 = 1 << 31
    public static let masked: UInt32 = 1 << 30
    public static let linked: UInt32 = 1 << 29
    public static let busy: UInt32 = 1 << 28
    public static let linkBits: UInt8 = 17
    public static let linkMask: UInt32 = (1 << 17) - 1
    public static let wordsPerPage = 1024
    public static let pageLimit = 128
    public static let queueCount = 16
    public static let defaultPriority: UInt8 = 7
    /// Size of a control block: `ready` at 0, 16 queue heads from 8.
    public static let controlBlockSize = 72
    public static let controlBlockReady = 0
    public static let controlBlockHeads = 8
}
