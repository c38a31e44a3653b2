/// What becomes of ticks of a periodic timer that came while the vCPU could not take them (Xen `public/hvm/params.h`, `HVMPTM_*`).
public enum MissedTicks: Sendable {
    /// Each is delivered, one after the other.
    case delivered
    /// None is; the next one comes when it is due.
    case dropped
    /// All together are delivered as one.
    case merged
}

/// The counter of a local APIC's timer.
struct LocalAPICTimer: Sendable {
    var initialCount: UInt32 = 0
    var divideConfiguration: UInt32 = 0
    /// When the count started, in nanoseconds.
    var start: UInt64 = 0
    /// When it reaches zero next; nil when it does not run.
    var expiry: UInt64?
    var tscDeadline: UInt64 = 0
    /// Expiries that are still to be delivered.
    var missed: UInt64 = 0

    /// Bus cycles per count: 1, 2, 4 ... 128 (SDM vol. 3A, figure 11-10).
    var divisor: UInt64 {
        let code = (divideConfiguration & 3) | (divideConfiguration &>> 1 & 4)
        return 1 &<< UInt64((code &+ 1) & 7)
    }

    /// Nanoseconds of one count.
    var tick: UInt64 { LocalAPIC.busCycle &* divisor }
    /// Nanoseconds of a whole run; at most 2^32 * 1280.
    var period: UInt64 { UInt64(initialCount) &* tick }

    mutating func load(_ count: UInt32, now: UInt64) {
        initialCount = count
        missed = 0
        start = now
        expiry = count == 0 ? nil : now &+ period
    }

    func currentCount(now: UInt64, isPeriodic: Bool) -> UInt32 {
        guard initialCount != 0, now >= start else { return initialCount }
        let elapsed = (now &- start) / tick
        if elapsed < UInt64(initialCount) { return initialCount &- UInt32(truncatingIfNeeded: elapsed) }
        return isPeriodic ? initialCount &- UInt32(truncatingIfNeeded: elapsed % UInt64(initialCount)) : 0
    }

    /// Changes the divisor; the count goes on from where it stands.
    mutating func setDivide(_ value: UInt32, now: UInt64, isPeriodic: Bool) {
        let left = currentCount(now: now, isPeriodic: isPeriodic)
        divideConfiguration = value & 0xb
        guard expiry != nil, left != 0 else { return }
        start = now &- UInt64(initialCount &- left) &* tick
        expiry = now &+ UInt64(left) &* tick
    }

    /// Moves on when `now` has reached the expiry.
    ///
    /// - Returns: how often it expired.
    mutating func expire(now: UInt64, isPeriodic: Bool) -> UInt64 {
        guard let due = expiry, due <= now else { return 0 }
        guard isPeriodic, period != 0 else {
            expiry = nil
            tscDeadline = 0
            return 1
        }
        let step = period >= LocalAPIC.shortestPeriod ? period : (LocalAPIC.shortestPeriod / period &+ 1) &* period
        let count = (now &- due) / step &+ 1
        expiry = due &+ count &* step
        return count
    }
}
