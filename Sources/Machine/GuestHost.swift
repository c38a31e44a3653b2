import HostIO
import XenABI
import XenDomain

/// What a domain asks of the process it lives in, for one life of a guest.
final class GuestHost: DomainHost {
    let clock: GuestClock
    let parkings: [Parking]
    let timer: TimerThread
    let hypervisorLog: HypervisorLog
    private let log: GuestLog
    private let wakeUp: WakeUp

    private let ring: HypervisorRing
    private let domainID: UInt16

    /// - Parameter wakeUp: signalled when the domain has stopped.
    init(clock: GuestClock, vcpuCount: Int, domainID: UInt16, log: GuestLog, ring: HypervisorRing, wakeUp: WakeUp) {
        self.clock = clock
        parkings = (0..<vcpuCount).map { _ in Parking() }
        timer = TimerThread(clock: clock)
        hypervisorLog = HypervisorLog(log, ring: ring, domainID: domainID)
        self.log = log
        self.ring = ring
        self.domainID = domainID
        self.wakeUp = wakeUp
    }

    func now() -> UInt64 { clock.now() }
    func readTSC() -> UInt64 { clock.now() }
    var tscFrequencyKHz: UInt32 { GuestClock.tscFrequencyKHz }
    var wallClockBase: UInt64 { clock.wallClockBase }
    func wake(vcpu: Int) { parkings[vcpu].wake() }
    func timersChanged() { timer.changed() }
    /// Every vCPU has its thread from the start; it was woken already.
    func startVCPU(_ index: Int) { parkings[index].wake() }
    func shutdown(_ reason: ShutdownReason) { wakeUp.signal() }

    func crashed(_ message: String) {
        log.write("the guest crashed: \(message)")
        ring.say("domain \(domainID) crashed: \(message)")
    }

    func hypervisorLog(_ byte: UInt8) { hypervisorLog.append(byte, now: clock.now()) }
}
