internal import Glibc

/// A blocking client of one guest process.
public struct ControlClient: ~Copyable {
    private let socket: FileDescriptor
    private let path: String
    private var reader = FrameReader()

    /// Connects to the control socket in a guest's runtime directory.
    ///
    /// - Throws: ``SystemError``; `ECONNREFUSED` or `ENOENT` mean that no guest process listens there.
    public init(directory: String) throws(SystemError) {
        socket = try UnixSocket.connect(directory: directory, name: UnixSocket.controlName)
        path = "\(directory)/\(UnixSocket.controlName)"
    }

    /// The descriptor, to wait for events together with others.
    public var number: Int32 { socket.number }

    /// Sends a request without waiting for an answer.
    ///
    /// - Throws: ``ControlClientError``; the connection is of no further use then.
    public mutating func send(_ request: ControlRequest) throws(ControlClientError) {
        guard let bytes = try? Frame.encode(request) else { throw .malformed("request") }
        var sent = 0
        while sent < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { raw in
                unsafe Glibc.send(socket.number, raw.baseAddress! + sent, raw.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .closed }
            sent += count
        }
    }

    /// The next reply or event.
    ///
    /// - Parameter timeoutMilliseconds: how long to wait for it to arrive in full; negative: for ever.
    /// - Throws: ``ControlClientError``; after anything but a timeout the connection is of no further use.
    public mutating func receive(timeoutMilliseconds: Int32 = 30_000) throws(ControlClientError) -> ControlReply {
        let deadline = timeoutMilliseconds < 0 ? nil : Self.nowMilliseconds() + Int64(timeoutMilliseconds)
        while true {
            if let line = reader.next() { return try decode(line) }
            try waitForInput(until: deadline)
            try readOnce()
        }
    }

    /// Sends a request and returns its reply.
    ///
    /// - Throws: ``ControlClientError``; ``ControlClientError/refused(_:)`` when the guest process answers with an error.
    public mutating func ask(
        _ request: ControlRequest, timeoutMilliseconds: Int32 = 30_000
    ) throws(ControlClientError) -> ControlReply {
        try send(request)
        let reply = try receive(timeoutMilliseconds: timeoutMilliseconds)
        if case .error(let error) = reply { throw .refused(error) }
        return reply
    }

    private func decode(_ line: [UInt8]) throws(ControlClientError) -> ControlReply {
        do {
            return try Frame.decode(ControlReply.self, from: line)
        } catch {
            throw .malformed(error.sentence)
        }
    }

    private func waitForInput(until deadline: Int64?) throws(ControlClientError) {
        while true {
            var remaining: Int32 = -1
            if let deadline { remaining = Int32(clamping: max(0, deadline - Self.nowMilliseconds())) }
            var entry = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
            let ready = unsafe poll(&entry, 1, remaining)
            if ready > 0 { return }
            if ready == 0 { throw .timeout }
            if errno != EINTR { throw .closed }
        }
    }

    private mutating func readOnce() throws(ControlClientError) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(socket.number, &buffer, buffer.count)
        if count < 0 && errno == EINTR { return }
        guard count > 0 else { throw .closed }
        do {
            try reader.append(buffer[..<count])
        } catch {
            throw .malformed(error.sentence)
        }
    }

    private static func nowMilliseconds() -> Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }
}

/// Why an exchange with a guest process failed.
public enum ControlClientError: Error, Equatable, Sendable {
    /// The guest process closed the connection or died.
    case closed
    /// It did not answer in time.
    case timeout
    /// It sent something that is no message.
    case malformed(String)
    /// It understood and refused.
    case refused(OperatorError)
}
