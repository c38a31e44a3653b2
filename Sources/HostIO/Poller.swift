import Glibc

/// What to wait for on a descriptor, and what came.
public struct Readiness: OptionSet, Hashable, Sendable {
    public let rawValue: Int16
    public init(rawValue: Int16) { self.rawValue = rawValue }

    public static let readable = Readiness(rawValue: Int16(POLLIN))
    public static let writable = Readiness(rawValue: Int16(POLLOUT))
    /// Both directions are closed, or the descriptor is broken. Always reported.
    public static let hungUp = Readiness(rawValue: Int16(POLLHUP | POLLERR | POLLNVAL))
}

/// One call of `poll(2)`, its list built anew each time.
public struct Poller {
    private var entries: [pollfd] = []

    public init() {}

    public mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

    public mutating func add(_ descriptor: Descriptor, _ interest: Readiness) {
        entries.append(pollfd(fd: descriptor.rawValue, events: interest.rawValue, revents: 0))
    }

    /// Takes a number without waiting for anything.
    public mutating func addNothing() { entries.append(pollfd(fd: -1, events: 0, revents: 0)) }

    /// Waits; nil is for ever. A signal ends the wait without a result.
    public mutating func wait(milliseconds: Int32?) {
        let count = unsafe poll(&entries, nfds_t(entries.count), milliseconds ?? -1)
        if count < 0 { for index in entries.indices { entries[index].revents = 0 } }
    }

    /// What came for the descriptor added as number `index`.
    public subscript(index: Int) -> Readiness { Readiness(rawValue: entries[index].revents) }
}

/// Milliseconds of the host's monotonic clock.
public func monotonicMilliseconds() -> Int64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
