public import Glibc

/// A host call failed.
public struct HostError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call and what it was about, such as `bind /run/x.sock`.
    public var action: String
    /// The value of `errno`.
    public var code: Int32

    public init(_ action: String, _ code: Int32 = errno) {
        self.action = action
        self.code = code
    }

    public var description: String { "\(action): \(unsafe String(cString: strerror(code)))" }
}

/// What came of an attempt to read or write without waiting.
public enum Transfer: Hashable, Sendable {
    case bytes(Int)
    /// Nothing can be moved now.
    case wouldBlock
    /// The peer is gone, or the descriptor is of no use any more; `errno`, 0 at the end of the stream.
    case ended(Int32)
}

/// An open file descriptor, closed when the last reference goes.
public final class Descriptor: Sendable {
    public let rawValue: Int32

    public init(_ rawValue: Int32) { self.rawValue = rawValue }
    deinit { close(rawValue) }

    /// Makes calls return at once, and keeps the descriptor out of programs we start.
    ///
    /// - Throws: ``HostError``.
    public func makeNonblocking() throws(HostError) {
        guard fcntl(rawValue, F_SETFL, O_NONBLOCK) == 0, fcntl(rawValue, F_SETFD, FD_CLOEXEC) == 0 else { throw HostError("fcntl") }
    }

    /// Reads up to `limit` bytes and appends them.
    public func read(into bytes: inout [UInt8], limit: Int) -> Transfer {
        var result = 0
        var code: Int32 = 0
        let chunk = unsafe [UInt8](unsafeUninitializedCapacity: limit) { buffer, initialized in
            repeat { unsafe result = Glibc.read(rawValue, buffer.baseAddress, limit) } while result < 0 && errno == EINTR
            code = errno
            initialized = max(result, 0)
        }
        if result > 0 {
            bytes.append(contentsOf: chunk)
            return .bytes(result)
        }
        return result == 0 ? .ended(0) : Self.failure(code)
    }

    /// Writes what fits; a closed peer is an answer, not a signal.
    public func send(_ bytes: ArraySlice<UInt8>) -> Transfer {
        var result = 0
        unsafe bytes.withUnsafeBytes { buffer in
            repeat {
                unsafe result = Glibc.send(rawValue, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
            } while result < 0 && errno == EINTR
        }
        return result >= 0 ? .bytes(result) : Self.failure(errno)
    }

    /// Writes all to a file, waiting for it.
    ///
    /// - Returns: how many bytes were written, and the `errno` that stopped it, 0 if nothing did.
    public func writeAll(_ bytes: ArraySlice<UInt8>) -> (count: Int, code: Int32) {
        unsafe bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let result = unsafe Glibc.write(rawValue, buffer.baseAddress! + done, buffer.count - done)
                if result > 0 { done += result } else if result == 0 { return (done, EIO) } else if errno != EINTR { return (done, errno) }
            }
            return (done, 0)
        }
    }

    private static func failure(_ code: Int32) -> Transfer {
        code == EAGAIN || code == EWOULDBLOCK ? .wouldBlock : .ended(code)
    }
}
