import ControlProtocol
import Glibc
import HostIO
import TestSupport
import Testing

@testable import Machine

/// A `martlet-guest` process as `martlet create` starts it.
final class GuestChild {
    let processID: Int32
    let report: Descriptor
    private var hasEnded = false

    init(_ guest: TestGuest, description: [UInt8]? = nil, isOrphan: Bool = false, place: String = "guest") throws {
        _ = try guest.scratch.write("\(place)/guest.json", description ?? guest.description.json())
        _ = try guest.scratch.write("\(place)/config.json", [])
        let lock = try GuestLock.take(directory: guest.directory, waiting: false)
        var ends: [Int32] = [-1, -1]
        try #require(unsafe pipe(&ends) == 0)
        let sources = [ends[1], lock.number].map { fcntl($0, F_DUPFD_CLOEXEC, 16) }
        for number in ends { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[1]) }
        report = Descriptor(isOrphan ? unsafe open("/dev/null", O_RDONLY | O_CLOEXEC) : ends[0])
        // Without a reader the report cannot be written.
        if isOrphan { close(ends[0]) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "\(guest.scratch.path)/errors", O_WRONLY | O_CREAT, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, sources[0], StartupReport.fileDescriptor)
        unsafe posix_spawn_file_actions_adddup2(&actions, sources[1], GuestLock.inheritedDescriptor)
        // A child keeps nothing of what the test runner inherited, such as locks.
        for number in 5..<Int32(64) { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
        let executable = Scratch.product("martlet-guest")
        let arguments = unsafe [strdup(executable), strdup(guest.directory), nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var child: Int32 = 0
        let result = unsafe posix_spawn(&child, executable, &actions, nil, arguments, environ)
        for number in sources { close(number) }
        try #require(result == 0)
        processID = child
    }

    /// A test that fails leaves no process.
    deinit {
        guard !hasEnded else { return }
        kill(processID, SIGKILL)
        _ = wait()
    }

    func readReport() throws -> StartupReport {
        var bytes: [UInt8] = []
        while case .bytes = report.read(into: &bytes, limit: 4096) {}
        #expect(bytes.last == UInt8(ascii: "\n"))
        return try Frame.decode(StartupReport.self, from: Array(bytes.dropLast()))
    }

    /// Waits for the process's end and returns its exit code.
    func wait() -> Int32 {
        var status: Int32 = 0
        while unsafe waitpid(processID, &status, 0) < 0, errno == EINTR {}
        hasEnded = true
        return status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
    }
}

@Suite("The process of a guest") struct ProcessTests {
    @Test("It reports that it is ready, holds its lock, and ends without a trace when it is destroyed")
    func life() throws {
        let guest = try TestGuest()
        let child = try GuestChild(guest)
        #expect(try child.readReport() == .ready(.init(processID: child.processID, engine: try EngineKind(.auto, tell: { _ in }).rawValue)))
        #expect(try GuestLock.isHeld(directory: guest.directory))
        #expect(
            Scratch.names(in: guest.directory)
                == ["config.json", "console.sock", "control.sock", "guest.json", "lock", "xenstored.sock"])
        var client = try ControlClient(directory: guest.directory)
        #expect(try client.ask(.hello) == .hello(domainID: 7, name: "tiny"))
        try client.send(.wait)
        #expect(try client.ask(.destroy) == .ok)
        #expect(try client.receive() == .ended(.destroyed))
        #expect(child.wait() == 0)
        #expect(!Scratch.exists(guest.directory))
    }

    @Test("A signal destroys the guest in order", arguments: [SIGTERM, SIGINT])
    func signal(number: Int32) throws {
        let guest = try TestGuest()
        let child = try GuestChild(guest)
        _ = try child.readReport()
        var client = try ControlClient(directory: guest.directory)
        try client.send(.wait)
        #expect(try client.ask(.hello) == .hello(domainID: 7, name: "tiny"))
        kill(child.processID, number)
        #expect(try client.receive() == .ended(.destroyed))
        #expect(child.wait() == 0)
        #expect(!Scratch.exists(guest.directory))
    }

    @Test("A guest that cannot be built is reported with cause and remedy; nothing stays")
    func refusal() throws {
        var guest = try TestGuest()
        guest.description.kernelPath = "/nowhere/kernel"
        let child = try GuestChild(guest)
        guard case .error(let error) = try child.readReport() else {
            Issue.record("no error was reported")
            return
        }
        #expect(error.cause.contains("/nowhere/kernel") && !error.remedy.isEmpty)
        #expect(child.wait() == ExitCode.creationFailed.rawValue)
        #expect(!Scratch.exists(guest.directory))
        #expect(guest.log.contains("/nowhere/kernel"))
    }

    @Test(
        "A description it cannot read is reported",
        arguments: [("{}", "guest.json"), ("", "guest.json"), ("{\"engine\":\"warp\"", "guest.json")])
    func badDescription(text: String, cause: String) throws {
        let guest = try TestGuest()
        let child = try GuestChild(guest, description: Array(text.utf8))
        guard case .error(let error) = try child.readReport() else {
            Issue.record("no error was reported")
            return
        }
        #expect(error.cause.contains(cause))
        #expect(child.wait() != 0)
        #expect(!Scratch.exists(guest.directory))
    }

    @Test("An engine that does not exist is refused with the names of those that do")
    func unknownEngine() throws {
        let guest = try TestGuest()
        let text = String(decoding: guest.description.json(), as: UTF8.self).replacing("\"auto\"", with: "\"warp\"")
        let child = try GuestChild(guest, description: Array(text.utf8))
        guard case .error(let error) = try child.readReport() else {
            Issue.record("no error was reported")
            return
        }
        #expect(error.cause.contains("warp") && error.cause.contains("interpreter"))
        #expect(child.wait() != 0)
    }

    @Test("When its creator is gone it ends, and nothing stays")
    func orphan() throws {
        let guest = try TestGuest()
        let child = try GuestChild(guest, isOrphan: true)
        #expect(child.wait() == ExitCode.creationFailed.rawValue)
        #expect(!Scratch.exists(guest.directory))
    }

    @Test("A wrong command line is explained", arguments: [[], ["a", "b"]] as [[String]])
    func usage(arguments: [String]) throws {
        let executable = Scratch.product("martlet-guest")
        let scratch = try Scratch()
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 2, "\(scratch.path)/errors", O_WRONLY | O_CREAT, 0o600)
        let pointers = unsafe ([executable] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe pointers.forEach { unsafe free($0) } }
        var child: Int32 = 0
        try #require(unsafe posix_spawn(&child, executable, &actions, nil, pointers, environ) == 0)
        var status: Int32 = 0
        while unsafe waitpid(child, &status, 0) < 0, errno == EINTR {}
        #expect(status >> 8 & 0xff == ExitCode.usage.rawValue)
        #expect(Scratch.text("\(scratch.path)/errors").contains("usage: martlet-guest DIRECTORY"))
    }
}
