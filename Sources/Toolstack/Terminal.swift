internal import Glibc

/// Puts a terminal into raw mode for as long as the value lives.
struct RawTerminal: ~Copyable {
    private let descriptor: Int32
    private let saved: termios

    /// - Returns: nil when the descriptor is no terminal.
    init?(_ descriptor: Int32) {
        var settings = termios()
        guard unsafe tcgetattr(descriptor, &settings) == 0 else { return nil }
        self.descriptor = descriptor
        saved = settings
        unsafe cfmakeraw(&settings)
        unsafe tcsetattr(descriptor, TCSAFLUSH, &settings)
    }

    deinit {
        var settings = saved
        unsafe tcsetattr(descriptor, TCSAFLUSH, &settings)
    }
}

/// Turns SIGTERM, SIGHUP and SIGINT into something `poll` can wait for, so that a terminal is always left as it was found.
struct SignalPipe: ~Copyable {
    let readEnd: Int32
    private let writeEnd: Int32
    private let caught: [Int32]
    private let earlierMask: sigset_t
    /// Written by signal handlers, which may touch nothing but globals; set before they are installed.
    nonisolated(unsafe) fileprivate static var target: Int32 = -1

    /// - Parameter others: signals that are to be caught as well.
    init?(andAlso others: [Int32] = []) {
        var pipe: [Int32] = [-1, -1]
        guard unsafe Glibc.pipe(&pipe) == 0 else { return nil }
        for number in pipe {
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            _ = fcntl(number, F_SETFL, O_NONBLOCK)
        }
        caught = [SIGTERM, SIGHUP, SIGINT] + others
        readEnd = pipe[0]
        writeEnd = pipe[1]
        unsafe Self.target = writeEnd
        var mask = sigset_t()
        var earlier = sigset_t()
        unsafe sigemptyset(&mask)
        for number in caught { unsafe sigaddset(&mask, number) }
        for number in caught {
            signal(number) { number in
                var byte = UInt8(truncatingIfNeeded: number)
                _ = unsafe write(SignalPipe.target, &byte, 1)
            }
        }
        // Whoever started this program may have had them blocked.
        unsafe pthread_sigmask(SIG_UNBLOCK, &mask, &earlier)
        earlierMask = earlier
    }

    /// The signal that has arrived, if any.
    func take() -> Int32? {
        var byte: UInt8 = 0
        return unsafe read(readEnd, &byte, 1) == 1 ? Int32(byte) : nil
    }

    deinit {
        unsafe Self.target = -1
        for number in caught { signal(number, SIG_DFL) }
        var mask = earlierMask
        unsafe pthread_sigmask(SIG_SETMASK, &mask, nil)
        close(readEnd)
        close(writeEnd)
    }
}
