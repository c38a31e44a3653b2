import LocalAPIC
import Synchronization
import XenABI

/// `timer_mode`: the time of a vCPU that its domain's pause keeps from executing. Only on the vCPU's own thread.
///
/// The APIC keeps the account (`LocalAPIC.leave(now:isHeld:)`). Here the guest's TSC follows it, where it is to.
extension VCPU {
    /// The vCPU has left its engine. It is held if nothing but the pause keeps it from going on.
    func leaveTime() {
        guard tracksHeldTime else { return }
        let isHeld = domain.isPaused && isOnline && wait.load(ordering: .sequentiallyConsistent) == .none
        lapic.withLock { $0.leave(now: domain.host.now(), isHeld: isHeld) }
    }

    /// The vCPU is about to enter its engine.
    func enterTime() {
        guard tracksHeldTime else { return }
        let lag = lapic.withLock { apic -> UInt64 in
            apic.enter(now: domain.host.now())
            return apic.lag
        }
        hold(lag: lag)
    }

    /// Holds the guest's TSC back by `lag` nanoseconds; its system time stays right.
    func hold(lag: UInt64) {
        guard domain.configuration.holdsTSC else { return }
        let product = lag.multipliedFullWidth(by: UInt64(domain.timeBase.tscKHz))
        let ticks = UInt64(1_000_000).dividingFullWidth(product).quotient
        let old = heldTicks.exchange(ticks, ordering: .relaxed)
        guard ticks != old else { return }
        setTSCOffset(tscOffset.load(ordering: .relaxed) &+ old &- ticks)
    }
}
