import Synchronization
import XenABI

/// The pair of readings every vCPU's clock starts from, so that all vCPUs agree to the nanosecond.
struct TimeBase: Sendable {
    let tsc: UInt64
    let systemTime: UInt64
    let scale: TimeScale
    let tscKHz: UInt32

    init(tsc: UInt64, systemTime: UInt64, tscKHz: UInt32) {
        self.tsc = tsc
        self.systemTime = systemTime
        self.tscKHz = tscKHz
        scale = TimeScale(ticksPerSecond: UInt64(tscKHz) &* 1000)
    }
}

extension Domain {
    /// UTC at system time zero goes to the shared page, between an odd and an even version.
    func writeWallClock() {
        let layout = sharedLayout
        let seconds = host.wallClockBase / 1_000_000_000
        let version = sharedInfo.load32(layout.wallClockVersion) & ~1
        sharedInfo.store32(layout.wallClockVersion, version | 1)
        sharedInfo.store32(layout.wallClockSeconds, UInt32(truncatingIfNeeded: seconds))
        sharedInfo.store32(layout.wallClockNanoseconds, UInt32(host.wallClockBase % 1_000_000_000))
        sharedInfo.store32(layout.wallClockSecondsHigh, UInt32(truncatingIfNeeded: seconds &>> 32))
        sharedInfo.store32(layout.wallClockVersion, version &+ 2)
    }

    func clearWallClock() {
        let layout = sharedLayout
        for offset in [layout.wallClockVersion, layout.wallClockSeconds, layout.wallClockNanoseconds, layout.wallClockSecondsHigh] {
            sharedInfo.store32(offset, 0)
        }
    }

    /// When ``fireTimers(now:)`` has something to do next, in system time; nil when no timer is set.
    ///
    /// A timer set earlier than the answer, after the call began, is announced by `DomainHost.timersChanged`.
    public func nextDeadline() -> UInt64? {
        announcedDeadline.store(.max, ordering: .sequentiallyConsistent)
        var next = UInt64.max
        for vcpu in vcpus { next = min(next, vcpu.nextDeadline) }
        control.withLock { control in
            for index in 0..<2 { next = min(next, control.watchdogs[index] ?? .max) }
        }
        lowerAnnouncedDeadline(to: next)
        return next == .max ? nil : next
    }

    /// Runs everything that is due at `now`. Any thread, while vCPUs run.
    public func fireTimers(now: UInt64) {
        for vcpu in vcpus { vcpu.fireTimers(now: now) }
        let barked = control.withLock { control -> Bool in
            for index in 0..<2 {
                if let due = control.watchdogs[index], due <= now { return true }
            }
            return false
        }
        if barked { shutdown(.watchdog) }
    }

    /// To be called after a timer was set.
    func armed(_ deadline: UInt64) {
        if lowerAnnouncedDeadline(to: deadline) { host.timersChanged() }
    }

    @discardableResult
    private func lowerAnnouncedDeadline(to deadline: UInt64) -> Bool {
        var announced = announcedDeadline.load(ordering: .sequentiallyConsistent)
        while deadline < announced {
            let result = announcedDeadline.compareExchange(expected: announced, desired: deadline, ordering: .sequentiallyConsistent)
            if result.exchanged { return true }
            announced = result.original
        }
        return false
    }
}
