import ControlProtocol
import Glibc
import HostIO

/// The directory and the process of a guest that takes the place of a preserved one.
struct Successor: Sendable {
    let place: GuestDirectory
    private let description: GuestDescription
    /// Its lock, held until the process has taken it over.
    private let lock: Descriptor

    /// Makes the directory, with its lock held. Under the lock of the runtime directory.
    ///
    /// - Throws: ``SystemError``; there is no directory then.
    init(_ description: GuestDescription, in parent: String, like old: GuestDirectory) throws(SystemError) {
        self.description = description
        place = GuestDirectory("\(parent)/\(description.domainID)")
        guard unsafe mkdir(place.path, 0o700) == 0 else { throw SystemError("make directory", place.path, errno: errno) }
        do throws(SystemError) {
            lock = Descriptor(try GuestLock.take(directory: place.path, waiting: true).release())
            try HostFile.replace(place.path(of: GuestDescription.fileName), with: description.json())
            try old.copyConfiguration(to: place)
        } catch {
            place.remove()
            throw error
        }
    }

    /// Starts the process.
    ///
    /// - Throws: an error; the directory is gone then.
    func start() throws(OperatorError) -> SuccessorProcess {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw failure(SystemError.text(errno)) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let (report, reportEnd) = (Descriptor(ends[0]), Descriptor(ends[1]))
        var processID: Int32 = 0
        let code = spawn(&processID, reportEnd)
        guard code == 0 else { throw failure(SystemError.text(code)) }
        return SuccessorProcess(processID: processID, report: report, directory: place.path)
    }

    private func failure(_ why: String) -> OperatorError {
        place.remove()
        return OperatorError("the process of the new guest cannot be started: \(why)", code: .creationFailed)
    }

    private func spawn(_ processID: inout Int32, _ report: Descriptor) -> Int32 {
        // Copies above the numbers the child is to see.
        let sources = [report.rawValue, lock.rawValue].map { Descriptor(fcntl($0, F_DUPFD_CLOEXEC, 16)) }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, sources[0].rawValue, StartupReport.fileDescriptor)
        unsafe posix_spawn_file_actions_adddup2(&actions, sources[1].rawValue, GuestLock.inheritedDescriptor)
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        let newSession: Int32 = 0x80  // POSIX_SPAWN_SETSID, which the headers hide without _GNU_SOURCE
        unsafe posix_spawnattr_setflags(&attributes, Int16(newSession))
        // By its path: the words of a process tell which program it is.
        let executable = Self.executable
        let arguments = unsafe [strdup(executable), strdup(place.path), nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        defer { extendLifetime(sources) }
        return unsafe posix_spawn(&processID, "/proc/self/exe", &actions, &attributes, arguments, environ)
    }

    private static var executable: String {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe buffer.withUnsafeMutableBytes { unsafe readlink("/proc/self/exe", $0.baseAddress!, $0.count) }
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : "martlet-guest"
    }
}

/// A child of ours that runs a guest.
struct SuccessorProcess {
    let processID: Int32
    let report: Descriptor
    let directory: String

    /// Waits until the guest is built and lets it run.
    ///
    /// - Throws: what the process reports, or that it died; nothing is left of the guest then.
    func unpause() throws(OperatorError) {
        var bytes: [UInt8] = []
        while case .bytes = report.read(into: &bytes, limit: 4096) {}
        let line = bytes.split(separator: UInt8(ascii: "\n")).first.map(Array.init) ?? []
        switch try? Frame.decode(StartupReport.self, from: line) {
        case .ready: break
        case .error(let error):
            collectWhenOver()
            throw error
        case nil:
            collectWhenOver()
            throw OperatorError("its process ended before the guest was ready", code: .creationFailed)
        }
        do {
            var client = try ControlClient(directory: directory)
            _ = try client.ask(.unpause)
        } catch {
            throw OperatorError("the new guest does not answer: \(error)", code: .creationFailed)
        }
    }

    /// Takes the process's exit code whenever that comes, so that no zombie stays; a thread waits for it.
    func collectWhenOver() {
        let processID = processID
        // Without a thread the zombie stays as long as this process does.
        _ = try? HostThread(stackByteCount: 64 << 10) {
            var status: Int32 = 0
            while unsafe waitpid(processID, &status, 0) < 0, errno == EINTR {}
        }
    }
}
