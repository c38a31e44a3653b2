internal import CLinux
internal import Glibc
internal import HostIO

/// Sockets of a hub: Unix sockets that keep the borders of messages.
enum HubSocket {
    /// Room for some of the largest frames.
    private static let bufferByteCount: Int32 = 1 << 20

    private static func make() throws(HostError) -> Descriptor {
        let raw = socket(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard raw >= 0 else { throw HostError("socket") }
        enlarge(raw)
        return Descriptor(raw)
    }

    /// The host may give less than asked for; frames that find no room are kept in a queue of ours.
    static func enlarge(_ descriptor: Int32) {
        var size = bufferByteCount
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Two ends of a connection.
    ///
    /// - Throws: ``HostError``.
    static func pair() throws(HostError) -> (Descriptor, Descriptor) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_SEQPACKET.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw HostError("socketpair") }
        for end in ends { enlarge(end) }
        return (Descriptor(ends[0]), Descriptor(ends[1]))
    }

    /// Listens at a path, for this user only; what was there goes. The caller is sure that nobody else listens.
    static func listen(_ path: String) throws(HostError) -> Descriptor {
        let descriptor = try make()
        unsafe unlink(path)
        let code = try unsafe UnixAddress.with(path) { unsafe bind(descriptor.rawValue, $0, $1) }
        guard code == 0 else { throw HostError("bind \(path)") }
        guard unsafe chmod(path, 0o600) == 0, Glibc.listen(descriptor.rawValue, 64) == 0 else { throw HostError("listen \(path)") }
        return descriptor
    }

    static func connect(_ path: String) throws(HostError) -> Descriptor {
        let descriptor = try make()
        let code = try unsafe UnixAddress.with(path) { unsafe Glibc.connect(descriptor.rawValue, $0, $1) }
        guard code == 0 else { throw HostError("connect \(path)") }
        return descriptor
    }

    static func accept(_ listener: Descriptor) -> Descriptor? {
        let raw = martlet_accept(listener.rawValue, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
        guard raw >= 0 else { return nil }
        enlarge(raw)
        return Descriptor(raw)
    }

    /// Takes the lock of a hub's server, which goes with the descriptor.
    ///
    /// - Returns: nil while somebody else has it.
    static func lock(_ path: String) throws(HostError) -> Descriptor? {
        let raw = unsafe open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw HostError("open \(path).lock") }
        let descriptor = Descriptor(raw)
        guard flock(raw, LOCK_EX | LOCK_NB) == 0 else {
            if errno == EWOULDBLOCK { return nil }
            throw HostError("flock \(path).lock")
        }
        return descriptor
    }
}
