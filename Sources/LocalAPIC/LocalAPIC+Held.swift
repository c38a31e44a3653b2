/// How far a vCPU's own time is behind the system's because it did not execute, and what it missed while it was held.
///
/// A vCPU is held while it could execute and is not let: its domain is paused. One that waits by itself is not held; its time stands from
/// the first tick it misses, since that tick would have woken it.
struct HeldTime: Sendable {
    /// Nanoseconds; only ever above 0 with ``MissedTicks/delayed``.
    var lag: UInt64 = 0
    /// The vCPU's time when it executed last.
    var lastSeen: UInt64 = 0
    var isHeld = false
    /// When the first tick that came while the vCPU was held was due, in its time.
    var firstMissed: UInt64?
    /// ``MissedTicks/dropped``: ticks were missed; the next one is delivered in any case.
    var owesTick = false
}

/// What `timer_mode` does to a vCPU that is held. All times are nanoseconds of system time.
///
/// Reference: Xen's `xl.cfg(5)`, timer_mode; `public/hvm/params.h`, `HVMPTM_*`.
extension LocalAPIC {
    /// Nanoseconds by which the vCPU's time is behind the system's.
    public var lag: UInt64 { held.lag }

    func vcpuTime(_ now: UInt64) -> UInt64 { now &- held.lag }

    /// The vCPU stops executing.
    ///
    /// - Parameter isHeld: it could go on, but is not let.
    public mutating func leave(now: UInt64, isHeld: Bool) {
        held.lastSeen = vcpuTime(now)
        held.isHeld = isHeld
        held.firstMissed = nil
    }

    /// The vCPU executes again.
    public mutating func enter(now: UInt64) {
        if missedTicks == .delayed {
            if held.isHeld {
                held.lag = now &- held.lastSeen
            } else if let tick = held.firstMissed {
                // Its time never goes back.
                held.lag = max(held.lag, now &- max(held.lastSeen, tick))
            }
        }
        if held.firstMissed != nil { held.owesTick = !requests.contains(timerVector) }
        held.isHeld = false
        held.firstMissed = nil
    }

    /// Notes `count` ticks of a periodic timer of which the first was due at `due`, and raises what is to be raised.
    mutating func tick(due: UInt64, count: UInt64, isHeld: Bool) {
        if isHeld, held.firstMissed == nil { held.firstMissed = vcpuTime(due) }
        switch missedTicks {
        case .delivered, .delayed:
            timer.missed &+= requests.contains(timerVector) ? count : count &- 1
            raise(timerVector)
        case .dropped:
            if !isHeld || held.owesTick { raise(timerVector) }
            held.owesTick = false
        case .merged: raise(timerVector)
        }
    }

    /// The tick that is in service now has been delivered: time moves on to when it was due, if it was behind.
    mutating func tickDelivered(now: () -> UInt64) {
        guard missedTicks == .delayed, isTimerPeriodic, timer.initialCount != 0 else { return }
        timer.lastTick &+= timer.step
        guard held.lag > 0 else { return }
        let now = now()
        if vcpuTime(now) < timer.lastTick { held.lag = now > timer.lastTick ? now &- timer.lastTick : 0 }
    }
}
