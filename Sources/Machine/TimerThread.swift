import HostIO
import XenDomain

/// Fires a domain's timers when they are due.
final class TimerThread: @unchecked Sendable {
    private let condition = Condition()
    private let clock: GuestClock
    // Both guarded by the condition's lock.
    private var hasChanged = false
    private var isStopping = false
    private var thread: HostThread?

    init(clock: GuestClock) { self.clock = clock }

    /// - Throws: ``HostError`` when the host gives no thread.
    func start(_ domain: Domain) throws(HostError) {
        thread = try HostThread(stackByteCount: 256 << 10) { [self] in
            HostThread.nameCurrent("timer")
            while sleep(until: domain.nextDeadline()) { domain.fireTimers(now: clock.now()) }
        }
    }

    /// A timer was set earlier than the thread knows of. Remembered until it looks; never blocks.
    func changed() {
        condition.withLock {
            hasChanged = true
            condition.signalAll()
        }
    }

    /// Ends the thread. Safe to call twice, and without ``start(_:)``.
    func stop() {
        condition.withLock {
            isStopping = true
            condition.signalAll()
        }
        thread?.join()
        thread = nil
    }

    /// - Parameter deadline: in system time; nil for no end.
    /// - Returns: false when the thread shall end.
    private func sleep(until deadline: UInt64?) -> Bool {
        let moment = deadline.map { $0.addingReportingOverflow(clock.start) }.flatMap { $0.overflow ? nil : $0.partialValue }
        return condition.withLock {
            while !hasChanged, !isStopping {
                guard let moment else {
                    condition.wait()
                    continue
                }
                if monotonicNanoseconds() >= moment { break }
                condition.wait(until: moment)
            }
            hasChanged = false
            return !isStopping
        }
    }
}
