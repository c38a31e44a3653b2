import Bootloader
public import ControlProtocol
import Glibc

/// The runtime directory of one guest.
public struct GuestDirectory: Sendable {
    static let storeSocketName = "xenstored.sock"
    private static let configurationName = "config.json"

    public let path: String

    public init(_ path: String) { self.path = path }

    func path(of name: String) -> String { "\(path)/\(name)" }

    /// The runtime directory this one stands in; nil for a directory that is not named by its guest's domain ID.
    func parent(of domainID: UInt16) -> String? {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex, path[path.index(after: slash)...] == "\(domainID)" else {
            return nil
        }
        return String(path[..<slash])
    }

    /// Reads the description the creator left.
    ///
    /// - Throws: an error that names the file.
    public func readDescription() throws(OperatorError) -> GuestDescription {
        let file = path(of: GuestDescription.fileName)
        let bytes = try HostFile.read(
            key: "guest", path: file, limit: Frame.maximumByteCount, limitReason: "a guest's description is shorter",
            limitRemedy: "martlet and martlet-guest must be of the same version")
        do {
            return try GuestDescription(json: bytes)
        } catch {
            throw OperatorError(
                "\(file): \(error.sentence)", remedy: "martlet and martlet-guest must be of the same version", code: .creationFailed)
        }
    }

    /// Replaces the description; who reads it meanwhile gets the old one or the new one.
    ///
    /// - Throws: an error that names the file; the old one stands then.
    func write(_ description: GuestDescription) throws(OperatorError) {
        let file = path(of: GuestDescription.fileName)
        let bytes = description.json()
        do throws(SystemError) {
            guard bytes.count <= Frame.maximumByteCount else { throw SystemError("write", file, errno: EFBIG) }
            try HostFile.replace(file, with: bytes)
        } catch {
            throw OperatorError("the guest's description cannot be saved: \(error.sentence)", remedy: "make room where it stands")
        }
    }

    /// Copies the configuration for `list -l`, where there is one.
    ///
    /// - Throws: ``SystemError``.
    func copyConfiguration(to other: GuestDirectory) throws(SystemError) {
        let number = unsafe open(path(of: Self.configurationName), O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return }
        let file = FileDescriptor(owning: number)
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe read(file.number, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        try HostFile.replace(other.path(of: Self.configurationName), with: bytes)
    }

    /// Removes what belongs to a guest and the directory; the lock last, because it keeps others away.
    ///
    /// Whatever else somebody put there stays, and the directory with it.
    public func remove() {
        let names = [
            GuestDescription.fileName, GuestDescription.fileName + HostFile.unfinished, Self.configurationName, UnixSocket.controlName,
            UnixSocket.consoleName, Self.storeSocketName,
            GuestLock.fileName,
        ]
        BootloaderRun.removeLeftovers(in: path)
        for name in names { unsafe unlink(path(of: name)) }
        unsafe rmdir(path)
    }
}

/// A path for sockets in a directory that may have a long name, and may be renamed.
///
/// An address holds 107 bytes, and stays what it was at the bind. Therefore these paths go through the descriptor of the directory, as
/// `/proc/self/fd/N`.
final class SocketDirectory: Sendable {
    private let handle: FileDescriptor

    /// - Throws: ``SystemError`` when the directory cannot be opened.
    init(_ directory: String) throws(SystemError) {
        let number = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("open", directory, errno: errno) }
        handle = FileDescriptor(owning: number)
    }

    func path(of name: String) -> String { "/proc/self/fd/\(handle.number)/\(name)" }
}
