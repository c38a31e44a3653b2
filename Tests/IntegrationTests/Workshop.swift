import Foundation
import Glibc
import Testing

/// A directory of one test, with runtime and log directories inside. Ends with its guests destroyed and everything removed.
final class Workshop {
    let path: String
    private var variables: [String: String]

    init() throws {
        try Installation.require()
        var template = Array("/tmp/martlet-guest-test-XXXXXX".utf8CString)
        let made = unsafe mkdtemp(&template) != nil
        try #require(made)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        variables = ["PATH": "/usr/bin:/bin", "MARTLET_RUNTIME_DIR": path + "/run", "MARTLET_LOG_DIR": path + "/log"]
    }

    deinit {
        for process in guestProcesses { kill(process, SIGKILL) }
        try? FileManager.default.removeItem(atPath: path)
    }

    var runtimeDirectory: String {
        get { variables["MARTLET_RUNTIME_DIR"] ?? "" }
        set { variables["MARTLET_RUNTIME_DIR"] = newValue }
    }

    /// Writes a file and says where it is.
    func write(_ name: String, _ content: some Sequence<UInt8>) throws -> String {
        try Data(content).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        return "\(path)/\(name)"
    }

    /// A configuration; further lines override the usual ones.
    func configuration(
        name: String = "linux", kernel: String = Installation.kernel, ramdisk: String? = Installation.ramdisk, memory: Int = 256,
        extra: String = "console=hvc0"
    ) throws -> String {
        var lines = ["name=\"\(name)\"", "type=\"pvh\"", "kernel=\"\(kernel)\"", "extra=\"\(extra)\"", "memory=\(memory)", "vcpus=1"]
        if let ramdisk { lines.append("ramdisk=\"\(ramdisk)\"") }
        return try write("\(name).cfg", (lines.joined(separator: "\n") + "\n").utf8)
    }

    /// Runs `martlet` to its end with `input` as standard input. It is killed when it takes longer than `seconds`.
    func martlet(_ arguments: String..., input: String = "", seconds: Int = 400) throws -> Run {
        let session = try start(arguments, input: try write("input-\(UInt32.random(in: 0 ... .max))", input.utf8))
        return try session.finish(seconds: seconds)
    }

    /// Starts `martlet`; standard input comes from a file, output and errors go to files.
    ///
    /// Foundation's Process will not do: it takes a program to run as long as any process it started does.
    func start(_ arguments: [String], input: String = "/dev/null", program: String = Installation.martlet) throws -> Session {
        let stem = "\(path)/run-\(UInt32.random(in: 0 ... .max))"
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, stem + ".out", O_WRONLY | O_CREAT, 0o600)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, stem + ".err", O_WRONLY | O_CREAT, 0o600)
        // The test's own thread may have all signals blocked.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var noSignals = sigset_t()
        unsafe sigemptyset(&noSignals)
        unsafe posix_spawnattr_setsigmask(&attributes, &noSignals)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let words = unsafe (["martlet"] + arguments).map { unsafe strdup($0) } + [nil]
        let environment = unsafe variables.map { unsafe strdup("\($0)=\($1)") } + [nil]
        defer { unsafe (words + environment).forEach { unsafe free($0) } }
        var processID: Int32 = 0
        let result = unsafe posix_spawn(&processID, program, &actions, &attributes, words, environment)
        try #require(result == 0, "\(program) cannot be started: error \(result)")
        return Session(processID: processID, stem: stem)
    }

    /// Guest processes of this test: their command lines name the runtime directory.
    var guestProcesses: [Int32] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { Int32($0) }.filter { process in
            guard let words = FileManager.default.contents(atPath: "/proc/\(process)/cmdline")?.split(separator: 0) else { return false }
            return words.contains { String(decoding: $0, as: UTF8.self).hasPrefix(path + "/") }
                && words.first.map { String(decoding: $0, as: UTF8.self).hasSuffix("/martlet-guest") } == true
        }
    }

    /// What should not be there when no guest runs: processes, and directories of guests.
    func remains(waitingSeconds: Int = 5) -> [String] {
        var found: [String] = []
        for _ in 0..<waitingSeconds * 10 {
            let entries = (try? FileManager.default.contentsOfDirectory(atPath: runtimeDirectory)) ?? []
            found = guestProcesses.map { "process \($0)" } + entries.filter { !["lock", "last-domid"].contains($0) }
            if found.isEmpty { break }
            usleep(100_000)
        }
        return found
    }
}

/// A run of `martlet` that has come to its end.
struct Run {
    var code: Int32
    var output: String
    var errors: String

    /// Lines of output without carriage returns.
    var lines: [Substring] { output.split(whereSeparator: \.isNewline) }
    var errorLines: [Substring] { errors.split(separator: "\n") }
}

/// A `martlet` that runs.
final class Session {
    private let processID: Int32
    private let stem: String
    /// What waitpid said at the end; nil while it runs.
    private var status: Int32?

    init(processID: Int32, stem: String) {
        self.processID = processID
        self.stem = stem
    }

    deinit {
        guard isRunning else { return }
        kill(processID, SIGKILL)
        waitpid(processID, nil, 0)
    }

    var output: String { Self.text(stem + ".out") }
    var errors: String { Self.text(stem + ".err") }

    var isRunning: Bool {
        if status != nil { return false }
        var word: Int32 = 0
        if unsafe waitpid(processID, &word, WNOHANG) == processID { status = word }
        return status == nil
    }

    /// Waits until the output contains a text.
    func wait(for text: String, seconds: Int = 400) -> Bool {
        for _ in 0..<seconds * 10 {
            if output.contains(text) { return true }
            if !isRunning { break }
            usleep(100_000)
        }
        return output.contains(text)
    }

    /// Ends the program from outside, as a closed terminal would.
    func hangUp() { kill(processID, SIGHUP) }

    func finish(seconds: Int) throws -> Run {
        for _ in 0..<seconds * 20 where isRunning { usleep(50_000) }
        if isRunning {
            Issue.record("martlet did not end within \(seconds) seconds; its output ends:\n\(output.suffix(2000))")
            kill(processID, SIGKILL)
            var word: Int32 = 0
            unsafe waitpid(processID, &word, 0)
            status = word
        }
        let word = status ?? 0
        let signal = word & 0x7f
        return Run(code: signal == 0 ? word >> 8 & 0xff : 128 + signal, output: output, errors: Self.text(stem + ".err"))
    }

    private static func text(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }
}
