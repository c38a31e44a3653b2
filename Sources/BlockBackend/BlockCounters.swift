internal import Synchronization
internal import XenBus

/// What one device did; the service counts, anybody reads.
final class BlockCounters: Sendable {
    private let reads = Atomic<UInt64>(0)
    private let writes = Atomic<UInt64>(0)
    private let bytesRead = Atomic<UInt64>(0)
    private let bytesWritten = Atomic<UInt64>(0)
    private let errors = Atomic<UInt64>(0)
    private let hostErrors = Atomic<UInt64>(0)

    func note(_ step: BlockStep, byteCount: Int) {
        if step == .read {
            reads.add(1, ordering: .relaxed)
            bytesRead.add(UInt64(byteCount), ordering: .relaxed)
        } else {
            writes.add(1, ordering: .relaxed)
            bytesWritten.add(UInt64(byteCount), ordering: .relaxed)
        }
    }

    func noteError() { errors.add(1, ordering: .relaxed) }

    /// A failure of the host's; the request's own error is counted apart.
    ///
    /// - Returns: how many there were.
    func noteHostError() -> UInt64 { hostErrors.add(1, ordering: .relaxed).newValue }

    var statistics: DeviceStatistics {
        var statistics = DeviceStatistics()
        statistics.requestsIn = reads.load(ordering: .relaxed)
        statistics.requestsOut = writes.load(ordering: .relaxed)
        statistics.bytesIn = bytesRead.load(ordering: .relaxed)
        statistics.bytesOut = bytesWritten.load(ordering: .relaxed)
        statistics.errors = errors.load(ordering: .relaxed)
        return statistics
    }
}
