import Glibc
import HostIO

/// SIGTERM and SIGINT as something to poll.
struct StopSignals {
    /// Readable once a signal came.
    let descriptor: Descriptor

    /// From now on the two signals end nothing by themselves.
    ///
    /// - Throws: ``HostError`` when the process has no descriptor left.
    init() throws(HostError) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw HostError("pipe") }
        descriptor = Descriptor(ends[0])
        try descriptor.makeNonblocking()
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        _ = fcntl(ends[1], F_SETFD, FD_CLOEXEC)
        unsafe signalPipe = ends[1]
        for number in [SIGTERM, SIGINT] {
            signal(number) { _ in
                let saved = errno
                var byte: UInt8 = 1
                // Full means that a signal waits already.
                _ = unsafe write(signalPipe, &byte, 1)
                errno = saved
            }
        }
        Self.unblock()
    }
}

extension StopSignals {
    /// A creator may have had them blocked, and that is inherited.
    private static func unblock() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for number in [SIGTERM, SIGINT] { unsafe sigaddset(&signals, number) }
        unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }
}

/// Where the handler writes. Set once, before the handler is; the process keeps it open.
private nonisolated(unsafe) var signalPipe: Int32 = -1
