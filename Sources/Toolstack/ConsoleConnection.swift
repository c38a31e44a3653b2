public import ControlProtocol
internal import Glibc

/// A guest's console in a program's hands: what it types reaches the guest, what the guest writes can be read and waited for.
///
/// Nothing is lost while nobody reads: the guest waits when too much piles up. A guest's earlier output comes first.
public struct ConsoleConnection: ~Copyable {
    private let socket: FileDescriptor
    private let guestName: String
    private var unread: [UInt8] = []

    /// Connects to a guest's console.
    ///
    /// - Throws: an error when the guest's process does not answer.
    public init(_ guest: GuestRegistry.Entry) throws(OperatorError) {
        guestName = guest.description.name
        do throws(SystemError) {
            socket = try UnixSocket.connect(directory: guest.directory, name: UnixSocket.consoleName)
        } catch {
            throw OperatorError(
                "the console of \"\(guest.description.name)\" does not answer: \(error.sentence)",
                remedy: "`martlet list' shows whether the guest still exists")
        }
    }

    /// Types a text. A newline is what the Enter key sends on a terminal in line mode.
    ///
    /// - Throws: an error when the guest is gone; how much of the text reached it is not known then.
    public func write(_ text: String) throws(OperatorError) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe send(socket.number, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw gone }
            sent += count
        }
    }

    /// What the guest has written, at least one byte unless the time runs out.
    ///
    /// - Returns: empty when nothing came in time; nil when the guest has closed its console and everything has been read.
    public mutating func read(timeoutMilliseconds: Int32) -> [UInt8]? {
        defer { unread = [] }
        if !unread.isEmpty { return unread }
        return receive(timeoutMilliseconds: timeoutMilliseconds)
    }

    /// Reads until a text comes. What follows it is kept for the next call.
    ///
    /// - Returns: everything up to the end of the text, as UTF-8; damaged sequences become U+FFFD.
    /// - Throws: an error when the text does not come in time, or the guest ends before. What came so far can be read still.
    public mutating func read(until text: String, timeoutMilliseconds: Int64) throws(OperatorError) -> String {
        let wanted = Array(text.utf8)
        let deadline = Self.now() + timeoutMilliseconds
        while true {
            if let end = Self.end(of: wanted, in: unread) {
                defer { unread.removeFirst(end) }
                return String(decoding: unread[..<end], as: UTF8.self)
            }
            let remaining = deadline - Self.now()
            guard remaining > 0 else {
                throw OperatorError("\"\(guestName)\" did not write \"\(text)\" in time", remedy: "allow more time, or look at its console")
            }
            guard let bytes = receive(timeoutMilliseconds: Int32(clamping: remaining)) else { throw gone }
            unread += bytes
        }
    }

    private func receive(timeoutMilliseconds: Int32) -> [UInt8]? {
        var entry = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&entry, 1, timeoutMilliseconds) > 0 else { return [] }
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = unsafe recv(socket.number, &buffer, buffer.count, 0)
        if count < 0 && errno == EINTR { return [] }
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    private var gone: OperatorError {
        OperatorError("the console of \"\(guestName)\" is closed", remedy: "the guest has ended or dropped this client")
    }

    /// The position behind the first occurrence.
    private static func end(of wanted: [UInt8], in bytes: [UInt8]) -> Int? {
        guard !wanted.isEmpty else { return 0 }
        guard bytes.count >= wanted.count else { return nil }
        return (0...(bytes.count - wanted.count)).first { bytes[$0...].starts(with: wanted) }.map { $0 + wanted.count }
    }

    private static func now() -> Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }
}
