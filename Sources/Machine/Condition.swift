import Glibc

/// A mutex with a condition variable on the host's monotonic clock, for threads that sleep until somebody has work for them.
@safe
final class Condition: @unchecked Sendable {
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let variable: UnsafeMutablePointer<pthread_cond_t>

    init() {
        unsafe mutex = .allocate(capacity: 1)
        unsafe variable = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe variable.initialize(to: pthread_cond_t())
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(variable, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(variable)
        unsafe pthread_mutex_destroy(mutex)
        unsafe variable.deallocate()
        unsafe mutex.deallocate()
    }

    func withLock<Result>(_ body: () -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Sleeps until ``signalAll()``, or for no reason at all. Only inside ``withLock(_:)``.
    func wait() { unsafe pthread_cond_wait(variable, mutex) }

    /// As ``wait()``, but no longer than to `deadline`, in nanoseconds of `CLOCK_MONOTONIC`.
    func wait(until deadline: UInt64) {
        var time = timespec()
        time.tv_sec = Int(clamping: deadline / 1_000_000_000)
        time.tv_nsec = Int(deadline % 1_000_000_000)
        unsafe pthread_cond_timedwait(variable, mutex, &time)
    }

    func signalAll() { unsafe pthread_cond_broadcast(variable) }
}
