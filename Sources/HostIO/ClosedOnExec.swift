internal import CLinux
internal import Glibc

/// Calls that make descriptors which neither wait nor go to programs that another thread starts at that moment.
enum ClosedOnExec {
    /// `accept4(2)`: the next client's descriptor, or -1 and `errno`.
    static func accept(_ listener: Int32) -> Int32 {
        martlet_accept(listener, Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue))
    }

    /// `pipe2(2)`: the reading and the writing end; nil and `errno` when the process has no descriptor left.
    static func pipe() -> (reader: Int32, writer: Int32)? {
        var ends: [Int32] = [-1, -1]
        guard unsafe martlet_pipe(&ends, O_NONBLOCK | O_CLOEXEC) == 0 else { return nil }
        return (ends[0], ends[1])
    }

    /// The type of a stream socket for `socket(2)`. Here, because these names belong to both modules.
    static let streamSocket = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
}
