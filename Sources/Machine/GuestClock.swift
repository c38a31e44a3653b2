import Glibc

/// Nanoseconds of the host's `CLOCK_MONOTONIC`.
func monotonicNanoseconds() -> UInt64 { HostClock.read(CLOCK_MONOTONIC) }

enum HostClock {
    /// A clock of the host in nanoseconds; 0 where the clock no longer exists.
    static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        guard unsafe clock_gettime(clock, &time) == 0 else { return 0 }
        return UInt64(truncatingIfNeeded: time.tv_sec) &* 1_000_000_000 &+ UInt64(truncatingIfNeeded: time.tv_nsec)
    }

    /// Seconds by which local time is ahead of UTC now.
    static var localOffsetSeconds: Int64 {
        var now = time(nil)
        var local = unsafe tm()
        unsafe localtime_r(&now, &local)
        return unsafe Int64(local.tm_gmtoff)
    }
}

/// The clocks one life of a guest sees.
///
/// System time counts nanoseconds from the moment the guest was built, on the host's monotonic clock, and goes on while the
/// guest is paused. The TSC is the same count: 1 GHz exactly, so no conversion can be inexact, on every vCPU and every host.
struct GuestClock: Sendable {
    static let tscFrequencyKHz: UInt32 = 1_000_000

    /// System time zero on the host's monotonic clock.
    let start: UInt64
    /// What the guest's wall clock shows at system time zero, in nanoseconds since 1970.
    let wallClockBase: UInt64

    /// - Parameters:
    ///   - showsLocalTime: the wall clock shows the host's local time instead of UTC.
    ///   - offsetSeconds: added to the wall clock.
    init(showsLocalTime: Bool, offsetSeconds: Int64) {
        start = monotonicNanoseconds()
        let offset = offsetSeconds.addingReportingOverflow(showsLocalTime ? HostClock.localOffsetSeconds : 0).partialValue
        let shift = offset.multipliedReportingOverflow(by: 1_000_000_000)
        let base = Int64(clamping: HostClock.read(CLOCK_REALTIME)).addingReportingOverflow(shift.overflow ? 0 : shift.partialValue)
        wallClockBase = UInt64(max(0, base.overflow ? 0 : base.partialValue))
    }

    func now() -> UInt64 { monotonicNanoseconds() &- start }
}
