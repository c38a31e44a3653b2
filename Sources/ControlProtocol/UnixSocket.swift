internal import Glibc

/// An open file descriptor, closed when the value goes away.
public struct FileDescriptor: ~Copyable, Sendable {
    public let number: Int32

    /// Takes ownership of `number`.
    public init(owning number: Int32) { self.number = number }

    deinit { close(number) }

    /// Gives up ownership: the caller closes the number.
    public consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }
}

/// A failed system call: its name, what it was about, and `errno`.
public struct SystemError: Error, Equatable, Sendable {
    public var call: String
    public var subject: String
    public var errno: Int32

    public init(_ call: String, _ subject: String, errno: Int32) {
        self.call = call
        self.subject = subject
        self.errno = errno
    }

    /// For instance "bind /run/martlet/3/control.sock: Permission denied".
    public var sentence: String { "\(call) \(subject): \(Self.text(errno))" }

    /// The C library's words for an error number.
    public static func text(_ errno: Int32) -> String {
        guard let text = unsafe strerror(errno) else { return "error \(errno)" }
        return unsafe String(cString: text)
    }
}

/// Unix stream sockets named by a directory and a file name inside it.
///
/// A socket address holds 107 bytes only. Longer paths go through `/proc/self/fd`, so any directory works.
public enum UnixSocket {
    /// Name of the control socket inside a guest's runtime directory.
    public static let controlName = "control.sock"
    /// Name of the console socket: raw bytes in both directions.
    public static let consoleName = "console.sock"

    /// A connected stream socket, blocking, closed on exec.
    ///
    /// - Throws: ``SystemError``; `ECONNREFUSED` or `ENOENT` mean that nobody listens.
    public static func connect(directory: String, name: String) throws(SystemError) -> FileDescriptor {
        let socket = try make("\(directory)/\(name)")
        try unsafe withAddress(directory, name) { address, length in unsafe Glibc.connect(socket.number, address, length) }
            .orThrow("connect", "\(directory)/\(name)")
        return socket
    }

    /// A listening stream socket, non-blocking, closed on exec; only the owner may connect (mode 0600).
    ///
    /// - Throws: ``SystemError``; `EADDRINUSE` when the name exists.
    public static func listen(directory: String, name: String, backlog: Int32 = 16) throws(SystemError) -> FileDescriptor {
        let path = "\(directory)/\(name)"
        let socket = try make(path)
        try unsafe withAddress(directory, name) { address, length in unsafe bind(socket.number, address, length) }.orThrow("bind", path)
        try CallResult(unsafe chmod(path, 0o600)).orThrow("chmod", path)
        try CallResult(Glibc.listen(socket.number, backlog)).orThrow("listen", path)
        try CallResult(fcntl(socket.number, F_SETFL, O_NONBLOCK)).orThrow("fcntl", path)
        return socket
    }

    private static func make(_ subject: String) throws(SystemError) -> FileDescriptor {
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { throw SystemError("socket", subject, errno: errno) }
        return FileDescriptor(owning: number)
    }

    private static func withAddress(
        _ directory: String, _ name: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> CallResult {
        var path = "\(directory)/\(name)"
        let capacity = MemoryLayout.size(ofValue: sockaddr_un().sun_path)
        var directoryHandle: Int32 = -1
        defer { if directoryHandle >= 0 { close(directoryHandle) } }
        if path.utf8.count >= capacity {
            directoryHandle = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard directoryHandle >= 0 else { return CallResult(-1) }
            path = "/proc/self/fd/\(directoryHandle)/\(name)"
        }
        guard path.utf8.count < capacity else { return CallResult(-1, errno: ENAMETOOLONG) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
            for (index, byte) in path.utf8.enumerated() { unsafe field[index] = byte }
        }
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                CallResult(unsafe body(generic, socklen_t(MemoryLayout<sockaddr_un>.size)))
            }
        }
    }
}

/// The result of a call that returns -1 and sets `errno` on failure.
private struct CallResult {
    var value: Int32
    var code: Int32

    init(_ value: Int32) {
        self.value = value
        code = value < 0 ? errno : 0
    }

    init(_ value: Int32, errno: Int32) {
        self.value = value
        code = errno
    }

    func orThrow(_ call: String, _ subject: String) throws(SystemError) {
        if value < 0 { throw SystemError(call, subject, errno: code) }
    }
}
