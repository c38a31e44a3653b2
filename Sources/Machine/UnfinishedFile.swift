import ControlProtocol
import Glibc
import HostIO

/// A large file that gets its name once it is whole.
///
/// It has no name before (O_TMPFILE), so that nothing is left when this process is killed. Where the file system has no such files it is
/// written as PATH.PID.new under a lock: whoever writes to the same path later removes those whose writer is gone.
struct UnfinishedFile {
    private let path: String
    private let descriptor: Descriptor
    /// Nil for a file without a name.
    private let name: String?

    /// `open(2)`: O_TMPFILE, which Glibc's module leaves out.
    private static let nameless = 0o20000000 | O_DIRECTORY

    /// - Parameter allowsNameless: false for a file system that has only files with names.
    /// - Throws: ``SystemError``; no file is left then.
    init(for path: String, allowsNameless: Bool = true) throws(SystemError) {
        self.path = path
        Self.removeAbandoned(path)
        let folder = Self.split(path).folder
        let number = allowsNameless ? unsafe open(folder, O_RDWR | O_CLOEXEC | Self.nameless, 0o600) : -1
        if number >= 0 {
            (descriptor, name) = (Descriptor(number), nil)
            return
        }
        let temporary = "\(path).\(getpid())\(HostFile.unfinished)"
        let named = unsafe open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard named >= 0 else { throw SystemError("write", path, errno: errno) }
        (descriptor, name) = (Descriptor(named), temporary)
        _ = flock(named, LOCK_EX | LOCK_NB)
    }

    /// Fills the file. An error of `body` removes it.
    func write(_ body: (Descriptor) throws(OperatorError) -> Void) throws(OperatorError) {
        do throws(OperatorError) { try body(descriptor) } catch {
            remove()
            throw error
        }
    }

    /// Gives the file its name, in place of what is there.
    ///
    /// - Throws: ``SystemError``; the file is gone then, and what was there stays.
    func finish() throws(SystemError) {
        let temporary = name ?? "\(path).\(getpid())\(HostFile.unfinished)"
        if name == nil {
            let source = "/proc/self/fd/\(descriptor.rawValue)"
            if unsafe linkat(AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0 { return }
            // Another file has the name: it is replaced by a renaming, for which this one needs a name first.
            guard errno == EEXIST, unsafe linkat(AT_FDCWD, source, AT_FDCWD, temporary, AT_SYMLINK_FOLLOW) == 0 else {
                throw SystemError("write", path, errno: errno)
            }
        }
        guard unsafe rename(temporary, path) == 0 else {
            let code = errno
            unsafe unlink(temporary)
            throw SystemError("write", path, errno: code)
        }
    }

    private func remove() { if let name { unsafe unlink(name) } }

    // MARK: - what others left

    private static func split(_ path: String) -> (folder: String, file: Substring) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path[...]) }
        return (slash == path.startIndex ? "/" : String(path[..<slash]), path[path.index(after: slash)...])
    }

    /// Removes files of this kind for the same path whose writer was killed.
    private static func removeAbandoned(_ path: String) {
        let (folder, file) = split(path)
        guard let stream = unsafe opendir(folder) else { return }
        defer { unsafe closedir(stream) }
        while let entry = unsafe readdir(stream) {
            let found = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            guard found.hasPrefix("\(file)."), found.hasSuffix(HostFile.unfinished),
                Int32(found.dropFirst(file.count + 1).dropLast(HostFile.unfinished.count)) != nil
            else { continue }
            removeIfAbandoned("\(folder)/\(found)")
        }
    }

    private static func removeIfAbandoned(_ path: String) {
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard number >= 0 else { return }
        let file = Descriptor(number)
        if flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 { unsafe unlink(path) }
    }
}
