internal import CLinux
internal import Glibc
internal import HostIO

/// A `qemu-nbd` of our own that serves one image to one client: us.
///
/// Our connection waits in the socket's queue before the program starts, and the socket's name is gone by then. The program serves that
/// one connection and ends when it closes, so whatever becomes of this process, none is left behind.
final class NBDServer: @unchecked Sendable {
    /// How long the program may take to write what it holds, once the connection is closed.
    private static let endMilliseconds: Int64 = 10_000

    /// Our end of the connection, until somebody takes it over.
    let connection: Descriptor
    private let process: pid_t
    /// What the program wrote to its standard error.
    private let errors: Descriptor
    private var hasEnded = false

    /// Starts the program. Whether it can open the image shows in the first exchange.
    ///
    /// - Throws: ``HostError`` when the host gives no socket or process.
    init(_ configuration: BlockConfiguration) throws(HostError) {
        let listener = try UnixListener(path: configuration.socketPath)
        defer { listener.remove() }
        connection = try UnixListener.connect(path: configuration.socketPath)
        let memory = unsafe martlet_memory_file("qemu-nbd")
        guard memory >= 0 else { throw HostError("memfd_create") }
        errors = Descriptor(memory)
        process = try Self.spawn(Self.arguments(configuration), listener: listener.descriptor, errors: errors)
    }

    deinit { end() }

    /// The shell is there because the program wants to read its own process number in LISTEN_PID.
    private static func arguments(_ configuration: BlockConfiguration) -> [String] {
        ["/bin/sh", "-c", "LISTEN_PID=$$ exec \"$@\"", "sh", "qemu-nbd", "--format=\(configuration.format.driver)"]
            + (configuration.isReadOnly ? ["--read-only"] : ["--cache=writeback", "--discard=unmap"]) + ["--", configuration.path]
    }

    private static func spawn(_ arguments: [String], listener: Descriptor, errors: Descriptor) throws(HostError) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDWR, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, 0, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, errors.rawValue, 2)
        unsafe posix_spawn_file_actions_adddup2(&actions, listener.rawValue, 3)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // A Ctrl-C at the terminal is not for it, but SIGTERM is, which our own threads block.
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var process = pid_t()
        let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/sbin:/usr/bin:/sbin:/bin"
        let code = unsafe withStrings(arguments) { arguments in
            unsafe withStrings(["PATH=\(path)", "LISTEN_FDS=1"]) { environment in
                unsafe posix_spawn(&process, "/bin/sh", &actions, &attributes, arguments, environment)
            }
        }
        guard code == 0 else { throw HostError("start qemu-nbd", code) }
        return process
    }

    private static func withStrings(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Int32) -> Int32 {
        let copies = unsafe strings.map { unsafe strdup($0) } + [nil]
        defer { for index in unsafe copies.indices { unsafe free(copies[index]) } }
        return unsafe body(copies)
    }

    // MARK: - its end

    var isRunning: Bool { wait(milliseconds: 0) == nil }

    /// Why the program ended, in its own words; waits for it.
    func lastWords() -> (status: Int32, message: String) {
        let status = wait(milliseconds: Self.endMilliseconds) ?? -1
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe pread(errors.rawValue, &bytes, bytes.count, 0)
        let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
        let lines = text.split(separator: "\n")
        return (status, lines.last.map { String($0) } ?? "it ended without a word")
    }

    /// Waits until the program has ended, which it does by itself once the connection is closed; ends it if it does not.
    func end() {
        guard !hasEnded else { return }
        for signal in [0, SIGTERM, SIGKILL] {
            if signal != 0 { kill(process, signal) }
            if wait(milliseconds: Self.endMilliseconds) != nil { return }
        }
    }

    /// - Returns: the exit code, 128 and more for a signal; nil when it still runs.
    private func wait(milliseconds: Int64) -> Int32? {
        guard !hasEnded else { return exitCode }
        let deadline = monotonicMilliseconds() + milliseconds
        var status: Int32 = 0
        while true {
            let result = unsafe waitpid(process, &status, WNOHANG)
            if result != 0 {
                hasEnded = true
                exitCode = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + (status & 0x7f)
                return exitCode
            }
            guard monotonicMilliseconds() < deadline else { return nil }
            usleep(2000)
        }
    }

    private var exitCode: Int32 = -1
}
