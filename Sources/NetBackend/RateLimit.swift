/// Credit for what a guest sends: so many bytes come with each interval, and unused ones are kept up to a bound.
///
/// A packet may start as long as credit is left; what it takes beyond that is made up for in the intervals that follow.
struct RateLimit: Sendable {
    /// Credit that can be saved, so that a large packet and a short burst pass at line speed, as in Xen's backend.
    static let smallestBurst: Int64 = 131_072

    private let bytesPerInterval: Int64
    private let intervalMicroseconds: Int64
    private let burst: Int64
    private var credit: Int64
    private var lastInterval: Int64

    /// - Parameter now: monotonic microseconds.
    init(_ rate: NetConfiguration.Rate, now: Int64) {
        bytesPerInterval = Int64(clamping: max(rate.bytesPerInterval, 1))
        intervalMicroseconds = Int64(max(rate.intervalMicroseconds, 1))
        burst = max(Self.smallestBurst, bytesPerInterval)
        credit = burst
        lastInterval = now
    }

    /// When a packet may be sent: nil is now, else monotonic microseconds.
    mutating func moment(now: Int64) -> Int64? {
        let intervals = (now - lastInterval) / intervalMicroseconds
        if intervals > 0 {
            lastInterval += intervals * intervalMicroseconds
            let (earned, isLarge) = intervals.multipliedReportingOverflow(by: bytesPerInterval)
            credit = isLarge || earned >= burst - credit ? burst : credit + earned
        }
        return credit > 0 ? nil : lastInterval + intervalMicroseconds
    }

    mutating func spend(_ byteCount: Int) { credit -= Int64(byteCount) }
}
