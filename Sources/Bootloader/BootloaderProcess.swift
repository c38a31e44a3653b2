internal import ControlProtocol
internal import Glibc

/// The program with its terminal and its pipe.
struct BootloaderProcess: ~Copyable {
    enum Ending: Equatable {
        case exited(Int32)
        case killed(Int32)
        case interrupted
        case tooLong
        case tooMuch
    }

    /// What it wrote into the pipe.
    private(set) var output: [UInt8] = []
    private let processID: Int32
    private let terminal: FileDescriptor
    private let pipe: FileDescriptor
    private var terminalIsOpen = true
    private var inputIsOpen = true
    private var typed: [UInt8] = []

    /// Starts the program in a session of its own, with a new terminal.
    ///
    /// - Throws: an error that names what could not be done; nothing runs then.
    init(_ program: String, _ arguments: [String], outputPath: String) throws(OperatorError) {
        // Opened for writing as well, the pipe is never at its end: programs may open it more than once.
        let pipe = FileDescriptor(owning: unsafe open(outputPath, O_RDWR | O_NONBLOCK | O_CLOEXEC))
        guard pipe.number >= 0 else { throw Self.failure(program, "\(outputPath): \(SystemError.text(errno))") }
        let terminal = FileDescriptor(owning: unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC))
        guard terminal.number >= 0, let name = Self.unlock(terminal.number) else {
            throw Self.failure(program, "no terminal for it: \(SystemError.text(errno))")
        }
        processID = try Self.spawn(program, arguments, terminal: name)
        self.pipe = pipe
        self.terminal = terminal
    }

    deinit { Self.end(processID) }

    /// The path of a new terminal's other end; nil with an `errno`. (`ioctl_tty(2)`; the library's functions for it are hidden from Swift.)
    private static func unlock(_ terminal: Int32) -> String? {
        let (setLock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)  // TIOCSPTLCK, TIOCGPTN
        var (isLocked, number): (Int32, UInt32) = (0, 0)
        guard unsafe ioctl(terminal, setLock, &isLocked) == 0, unsafe ioctl(terminal, getNumber, &number) == 0 else { return nil }
        return "/dev/pts/\(number)"
    }

    /// Carries bytes until the program ends or is ended. Not to be called again.
    mutating func serve(_ console: BootloaderConsole, show: ([UInt8]) -> Void) -> Ending {
        let deadline = console.timeoutMilliseconds.map { Self.now() + $0 }
        while true {
            let isOver = Self.hasEnded(processID)
            let ready = wait(console, milliseconds: isOver ? 0 : 100)
            if ready.terminal { readTerminal(show) }
            if ready.pipe, !readPipe() { return .tooMuch }
            if ready.input, let input = console.input, !readInput(input, console.escape) { return .interrupted }
            writeTyped()
            if isOver, !ready.pipe, !ready.terminal { return Self.collect(processID) }
            if console.isInterrupted() { return .interrupted }
            if let deadline, Self.now() >= deadline, !isOver { return .tooLong }
        }
    }

    private func wait(_ console: BootloaderConsole, milliseconds: Int32) -> (terminal: Bool, pipe: Bool, input: Bool) {
        let wantsInput = inputIsOpen && typed.isEmpty
        var polled = [
            pollfd(fd: terminalIsOpen ? terminal.number : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: pipe.number, events: Int16(POLLIN), revents: 0),
            pollfd(fd: wantsInput ? console.input ?? -1 : -1, events: Int16(POLLIN), revents: 0),
        ]
        guard unsafe poll(&polled, nfds_t(polled.count), milliseconds) > 0 else { return (false, false, false) }
        return (polled[0].revents != 0, polled[1].revents & Int16(POLLIN) != 0, polled[2].revents != 0)
    }

    private mutating func readTerminal(_ show: ([UInt8]) -> Void) {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(terminal.number, &buffer, buffer.count)
        if count > 0 { return show(Array(buffer[..<count])) }
        // EIO: nobody has the other end any more.
        if count == 0 || errno != EAGAIN && errno != EINTR { terminalIsOpen = false }
    }

    /// - Returns: false when it is too much.
    private mutating func readPipe() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe read(pipe.number, &buffer, buffer.count)
        if count > 0 { output += buffer[..<count] }
        return output.count <= BootloaderOutput.largest
    }

    /// - Returns: false when the operator gives up.
    private mutating func readInput(_ input: Int32, _ escape: UInt8) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = unsafe read(input, &buffer, buffer.count)
        if count < 0, errno == EAGAIN || errno == EINTR { return true }
        guard count > 0 else {
            inputIsOpen = false
            return true
        }
        typed += buffer[..<count]
        return !buffer[..<count].contains(escape)
    }

    private mutating func writeTyped() {
        guard !typed.isEmpty else { return }
        let count = unsafe write(terminal.number, typed, typed.count)
        if count > 0 { typed.removeFirst(count) } else if errno != EAGAIN, errno != EINTR { typed = [] }
    }

    // MARK: - the process

    private static func spawn(_ program: String, _ arguments: [String], terminal: String) throws(OperatorError) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        // The first terminal that a session's leader opens becomes the session's.
        for number: Int32 in 0...2 { unsafe posix_spawn_file_actions_addopen(&actions, number, terminal, O_RDWR, 0) }
        for number in openDescriptors() where number > 2 { unsafe posix_spawn_file_actions_addclose(&actions, number) }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        let newSession: Int32 = 0x80  // POSIX_SPAWN_SETSID, which the headers hide without _GNU_SOURCE
        unsafe posix_spawnattr_setflags(&attributes, Int16(newSession | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGPIPE, SIGTERM, SIGHUP, SIGINT, SIGCHLD] { unsafe sigaddset(&signals, signal) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        var processID: Int32 = 0
        let words = unsafe ([program] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        let code = unsafe posix_spawn(&processID, program, &actions, &attributes, words, environ)
        guard code == 0 else { throw failure(program, "it cannot be started: \(SystemError.text(code))") }
        return processID
    }

    /// What whoever started this program left open, a lock or a pipe, is none of a boot loader's.
    private static func openDescriptors() -> [Int32] {
        guard let stream = unsafe opendir("/proc/self/fd") else { return [] }
        defer { unsafe closedir(stream) }
        var numbers: [Int32] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if let number = Int32(name) { numbers.append(number) }
        }
        return numbers
    }

    /// Whether it has ended; its exit code stays to be collected, and its number with it.
    private static func hasEnded(_ processID: Int32) -> Bool {
        var information = unsafe siginfo_t()
        let code = unsafe waitid(P_PID, id_t(processID), &information, WEXITED | WNOHANG | WNOWAIT)
        return unsafe code != 0 || information.si_signo != 0
    }

    /// Ends what it started along with it, and takes its exit code.
    private static func collect(_ processID: Int32) -> Ending {
        kill(-processID, SIGKILL)
        var status: Int32 = 0
        while unsafe waitpid(processID, &status, 0) < 0 {
            guard errno == EINTR else { return .killed(SIGKILL) }
        }
        let signal = status & 0x7f
        return signal == 0 ? .exited(status >> 8 & 0xff) : .killed(signal)
    }

    /// Asks it to end, and after half a second makes it. Does nothing where it was collected.
    private static func end(_ processID: Int32) {
        guard waitpid(processID, nil, WNOHANG) == 0 else { return }
        kill(-processID, SIGTERM)
        kill(-processID, SIGCONT)
        for _ in 0..<50 where !hasEnded(processID) { usleep(10_000) }
        _ = collect(processID)
    }

    private static func now() -> Int64 {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }

    private static func failure(_ program: String, _ cause: String) -> OperatorError {
        OperatorError(
            "bootloader=\"\(program)\": \(cause)", remedy: "name a program this user can run, as bootloader= or on the PATH",
            code: .creationFailed)
    }
}
