public import ControlProtocol
internal import Glibc

/// The few file operations the toolstack needs, with errors that name the path.
public enum Files {
    /// The whole content of a regular file.
    ///
    /// - Throws: ``SystemError``; `EISDIR` for a directory, `EFBIG` beyond the limit.
    public static func read(_ path: String, limit: Int = 1 << 20) throws(SystemError) -> [UInt8] {
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("read", path, errno: errno) }
        let file = FileDescriptor(owning: number)
        var content: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe Glibc.read(file.number, &buffer, buffer.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw SystemError("read", path, errno: errno) }
            if count == 0 { return content }
            content += buffer[..<count]
            guard content.count <= limit else { throw SystemError("read", path, errno: EFBIG) }
        }
    }

    /// The first bytes of a file, fewer when it is shorter; nil when it cannot be read.
    static func start(of path: String, count: Int) -> [UInt8]? {
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else { return nil }
        let file = FileDescriptor(owning: number)
        var buffer = [UInt8](repeating: 0, count: count)
        let read = unsafe Glibc.read(file.number, &buffer, count)
        return read < 0 ? nil : Array(buffer[..<read])
    }

    /// Whether two paths lead to one file.
    static func isSame(_ one: String, _ other: String) -> Bool {
        var first = stat()
        var second = stat()
        return unsafe stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }

    /// Replaces a file in one step, readable by its owner only.
    static func write(_ path: String, _ content: [UInt8]) throws(SystemError) {
        let temporary = path + ".new"
        let number = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw SystemError("write", path, errno: errno) }
        let file = FileDescriptor(owning: number)
        try writeAll(file.number, content, subject: path)
        guard unsafe rename(temporary, path) == 0 else { throw SystemError("write", path, errno: errno) }
    }

    /// Writes everything to a blocking descriptor.
    static func writeAll(_ descriptor: Int32, _ content: [UInt8], subject: String) throws(SystemError) {
        var written = 0
        while written < content.count {
            let count = unsafe content.withUnsafeBytes { bytes in
                unsafe Glibc.write(descriptor, bytes.baseAddress! + written, bytes.count - written)
            }
            if count < 0 && errno == EINTR { continue }
            if count < 0 && errno == EAGAIN {
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&entry, 1, -1)
                continue
            }
            guard count > 0 else { throw SystemError("write", subject, errno: errno) }
            written += count
        }
    }

    /// The names in a directory, without "." and "..", in no order.
    static func names(in directory: String) throws(SystemError) -> [String] {
        guard let stream = unsafe opendir(directory) else { throw SystemError("open", directory, errno: errno) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }

    /// Removes a directory and the files in it; subdirectories are not expected and keep it.
    static func removeDirectory(_ path: String) {
        for name in (try? names(in: path)) ?? [] { unsafe unlink("\(path)/\(name)") }
        unsafe rmdir(path)
    }

    /// Makes a directory and those above it, each for its owner only.
    static func makeDirectories(_ path: String) throws(SystemError) {
        if unsafe mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
            throw SystemError("make directory", path, errno: errno)
        }
        try makeDirectories(String(path[..<slash]))
        guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else { throw SystemError("make directory", path, errno: errno) }
    }

    /// A path from the root; relative ones start at the working directory.
    static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let directory = unsafe getcwd(nil, 0) else { return path }
        defer { unsafe free(directory) }
        let here = unsafe String(cString: directory)
        return (here == "/" ? "" : here) + "/" + path
    }
}
