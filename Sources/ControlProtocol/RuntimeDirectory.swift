internal import Glibc

/// The directory that holds the directories of one user's guests, each named by its domain ID.
///
/// Whoever makes, renames or removes a guest's directory, or hands out a domain ID, holds the lock of this directory meanwhile
/// (``GuestLock/take(directory:waiting:)``), so that names, UUIDs and domain IDs stay unique.
public enum RuntimeDirectory {
    /// `DOMID_FIRST_RESERVED` - 1 (Xen `public/xen.h`).
    public static let highestDomainID: UInt16 = 0x7fef
    /// The file that remembers the last domain ID handed out.
    public static let counterName = "last-domid"

    /// The domain ID a directory's name stands for. Only the canonical spelling of a number does.
    public static func domainID(named name: some StringProtocol) -> UInt16? {
        UInt16(name).flatMap { String($0) == name ? $0 : nil }
    }

    /// Hands out a domain ID. They go up and start over at 1 behind the last one, as Xen's do. Under the directory's lock.
    ///
    /// - Throws: ``SystemError``; `ENOSPC` when all are in use.
    public static func nextDomainID(in directory: String) throws(SystemError) -> UInt16 {
        let counter = "\(directory)/\(counterName)"
        var candidate = readNumber(counter) ?? 0
        for _ in 0..<highestDomainID {
            candidate = candidate >= highestDomainID ? 1 : candidate + 1
            if unsafe access("\(directory)/\(candidate)", F_OK) == 0 { continue }
            try write(candidate, to: counter)
            return candidate
        }
        throw SystemError("find a free domain ID in", directory, errno: ENOSPC)
    }

    private static func readNumber(_ path: String) -> UInt16? {
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        let file = FileDescriptor(owning: number)
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe read(file.number, &bytes, bytes.count)
        return count > 0 ? UInt16(String(decoding: bytes[..<count].prefix { $0 != 10 }, as: UTF8.self)) : nil
    }

    private static func write(_ value: UInt16, to path: String) throws(SystemError) {
        let temporary = path + ".new"
        let number = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw SystemError("write", path, errno: errno) }
        let file = FileDescriptor(owning: number)
        let bytes = Array("\(value)\n".utf8)
        guard unsafe Glibc.write(file.number, bytes, bytes.count) == bytes.count, unsafe rename(temporary, path) == 0 else {
            throw SystemError("write", path, errno: errno)
        }
    }
}
