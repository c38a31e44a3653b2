internal import Synchronization

/// What a device has done since it was made, over all connections. In is what the guest received.
public struct NetStatistics: Hashable, Sendable {
    public var packetsIn: UInt64 = 0
    public var packetsOut: UInt64 = 0
    public var bytesIn: UInt64 = 0
    public var bytesOut: UInt64 = 0
    /// Sound packets that went nowhere: no buffers of the guest's, no room in the link.
    public var dropsIn: UInt64 = 0
    public var dropsOut: UInt64 = 0
    /// Requests of the guest that were wrong.
    public var errors: UInt64 = 0
}

/// Counts on the device's thread, read on any.
final class NetCounters: Sendable {
    private let packetsIn = Atomic<UInt64>(0)
    private let packetsOut = Atomic<UInt64>(0)
    private let bytesIn = Atomic<UInt64>(0)
    private let bytesOut = Atomic<UInt64>(0)
    private let dropsIn = Atomic<UInt64>(0)
    private let dropsOut = Atomic<UInt64>(0)
    private let errors = Atomic<UInt64>(0)

    func received(_ byteCount: Int) {
        packetsIn.wrappingAdd(1, ordering: .relaxed)
        bytesIn.wrappingAdd(UInt64(byteCount), ordering: .relaxed)
    }

    func sent(_ byteCount: Int) {
        packetsOut.wrappingAdd(1, ordering: .relaxed)
        bytesOut.wrappingAdd(UInt64(byteCount), ordering: .relaxed)
    }

    func droppedIn() { dropsIn.wrappingAdd(1, ordering: .relaxed) }
    func droppedOut() { dropsOut.wrappingAdd(1, ordering: .relaxed) }
    func failed() { errors.wrappingAdd(1, ordering: .relaxed) }

    var statistics: NetStatistics {
        NetStatistics(
            packetsIn: packetsIn.load(ordering: .relaxed), packetsOut: packetsOut.load(ordering: .relaxed),
            bytesIn: bytesIn.load(ordering: .relaxed), bytesOut: bytesOut.load(ordering: .relaxed),
            dropsIn: dropsIn.load(ordering: .relaxed), dropsOut: dropsOut.load(ordering: .relaxed),
            errors: errors.load(ordering: .relaxed))
    }
}
