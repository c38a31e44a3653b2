internal import ControlProtocol
internal import Glibc

/// Starts the process of a guest and waits for its report.
struct GuestProcess: ~Copyable {
    let processID: Int32
    private let report: FileDescriptor
    private let executable: String

    /// Starts `executable directory` in a session of its own.
    ///
    /// It gets nothing on standard input, its log on standard output and error, the report pipe as descriptor 3 and the locked file
    /// of its directory as descriptor 4. Everything else is closed.
    ///
    /// - Throws: an error when it cannot be started.
    static func start(executable: String, reservation: borrowing GuestRegistry.Reservation) throws(OperatorError) -> GuestProcess {
        var pipe: [Int32] = [-1, -1]
        guard unsafe Glibc.pipe(&pipe) == 0 else { throw failure(executable, "pipe: " + SystemError.text(errno)) }
        for number in pipe { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
        let readEnd = FileDescriptor(owning: pipe[0])
        let writeEnd = FileDescriptor(owning: pipe[1])
        let processID = try spawn(executable, reservation, reportPipe: writeEnd.number)
        return GuestProcess(processID: processID, report: readEnd, executable: executable)
    }

    private init(processID: Int32, report: consuming FileDescriptor, executable: String) {
        self.processID = processID
        self.report = report
        self.executable = executable
    }

    /// Waits for the one line of report.
    ///
    /// - Throws: what the guest process reports, or that it died.
    func waitForReport(logPath: String?) throws(OperatorError) -> StartupReport.Ready {
        var reader = FrameReader()
        var buffer = [UInt8](repeating: 0, count: 4096)
        guard let signals = SignalPipe() else { throw Self.failure(executable, "pipe: " + SystemError.text(errno)) }
        while true {
            if Self.waitForInput(report.number, or: signals) {
                kill(processID, SIGKILL)
                collect()
                throw OperatorError("the creation of the guest was interrupted", code: .creationFailed)
            }
            let count = unsafe read(report.number, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0, (try? reader.append(buffer[..<count])) != nil else { throw death(logPath) }
            guard let line = reader.next() else { continue }
            guard let report = try? Frame.decode(StartupReport.self, from: line) else {
                kill(processID, SIGKILL)
                throw death(logPath)
            }
            switch report {
            case .ready(let ready): return ready
            case .error(let error):
                collect()
                throw error
            }
        }
    }

    /// The process of the guest in a directory: it holds its lock as descriptor 4, and was started with that directory or, before a restart
    /// gave the guest another domain ID, with one beside it.
    static func find(directory: String) -> Int32? {
        var lock = stat()
        guard unsafe stat("\(directory)/\(GuestLock.fileName)", &lock) == 0 else { return nil }
        return ((try? Files.names(in: "/proc")) ?? []).compactMap { Int32($0) }.first { processID in
            var held = stat()
            guard unsafe stat("/proc/\(processID)/fd/\(GuestLock.inheritedDescriptor)", &held) == 0,
                held.st_dev == lock.st_dev, held.st_ino == lock.st_ino
            else { return false }
            let words = (try? Files.read("/proc/\(processID)/cmdline"))?.split(separator: 0) ?? []
            return words.last.map { parent(String(decoding: $0, as: UTF8.self)) } == parent(directory)
        }
    }

    private static func parent(_ path: String) -> Substring { path[..<(path.lastIndex(of: "/") ?? path.startIndex)] }

    /// - Returns: true when a signal asks this program to end before there is anything to read.
    private static func waitForInput(_ descriptor: Int32, or signals: borrowing SignalPipe) -> Bool {
        var polled = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0), pollfd(fd: signals.readEnd, events: Int16(POLLIN), revents: 0),
        ]
        while unsafe poll(&polled, nfds_t(polled.count), -1) < 0, errno == EINTR {}
        return polled[1].revents != 0
    }

    @discardableResult
    private func collect() -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(processID, &status, 0) < 0, errno == EINTR {}
        return status
    }

    private func death(_ logPath: String?) -> OperatorError {
        let status = collect()
        let signal = status & 0x7f
        let how = signal != 0 ? "was killed by signal \(signal)" : "ended with code \(status >> 8 & 0xff)"
        return OperatorError(
            "the guest's process (\(executable)) \(how) before the guest was ready",
            remedy: logPath.map { "see \($0)" } ?? "", code: .creationFailed)
    }

    private static func spawn(
        _ executable: String, _ reservation: borrowing GuestRegistry.Reservation, reportPipe: Int32
    ) throws(OperatorError) -> Int32 {
        // Copies above the numbers the child is to see, so that no dup2 overwrites the source of another.
        let pipe = FileDescriptor(owning: fcntl(reportPipe, F_DUPFD_CLOEXEC, 16))
        let lock = FileDescriptor(owning: fcntl(reservation.lock.number, F_DUPFD_CLOEXEC, 16))
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        let log = reservation.description.logPath ?? "/dev/null"
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        unsafe posix_spawn_file_actions_adddup2(&actions, pipe.number, StartupReport.fileDescriptor)
        unsafe posix_spawn_file_actions_adddup2(&actions, lock.number, GuestLock.inheritedDescriptor)
        // What this program's caller left open, a lock or a pipe, is none of a guest's that outlives them both.
        for number in ((try? Files.names(in: "/proc/self/fd")) ?? []).compactMap({ Int32($0) }) where number > GuestLock.inheritedDescriptor
        {
            unsafe posix_spawn_file_actions_addclose(&actions, number)
        }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        setAttributes(&attributes)

        var processID: Int32 = 0
        let arguments = unsafe [strdup(executable), strdup(reservation.directory), nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        let result = unsafe posix_spawn(&processID, executable, &actions, &attributes, arguments, environ)
        extendLifetime(pipe)
        extendLifetime(lock)
        guard result == 0 else { throw failure(executable, SystemError.text(result)) }
        return processID
    }

    /// A session of its own, no blocked signal, and the default action for the signals this program ignores or catches.
    private static func setAttributes(_ attributes: inout posix_spawnattr_t) {
        let newSession: Int32 = 0x80  // POSIX_SPAWN_SETSID, which the headers hide without _GNU_SOURCE
        unsafe posix_spawnattr_setflags(&attributes, Int16(newSession | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGTERM, SIGHUP, SIGINT] { unsafe sigaddset(&signals, signal) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
    }

    private static func failure(_ executable: String, _ why: String) -> OperatorError {
        OperatorError(
            "the guest's process cannot be started: \(executable): \(why)",
            remedy: "martlet-guest belongs beside martlet; build or install both", code: .creationFailed)
    }
}
