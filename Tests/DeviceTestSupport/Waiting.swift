import Glibc
import Synchronization

/// Waits until `condition` holds; false after many seconds.
public func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<100_000 {
        if try condition() { return true }
        usleep(100)
    }
    return false
}

/// Lines that somebody wrote on any thread.
public final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    public init() {}
    public func append(_ line: String) { lines.withLock { $0.append(line) } }
    public var all: [String] { lines.withLock { $0 } }
}

/// A directory of its own for one test; goes with its files.
public final class ScratchDirectory: Sendable {
    public let path: String

    public init() {
        var template = Array("/tmp/martlet-test-XXXXXX".utf8CString)
        path = unsafe template.withUnsafeMutableBufferPointer { unsafe String(cString: mkdtemp($0.baseAddress!)!) }
    }

    deinit {
        guard let directory = unsafe opendir(path) else { return }
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            unsafe unlink("\(path)/\(name)")
        }
        unsafe closedir(directory)
        unsafe rmdir(path)
    }

    /// A file of `byteCount` zeros.
    public func file(_ name: String, byteCount: Int) -> String {
        let file = "\(path)/\(name)"
        let descriptor = unsafe open(file, O_RDWR | O_CREAT | O_TRUNC, 0o600)
        precondition(descriptor >= 0 && ftruncate(descriptor, byteCount) == 0, "a test may make files")
        close(descriptor)
        return file
    }
}

/// Reads a part of a file; shorter where it ends.
public func contents(of path: String, at position: Int, _ count: Int) -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY)
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: count)
    let length = unsafe pread(descriptor, &bytes, count, position)
    return Array(bytes.prefix(max(0, length)))
}

/// Runs a shell command and returns what it printed, stderr included, and its exit code.
public func shell(_ command: String) -> (output: String, status: Int32) {
    guard let pipe = unsafe popen("( \(command) ) 2>&1", "r") else { return ("popen failed", -1) }
    var bytes: [UInt8] = []
    while case let byte = unsafe getc(pipe), byte != EOF { bytes.append(UInt8(byte)) }
    let status = unsafe pclose(pipe)
    return (String(decoding: bytes, as: UTF8.self), status >> 8)
}

/// Makes a file longer or shorter.
public func resizeFile(_ path: String, to byteCount: Int) {
    let code = unsafe truncate(path, byteCount)
    precondition(code == 0, "a test may change its files")
}
