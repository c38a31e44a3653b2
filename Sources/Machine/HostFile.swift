import ControlProtocol
import Glibc
import HostIO

/// Whole files of the host.
enum HostFile {
    /// Reads a regular file.
    ///
    /// - Parameters:
    ///   - key: the configuration's word for the file, for messages.
    ///   - limit: the most bytes it may have.
    ///   - limitReason: why it may not have more.
    ///   - limitRemedy: what to do then.
    /// - Throws: an error that names key and path.
    static func read(key: String, path: String, limit: Int, limitReason: String, limitRemedy: String) throws(OperatorError) -> [UInt8] {
        let subject = "\(key)=\"\(path)\""
        let remedy = "check the path in \(key)="
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard number >= 0 else {
            throw OperatorError("\(subject): \(SystemError.text(errno))", remedy: remedy, code: .creationFailed)
        }
        let file = Descriptor(number)
        var status = stat()
        guard unsafe fstat(number, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw OperatorError("\(subject): not a regular file", remedy: remedy, code: .creationFailed)
        }
        guard status.st_size <= limit else {
            throw OperatorError(
                "\(subject): the file has \(status.st_size) bytes; \(limitReason)", remedy: limitRemedy, code: .creationFailed)
        }
        return try readAll(file, Int(status.st_size), subject)
    }

    /// What the name of a file ends with that is not all written yet.
    static let unfinished = ".new"

    /// Writes a file of the owner's under another name and gives it its own at the end.
    ///
    /// - Throws: ``SystemError`` naming the path; what was there stays then.
    static func replace(_ path: String, with bytes: [UInt8]) throws(SystemError) {
        let temporary = path + unfinished
        let number = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw SystemError("write", path, errno: errno) }
        let code = Descriptor(number).writeAll(bytes[...]).code
        guard code == 0, unsafe rename(temporary, path) == 0 else {
            let code = code == 0 ? errno : code
            unsafe unlink(temporary)
            throw SystemError("write", path, errno: code)
        }
    }

    private static func readAll(_ file: Descriptor, _ byteCount: Int, _ subject: String) throws(OperatorError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, initialized in
            while initialized < byteCount {
                let count = unsafe Glibc.read(file.rawValue, buffer.baseAddress! + initialized, byteCount - initialized)
                if count < 0 && errno == EINTR { continue }
                if count < 0 { failure = errno }
                if count <= 0 { break }
                initialized += count
            }
        }
        guard failure == 0 else {
            throw OperatorError("\(subject): \(SystemError.text(failure))", code: .creationFailed)
        }
        return bytes
    }
}
