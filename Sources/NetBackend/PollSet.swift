internal import Glibc
internal import HostIO

/// What a device's thread waits for in one round: descriptors and the earliest of some moments.
public final class PollSet {
    private var entries: [pollfd] = []
    private var deadline: Int64?
    /// The last wait failed; nothing is known of the descriptors.
    private(set) var hasFailed = false

    func begin() {
        entries.removeAll(keepingCapacity: true)
        deadline = nil
    }

    /// - Returns: the number to ask for what came.
    @discardableResult
    func add(_ descriptor: Int32, _ events: Int32) -> Int {
        entries.append(pollfd(fd: descriptor, events: Int16(truncatingIfNeeded: events), revents: 0))
        return entries.count - 1
    }

    /// - Parameter moment: monotonic milliseconds; one that is past ends the wait at once.
    func wake(at moment: Int64) { deadline = min(deadline ?? moment, moment) }

    func wait() {
        let timeout = deadline.map { Int32(clamping: max(0, $0 - monotonicMilliseconds())) } ?? -1
        hasFailed = unsafe Glibc.poll(&entries, nfds_t(entries.count), timeout) < 0
        if hasFailed { for index in entries.indices { entries[index].revents = 0 } }
    }

    /// `POLL…` bits; 0 for numbers that were not given.
    func events(_ number: Int) -> Int32 { entries.indices.contains(number) ? Int32(entries[number].revents) : 0 }
}
