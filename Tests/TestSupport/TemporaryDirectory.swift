import Glibc

/// A directory of its own for one test; goes with everything in it. Its path is short enough for sockets.
public final class TemporaryDirectory: Sendable {
    public let path: String

    public init() {
        var template = Array("/tmp/martlet-test-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { fatalError("no directory can be made in /tmp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { TestFiles.remove(path) }

    /// Writes a file below the directory and returns its path.
    @discardableResult
    public func write(_ name: String, _ text: String) -> String {
        TestFiles.write("\(path)/\(name)", Array(text.utf8))
        return "\(path)/\(name)"
    }
}

/// Files as tests need them; what cannot be done stops the run.
public enum TestFiles {
    public static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// The permission bits, nil where there is no file.
    public static func mode(_ path: String) -> UInt32? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    /// All bytes of a file, nil where there is none.
    public static func bytes(_ path: String) -> [UInt8]? {
        guard let file = unsafe fopen(path, "r") else { return nil }
        defer { unsafe fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = unsafe fread(&chunk, 1, chunk.count, file), count > 0 { bytes += chunk[..<count] }
        return bytes
    }

    public static func write(_ path: String, _ bytes: [UInt8]) {
        guard let file = unsafe fopen(path, "w") else { fatalError("\(path) cannot be written") }
        let count = unsafe fwrite(bytes, 1, bytes.count, file)
        guard unsafe fclose(file) == 0, count == bytes.count else { fatalError("\(path) cannot be written") }
    }

    /// The bytes of a file in the folder `Fixtures` beside the test that asks.
    public static func fixture(_ name: String, beside source: String = #filePath) -> [UInt8] {
        let path = source.prefix(through: source.lastIndex(of: "/")!) + "Fixtures/" + name
        guard let bytes = bytes(String(path)) else { fatalError("there is no fixture \(path)") }
        return bytes
    }

    /// The same as text.
    public static func fixtureText(_ name: String, beside source: String = #filePath) -> String {
        String(decoding: fixture(name, beside: source), as: UTF8.self)
    }

    /// A path in the repository's top folder.
    public static func inRepository(_ path: String, from source: String = #filePath) -> String {
        source.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/" + path
    }

    /// The names in a directory, sorted.
    public static func names(in path: String) -> [String] {
        guard let stream = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes a file, or a directory with all in it.
    public static func remove(_ path: String) {
        if unsafe unlink(path) == 0 { return }
        for name in names(in: path) { remove(path + "/" + name) }
        unsafe rmdir(path)
    }
}

/// Runs a shell command and returns what it printed, stderr included, and its exit code.
public func shell(_ command: String) -> (output: String, status: Int32) {
    guard let pipe = unsafe popen("( \(command)\n) 2>&1", "r") else { return ("popen failed", -1) }
    var bytes: [UInt8] = []
    while case let byte = unsafe getc(pipe), byte != EOF { bytes.append(UInt8(byte)) }
    let status = unsafe pclose(pipe)
    return (String(decoding: bytes, as: UTF8.self), status >> 8)
}

/// Whether a program is installed.
public func hasProgram(_ name: String) -> Bool { shell("command -v \(name)").status == 0 }
