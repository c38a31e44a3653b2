/// Where one vCPU's thread sleeps while its vCPU has nothing to execute.
final class Parking: @unchecked Sendable {
    private let condition = Condition()
    private var isParked = false

    /// For the vCPU's thread: sleeps until `isRunnable`. The predicate is asked with the lock held that ``wake()`` takes, so a
    /// change that is followed by a wake is never missed.
    func park(until isRunnable: () -> Bool) {
        condition.withLock {
            isParked = true
            condition.signalAll()
            while !isRunnable() { condition.wait() }
            isParked = false
        }
    }

    /// Before another thread executes the vCPU: it may execute something from now on.
    func open() { condition.withLock { isParked = false } }

    /// For the vCPU's thread: it will not execute anything any more.
    func close() {
        condition.withLock {
            isParked = true
            condition.signalAll()
        }
    }

    /// Makes the thread ask again whether it is runnable. Any thread; takes a lock that is held for moments only.
    func wake() {
        condition.withLock { if isParked { condition.signalAll() } }
    }

    /// Waits until the vCPU executes nothing. Someone must have asked it to leave before.
    func waitUntilParked() {
        condition.withLock { while !isParked { condition.wait() } }
    }

    /// Whether the vCPU executes nothing at this moment.
    var isResting: Bool { condition.withLock { isParked } }
}
