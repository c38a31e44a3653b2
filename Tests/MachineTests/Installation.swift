import ControlProtocol
import Glibc
import TestSupport
import Testing

/// The programs as they are installed, a runtime directory and configurations of tiny guests.
struct Installation {
    let scratch: Scratch
    let runtime: String
    /// Of a guest "victim" that halts and waits.
    let configuration: String

    /// - Parameter runtime: the name of the runtime directory.
    init(_ scratch: Scratch? = nil, runtime: String = "run") throws {
        self.scratch = try scratch ?? Scratch()
        self.runtime = "\(self.scratch.path)/\(runtime)"
        configuration = try Self.configure("victim", Self.halting, in: self.scratch)
    }

    /// STI, HLT, and again.
    private static var halting: [UInt8] {
        var program = TinyProgram()
        program.add(0xfb, 0xf4, 0xeb, 0xfd)
        return program.bytes
    }

    private static func configure(_ name: String, _ code: [UInt8], in scratch: Scratch) throws -> String {
        let kernel = try scratch.write("\(name).kernel", ELFWriter.pvhKernel(bytes: code, memorySize: 0x4000).bytes())
        let text = "name=\"\(name)\"\ntype=\"pvh\"\nkernel=\"\(kernel)\"\nmemory=16\n"
        return try scratch.write("\(name).cfg", Array(text.utf8))
    }

    /// A configuration of a guest that executes this code.
    func configure(_ name: String, _ code: [UInt8]? = nil) throws -> String {
        try Self.configure(name, code ?? Self.halting, in: scratch)
    }

    /// A program that runs, and the file that gets what it prints.
    struct Running {
        let process: Int32
        let output: String

        /// Waits for its end.
        func wait() -> (code: Int32, output: String) {
            var status: Int32 = 0
            while unsafe waitpid(process, &status, 0) < 0, errno == EINTR {}
            return (status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f), Scratch.text(output))
        }
    }

    /// Starts `martlet`.
    func start(_ words: String...) throws -> Running {
        let output = "\(scratch.path)/output-\(UInt32.random(in: 0 ... .max))"
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        for number in 3..<Int32(64) { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
        let executable = Scratch.product("martlet")
        let arguments = unsafe ([executable] + words).map { unsafe strdup($0) } + [nil]
        let settings = ["MARTLET_RUNTIME_DIR=\(runtime)", "MARTLET_LOG_DIR=\(scratch.path)/log"]
        let variables = unsafe settings.map { unsafe strdup($0) } + [nil]
        defer { unsafe (arguments + variables).forEach { unsafe free($0) } }
        var child: Int32 = 0
        let code = unsafe posix_spawn(&child, executable, &actions, nil, arguments, variables)
        try #require(code == 0)
        return Running(process: child, output: output)
    }

    /// Runs `martlet` to its end.
    func run(_ verb: String, _ word: String? = nil) throws -> (code: Int32, output: String) {
        try (word.map { try start(verb, $0) } ?? start(verb)).wait()
    }

    /// The processes of guests below this runtime directory.
    var processes: [Int32] {
        Scratch.names(in: "/proc").compactMap { Int32($0) }.filter { Scratch.text("/proc/\($0)/cmdline").contains("\(runtime)/") }
    }

    /// The directories of guests.
    var guests: [String] { Scratch.names(in: runtime).filter { Int($0) != nil } }
}
