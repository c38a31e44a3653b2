internal import Glibc

/// The guest process's end of one control connection: framing and buffers, no threads.
///
/// The owner polls ``number`` for reading, and for writing while ``hasOutput``; after each readiness it calls ``receive()`` or
/// ``flush()``. A peer that sends garbage gets an error reply; one that sends too much or does not read is dropped.
public struct ControlConnection: ~Copyable {
    /// Bytes a client may leave unread before it is dropped.
    public static let maximumOutput = 4 * Frame.maximumByteCount

    private let socket: FileDescriptor
    private var reader = FrameReader()
    private var output: [UInt8] = []
    private var sent = 0

    /// Takes an accepted socket and makes it non-blocking.
    public init(_ socket: consuming FileDescriptor) {
        _ = fcntl(socket.number, F_SETFL, O_NONBLOCK)
        self.socket = socket
    }

    /// The descriptor to poll.
    public var number: Int32 { socket.number }
    /// Bytes kept for the peer, sent ones included.
    var heldByteCount: Int { output.count }
    /// Bytes wait to be written.
    public var hasOutput: Bool { sent < output.count }

    /// What one round of reading found.
    public enum Input: Equatable, Sendable {
        case request(ControlRequest)
        /// A line that is no request; answer it with an error.
        case malformed(String)
    }

    /// Reads once and returns the complete requests.
    ///
    /// - Returns: nil when the peer has closed, broken the frame limit or failed: drop the connection.
    public mutating func receive() -> [Input]? {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(socket.number, &buffer, buffer.count)
        if count < 0 { return errno == EAGAIN || errno == EINTR ? [] : nil }
        guard count > 0, (try? reader.append(buffer[..<count])) != nil else { return nil }
        var inputs: [Input] = []
        while let line = reader.next() {
            do {
                inputs.append(.request(try Frame.decode(ControlRequest.self, from: line)))
            } catch {
                inputs.append(.malformed(error.sentence))
            }
        }
        return inputs
    }

    /// Queues a reply and writes what the socket takes at once.
    ///
    /// - Returns: false when the peer is gone or does not read: drop the connection.
    public mutating func send(_ reply: ControlReply) -> Bool {
        guard let bytes = try? Frame.encode(reply), output.count - sent + bytes.count <= Self.maximumOutput else { return false }
        output += bytes
        return flush()
    }

    /// Writes what the socket takes without waiting.
    ///
    /// - Returns: false when the peer is gone.
    public mutating func flush() -> Bool {
        while sent < output.count {
            let count = unsafe output.withUnsafeBytes { bytes in
                unsafe Glibc.send(socket.number, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                guard errno == EAGAIN else { return false }
                dropSent()
                return true
            }
            sent += count
        }
        output.removeAll(keepingCapacity: true)
        sent = 0
        return true
    }

    /// A peer that never takes all there is must not make us keep what it took.
    private mutating func dropSent() {
        guard sent >= Self.maximumOutput else { return }
        output.removeFirst(sent)
        sent = 0
    }
}

extension FrameError {
    /// The fault in a few words.
    public var sentence: String {
        switch self {
        case .tooLong: "a message of more than \(Frame.maximumByteCount) bytes"
        case .malformed(let detail): detail
        }
    }
}
