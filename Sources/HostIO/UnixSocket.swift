public import Glibc
import Synchronization

/// A listening Unix stream socket; its file goes with ``remove()``.
public final class UnixListener: Sendable {
    public let descriptor: Descriptor
    public let path: String
    /// Given up for a moment to turn a client away when the process has no descriptor left; see ``accept()``.
    private let spare = Mutex(UnixListener.openSpare())

    /// Listens at `path`, with access for the owner only. A dead socket left there is replaced.
    ///
    /// - Throws: ``HostError``: the path is longer than 107 bytes, somebody listens there (`EADDRINUSE`), or the directory
    ///   cannot be written.
    public init(path: String) throws(HostError) {
        self.path = path
        descriptor = try Self.makeSocket()
        if Self.isAbandonedSocket(path) { unsafe unlink(path) }
        let code = try unsafe UnixAddress.with(path) { address, length in unsafe bind(descriptor.rawValue, address, length) }
        guard code == 0 else { throw HostError("bind \(path)") }
        // Between bind and chmod nobody can connect: the socket does not listen yet.
        guard unsafe chmod(path, 0o600) == 0, listen(descriptor.rawValue, 64) == 0 else { throw HostError("listen \(path)") }
    }

    /// The next client that waits, nil when none does.
    ///
    /// When the process has no descriptor left, one client is turned away: left waiting, it would make every poll return at once.
    public func accept() -> Descriptor? {
        let raw = ClosedOnExec.accept(descriptor.rawValue)
        guard raw >= 0 else {
            if errno == EMFILE || errno == ENFILE { turnAway() }
            return nil
        }
        return Descriptor(raw)
    }

    private func turnAway() {
        spare.withLock { spare in
            spare = nil
            let client = Glibc.accept(descriptor.rawValue, nil, nil)
            if client >= 0 { close(client) }
            spare = Self.openSpare()
        }
    }

    private static func openSpare() -> Descriptor? {
        let raw = unsafe open("/dev/null", O_RDONLY | O_CLOEXEC)
        return raw >= 0 ? Descriptor(raw) : nil
    }

    public func remove() { unsafe unlink(path) }

    /// Connects to a listener.
    ///
    /// - Throws: ``HostError``.
    public static func connect(path: String) throws(HostError) -> Descriptor {
        let descriptor = try makeSocket()
        let code = try unsafe UnixAddress.with(path) { address, length in unsafe Glibc.connect(descriptor.rawValue, address, length) }
        guard code == 0 else { throw HostError("connect \(path)") }
        return descriptor
    }

    private static func makeSocket() throws(HostError) -> Descriptor {
        let raw = socket(AF_UNIX, ClosedOnExec.streamSocket, 0)
        guard raw >= 0 else { throw HostError("socket") }
        return Descriptor(raw)
    }

    private static func isAbandonedSocket(_ path: String) -> Bool {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return false }
        do { _ = try connect(path: path) } catch { return error.code == ECONNREFUSED }
        return false
    }
}

/// Addresses of Unix sockets.
public enum UnixAddress {
    /// Lends a system call the address that a path is.
    ///
    /// - Returns: what `body` returns.
    /// - Throws: ``HostError`` (`ENAMETOOLONG`) for a path that is empty or longer than 107 bytes.
    public static func with(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(HostError) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            throw HostError("socket path \(path)", ENAMETOOLONG)
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
