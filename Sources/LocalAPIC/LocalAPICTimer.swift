/// What becomes of ticks of a periodic timer that came while the vCPU could not take them (Xen `public/hvm/params.h`, `HVMPTM_*`).
public enum MissedTicks: Sendable {
    /// Each is delivered, one after the other, and the vCPU's own time waits for them: it goes on from where it stopped, and each tick
    /// that is delivered moves it on to when that tick was due.
    case delayed
    /// Each is delivered, one after the other; time goes on meanwhile.
    case delivered
    /// None is; the next one comes when it is due. So that a vCPU that is held again and again still gets some, the first tick after
    /// missed ones is delivered even if the vCPU is held when it is due.
    case dropped
    /// All together are delivered as one.
    case merged
}

/// The counter of a local APIC's timer. What is said to be in the vCPU's time is system time less ``HeldTime/lag``.
struct LocalAPICTimer: Sendable {
    var initialCount: UInt32 = 0
    var divideConfiguration: UInt32 = 0
    /// When the count started, in nanoseconds of the vCPU's time.
    var start: UInt64 = 0
    /// When the last tick that was delivered was due, in nanoseconds of the vCPU's time.
    var lastTick: UInt64 = 0
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
    /// Nanoseconds between the ticks of a periodic timer: ``period``, or a multiple that is long enough.
    var step: UInt64 {
        period == 0 || period >= LocalAPIC.shortestPeriod ? period : (LocalAPIC.shortestPeriod / period &+ 1) &* period
    }

    /// - Parameter vcpuTime: `now` in the vCPU's time.
    mutating func load(_ count: UInt32, now: UInt64, vcpuTime: UInt64) {
        initialCount = count
        missed = 0
        start = vcpuTime
        lastTick = vcpuTime
        expiry = count == 0 ? nil : now &+ period
    }

    func currentCount(vcpuTime: UInt64, isPeriodic: Bool) -> UInt32 {
        guard initialCount != 0, vcpuTime >= start else { return initialCount }
        let elapsed = (vcpuTime &- start) / tick
        if elapsed < UInt64(initialCount) { return initialCount &- UInt32(truncatingIfNeeded: elapsed) }
        return isPeriodic ? initialCount &- UInt32(truncatingIfNeeded: elapsed % UInt64(initialCount)) : 0
    }

    /// Changes the divisor; the count goes on from where it stands.
    mutating func setDivide(_ value: UInt32, now: UInt64, vcpuTime: UInt64, isPeriodic: Bool) {
        let left = currentCount(vcpuTime: vcpuTime, isPeriodic: isPeriodic)
        divideConfiguration = value & 0xb
        guard expiry != nil, left != 0 else { return }
        start = vcpuTime &- UInt64(initialCount &- left) &* tick
        lastTick = start
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
        let step = step
        let count = (now &- due) / step &+ 1
        expiry = due &+ count &* step
        return count
    }
}
