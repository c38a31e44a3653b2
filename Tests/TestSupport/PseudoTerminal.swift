import Glibc

/// A program on a terminal of its own, and what it shows there.
public final class PseudoTerminal {
    public let processID: Int32
    public private(set) var screen: TerminalScreen
    /// Everything that came, escapes and all.
    public private(set) var text = ""
    private let controller: Int32
    private let tty: Int32
    private var status: Int32?

    /// Why no terminal can be made here; nil where one can. A container without /dev/pts is such a place.
    public static let obstacle: String? = {
        guard let ends = open() else { return unsafe "no pseudo-terminal can be made here (/dev/pts): \(String(cString: strerror(errno)))" }
        close(ends.controller)
        close(ends.tty)
        return nil
    }()

    /// Starts a program by the shell. What can keep it from starting is a fault of the test.
    ///
    /// - Parameters:
    ///   - command: for /bin/sh; put `exec` in front, so that ``processID`` is the program's.
    ///   - rows: of the terminal.
    ///   - columns: of the terminal.
    public init(_ command: String, rows: Int = 24, columns: Int = 80) {
        guard let ends = Self.open() else { fatalError("no pseudo-terminal can be made; ask for `obstacle` first") }
        (controller, tty) = (ends.controller, ends.tty)
        screen = TerminalScreen(rows: rows, columns: columns)
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        // The first terminal that a session's leader opens becomes that session's own.
        for stream in 0...2 { unsafe posix_spawn_file_actions_addopen(&actions, Int32(stream), ends.path, O_RDWR, 0) }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // The test's own thread may have all signals blocked.
        var noSignals = sigset_t()
        unsafe sigemptyset(&noSignals)
        unsafe posix_spawnattr_setsigmask(&attributes, &noSignals)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | 0x80 /* POSIX_SPAWN_SETSID */)
        let words = unsafe [strdup("sh"), strdup("-c"), strdup(command), nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var number: Int32 = 0
        Self.setSize(tty, rows, columns)
        guard unsafe posix_spawn(&number, "/bin/sh", &actions, &attributes, words, environ) == 0 else {
            fatalError("/bin/sh does not start")
        }
        processID = number
    }

    deinit {
        if status == nil {
            kill(processID, SIGKILL)
            waitpid(processID, nil, 0)
        }
        close(controller)
        close(tty)
    }

    public func type(_ text: String) {
        let bytes = Array(text.utf8)
        let count = unsafe bytes.withUnsafeBytes { unsafe write(controller, $0.baseAddress, $0.count) }
        precondition(count == bytes.count, "a terminal takes a short line whole")
    }

    public func resize(rows: Int, columns: Int) {
        screen = TerminalScreen(rows: rows, columns: columns)
        Self.setSize(controller, rows, columns)
    }

    /// Waits until the screen fits a condition.
    public func shows(seconds: Double = 20, _ condition: (TerminalScreen) -> Bool) -> Bool {
        for _ in 0..<Int(seconds * 50) {
            take(waitingMilliseconds: 20)
            if condition(screen) { return true }
        }
        return false
    }

    /// Waits for the program's end.
    ///
    /// - Returns: its exit code, or 128 and the number of the signal that ended it; nil when it goes on.
    public func end(seconds: Double = 20) -> Int32? {
        for _ in 0..<Int(seconds * 50) where status == nil {
            var word: Int32 = 0
            if unsafe waitpid(processID, &word, WNOHANG) == processID { status = word }
            take(waitingMilliseconds: 20)
        }
        return status.map { $0 & 0x7f == 0 ? $0 >> 8 & 0xff : 128 + $0 & 0x7f }
    }

    /// Whether the terminal echoes and waits for whole lines, as it did in the beginning.
    public var isAsItWas: Bool {
        var settings = termios()
        guard unsafe tcgetattr(tty, &settings) == 0 else { return false }
        let wanted = tcflag_t(ICANON | ECHO | ISIG)
        return settings.c_lflag & wanted == wanted && settings.c_oflag & tcflag_t(OPOST) != 0
    }

    private func take(waitingMilliseconds: Int32) {
        var polled = pollfd(fd: controller, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&polled, 1, waitingMilliseconds) > 0 else { return }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = unsafe read(controller, &bytes, bytes.count)
        guard count > 0 else { return }
        screen.take(bytes[..<count])
        text += String(decoding: bytes[..<count], as: UTF8.self)
    }

    private static func setSize(_ terminal: Int32, _ rows: Int, _ columns: Int) {
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = unsafe ioctl(terminal, UInt(TIOCSWINSZ), &size)
    }

    private static func open() -> (controller: Int32, tty: Int32, path: String)? {
        // Linux's own words for what posix_openpt, unlockpt and ptsname do; Swift sees those in no header.
        let controller = unsafe Glibc.open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard controller >= 0 else { return nil }
        var isLocked: Int32 = 0
        var number: Int32 = 0
        guard unsafe ioctl(controller, 0x4004_5431 /* TIOCSPTLCK */, &isLocked) == 0,
            unsafe ioctl(controller, 0x8004_5430 /* TIOCGPTN */, &number) == 0
        else {
            close(controller)
            return nil
        }
        let path = "/dev/pts/\(number)"
        // Held open by the test, too: what the program leaves behind can be looked at after its end.
        let tty = unsafe Glibc.open(path, O_RDWR | O_NOCTTY | O_CLOEXEC)
        guard tty >= 0 else {
            close(controller)
            return nil
        }
        return (controller, tty, path)
    }
}
