import ControlProtocol
import Glibc
import Testing
import Toolstack

/// A directory of one test with a runtime directory inside; removed with everything in it, guests included.
final class Scratch {
    let path: String
    let environment: Environment

    init(guest: String? = nil) throws {
        var template = Array("/tmp/martlet-test-XXXXXX".utf8CString)
        let made = unsafe mkdtemp(&template) != nil
        try #require(made)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        environment = Environment(
            variables: [
                "MARTLET_RUNTIME_DIR": path + "/run", "MARTLET_LOG_DIR": path + "/log",
                "MARTLET_GUEST": guest ?? Scratch.product("fake-guest"),
            ], userID: geteuid())
    }

    deinit {
        if let registry = try? GuestRegistry(directory: runtimeDirectory) {
            for guest in (try? registry.guests()) ?? [] { try? guest.destroy(graceMilliseconds: 1000) }
        }
        Scratch.remove(path)
    }

    var runtimeDirectory: String { path + "/run" }

    func registry() throws -> GuestRegistry { try GuestRegistry(directory: runtimeDirectory) }

    @discardableResult
    func write(_ name: String, _ text: String) -> String {
        let file = unsafe fopen("\(path)/\(name)", "w")
        let bytes = Array(text.utf8)
        let count = unsafe fwrite(bytes, 1, bytes.count, file)
        unsafe fclose(file)
        #expect(count == bytes.count)
        return "\(path)/\(name)"
    }

    func makeDirectory(_ name: String, mode: mode_t = 0o700) { unsafe mkdir("\(path)/\(name)", mode) }

    func exists(_ name: String) -> Bool { unsafe access("\(path)/\(name)", F_OK) == 0 }

    /// Starts a guest's process as `create` does, but without a pipe for its report.
    func spawnGuest(_ directory: String, lock: Int32) -> Int32 {
        let source = fcntl(lock, F_DUPFD_CLOEXEC, 16)
        defer { close(source) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, source, GuestLock.inheritedDescriptor)
        let executable = Scratch.product("fake-guest")
        let arguments = unsafe [strdup(executable), strdup(directory), nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var processID: Int32 = 0
        let result = unsafe posix_spawn(&processID, executable, &actions, nil, arguments, environ)
        #expect(result == 0)
        return processID
    }

    /// An executable built beside the tests.
    static func product(_ name: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return own.prefix(through: own.lastIndex(of: "/") ?? own.startIndex) + name
    }

    private static func remove(_ path: String) {
        if let stream = unsafe opendir(path) {
            while let entry = unsafe readdir(stream) {
                let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                    unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                if name != "." && name != ".." { remove("\(path)/\(name)") }
            }
            unsafe closedir(stream)
            unsafe rmdir(path)
        } else {
            unsafe unlink(path)
        }
    }
}

/// A run of the command line.
struct CommandRun {
    var code: Int32
    var output: String
    var errors: String

    /// The lines on standard error.
    var errorLines: [Substring] { errors.split(separator: "\n") }

    /// Runs `martlet` with these arguments in a scratch directory; standard input is `input`.
    static func martlet(_ arguments: [String], in scratch: Scratch, input: String = "", name: String = "martlet") throws -> CommandRun {
        try program(Scratch.product("martlet"), named: name, arguments, in: scratch, input: input)
    }

    /// Runs any program so.
    static func program(
        _ path: String, named name: String? = nil, _ arguments: [String], in scratch: Scratch, input: String = ""
    ) throws -> CommandRun {
        let stem = "command-\(UInt64.random(in: 0 ... .max))"
        let inputPath = scratch.write("\(stem).in", input)
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawn_file_actions_addopen(&actions, 0, inputPath, O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, "\(scratch.path)/\(stem).out", O_WRONLY | O_CREAT, 0o600)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "\(scratch.path)/\(stem).err", O_WRONLY | O_CREAT, 0o600)
        // The test's own thread may have all signals blocked.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var noSignals = sigset_t()
        unsafe sigemptyset(&noSignals)
        unsafe posix_spawnattr_setsigmask(&attributes, &noSignals)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let variables = scratch.environment.variables.map { "\($0)=\($1)" } + ["PATH=/usr/bin:/bin"]
        let argumentPointers = unsafe ([name ?? path] + arguments).map { unsafe strdup($0) } + [nil]
        let variablePointers = unsafe variables.map { unsafe strdup($0) } + [nil]
        defer { unsafe (argumentPointers + variablePointers).forEach { unsafe free($0) } }
        var processID: Int32 = 0
        let result = unsafe posix_spawn(&processID, path, &actions, &attributes, argumentPointers, variablePointers)
        unsafe posix_spawn_file_actions_destroy(&actions)
        try #require(result == 0)
        var status: Int32 = 0
        while unsafe waitpid(processID, &status, 0) < 0, errno == EINTR {}
        let code = status & 0x7f == 0 ? status >> 8 & 0xff : 1000 + status & 0x7f
        return CommandRun(
            code: code, output: String(decoding: try Files.read("\(scratch.path)/\(stem).out", limit: 1 << 26), as: UTF8.self),
            errors: String(decoding: try Files.read("\(scratch.path)/\(stem).err"), as: UTF8.self))
    }
}

/// A description for tests of the registry.
func guest(_ domainID: UInt16, name: String = "t", uuid: String = RandomUUID.make()) -> GuestDescription {
    GuestDescription(domainID: domainID, name: name, uuid: uuid, kernelPath: "/k", memoryKiB: 65536)
}
