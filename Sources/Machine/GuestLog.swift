import Glibc
public import HostIO

/// The log of one guest's process: plain lines, each with the time in UTC.
public final class GuestLog: Sendable {
    private let file: Descriptor?

    /// Opens a log to append to, with access for the owner only; nil for none.
    ///
    /// - Throws: ``HostError`` naming the path.
    public init(path: String?) throws(HostError) {
        guard let path else {
            file = nil
            return
        }
        let raw = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw HostError("open \(path)") }
        file = Descriptor(raw)
    }

    /// Adds a line. From any thread; one write, so lines never mix. A log that cannot be written is left alone: the guest goes on.
    public func write(_ line: String) {
        guard let file else { return }
        _ = file.writeAll(Array("\(Self.timestamp()) \(line)\n".utf8)[...])
    }

    /// For instance "2026-11-21T05:02:11.042Z".
    static func timestamp() -> String {
        let now = HostClock.read(CLOCK_REALTIME)
        var seconds = time_t(now / 1_000_000_000)
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        let date = unsafe [padded(parts.tm_year + 1900, 4), padded(parts.tm_mon + 1, 2), padded(parts.tm_mday, 2)].joined(separator: "-")
        let time = unsafe [parts.tm_hour, parts.tm_min, parts.tm_sec].map { padded($0, 2) }.joined(separator: ":")
        return "\(date)T\(time).\(padded(Int32(now / 1_000_000 % 1000), 3))Z"
    }

    private static func padded(_ value: Int32, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
