public import XenABI

/// What a domain asks of the process it lives in. Calls may come from any thread, some with a lock of the domain held: an
/// implementation must not block and must not call the domain back.
public protocol DomainHost: AnyObject, Sendable {
    /// System time: nanoseconds since a fixed point, never going back.
    func now() -> UInt64
    /// The time stamp counter before any offset of a vCPU.
    func readTSC() -> UInt64
    /// Frequency of `readTSC`; constant.
    var tscFrequencyKHz: UInt32 { get }
    /// UTC at system time zero, in nanoseconds since 1970.
    var wallClockBase: UInt64 { get }
    /// The vCPU may have become runnable: its thread shall look at `VCPU.isRunnable` again.
    func wake(vcpu: Int)
    /// A timer was set earlier than `Domain.nextDeadline` said: the timer thread shall ask again.
    func timersChanged()
    /// A vCPU that was offline shall run; its thread finds the start state by itself in `VCPU.step`.
    func startVCPU(_ index: Int)
    /// The domain has stopped, all vCPUs leave. Called once per shutdown.
    func shutdown(_ reason: ShutdownReason)
    /// The guest cannot go on; `message` says what happened on which vCPU. `shutdown(.crash)` follows.
    func crashed(_ message: String)
    /// One byte the guest wrote to the hypervisor's log port. A guest may write without end: keep it cheap and bounded.
    func hypervisorLog(_ byte: UInt8)
}
