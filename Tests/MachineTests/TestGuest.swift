import ControlProtocol
import Glibc
import HostIO
import Machine
import Synchronization
import TestSupport
import Testing

/// A directory of its own for one test; goes with its files.
final class Scratch {
    let path: String

    init(name: String = "") throws {
        var template = Array("/tmp/martlet-test-XXXXXX".utf8CString)
        try #require(unsafe mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { Self.remove(path) }

    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let target = "\(path)/\(name)"
        let number = unsafe open(target, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        try #require(number >= 0)
        #expect(Descriptor(number).writeAll(bytes[...]).code == 0)
        return target
    }

    static func text(_ path: String) -> String {
        let number = unsafe open(path, O_RDONLY)
        guard number >= 0 else { return "" }
        let file = Descriptor(number)
        var bytes: [UInt8] = []
        while case .bytes = file.read(into: &bytes, limit: 1 << 16) {}
        return String(decoding: bytes, as: UTF8.self)
    }

    static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    static func names(in path: String) -> [String] {
        guard let stream = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    private static func remove(_ path: String) {
        for name in names(in: path) { remove("\(path)/\(name)") }
        if unsafe rmdir(path) != 0 { unsafe unlink(path) }
    }

    /// An executable built beside the tests.
    static func product(_ name: String) -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return own.prefix(through: own.lastIndex(of: "/") ?? own.startIndex) + name
    }
}

/// Waits until `condition` holds; false after many seconds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<20_000 {
        if try condition() { return true }
        usleep(1000)
    }
    return false
}

/// A small guest in a directory of its own.
struct TestGuest {
    let scratch: Scratch
    var description: GuestDescription
    var directory: String

    /// - Parameter code: what stands at 1 MiB and is the entry point.
    init(code: [UInt8] = [0xf4], nested: String = "guest") throws {
        scratch = try Scratch()
        directory = "\(scratch.path)/\(nested)"
        var made = scratch.path
        for part in nested.split(separator: "/") {
            made += "/\(part)"
            try #require(unsafe mkdir(made, 0o700) == 0)
        }
        let kernel = try scratch.write("kernel", ELFWriter.pvhKernel(bytes: code, memorySize: 0x4000).bytes())
        description = GuestDescription(
            domainID: 7, name: "tiny", uuid: "fe8b3e28-975f-41a7-935a-c6a65c3ad058", kernelPath: kernel, memoryKiB: 8 << 10)
        description.logPath = "\(scratch.path)/log"
        description.consoleLogPath = "\(scratch.path)/console.log"
    }

    var log: String { Scratch.text("\(scratch.path)/log") }
    var consoleLog: String { Scratch.text("\(scratch.path)/console.log") }

    func start(script: @escaping ScriptedCPU.Script) throws -> RunningGuest {
        try start { ScriptedCPU($0, $1, $2, script) }
    }

    func start(_ makeEngine: EngineFactory? = nil) throws -> RunningGuest {
        let machine = try Machine(
            description, directory: GuestDirectory(directory), log: GuestLog(path: description.logPath), makeEngine: makeEngine)
        return try RunningGuest(machine, directory, scratch)
    }
}

/// A machine on a thread of its own.
final class RunningGuest: @unchecked Sendable {
    private let machine: Machine
    private let directory: String
    /// Its directory stays as long as it runs.
    private let scratch: Scratch
    private let result = Mutex<GuestEnd?>(nil)
    private var thread: HostThread?

    init(_ machine: Machine, _ directory: String, _ scratch: Scratch) throws {
        self.scratch = scratch
        self.machine = machine
        self.directory = directory
        thread = try HostThread { [self] in
            let end = self.machine.run()
            result.withLock { $0 = end }
        }
    }

    var end: GuestEnd? { result.withLock { $0 } }

    func ask(_ request: ControlRequest) throws -> ControlReply {
        var client = try ControlClient(directory: directory)
        return try client.ask(request)
    }

    var status: GuestStatus {
        get throws {
            guard case .status(let status) = try ask(.status) else { throw ControlClientError.malformed("no status") }
            return status
        }
    }

    /// Waits for the end; nil when it does not come.
    func join() -> GuestEnd? {
        guard eventually({ end != nil }) else { return nil }
        thread?.join()
        thread = nil
        return end
    }
}
