internal import Glibc

/// Keeps two writers, or a writer and a reader, from one image, across programs.
///
/// Advisory locks of single bytes far beyond any header, placed as QEMU places its own, so that its programs and ours see each other: a
/// lock on byte 100 + n says "I do n", one on byte 200 + n says "nobody else may do n". They belong to the open file and go with it.
///
/// Reference: QEMU `docs/system/qemu-block-drivers.rst`, "Disk image file locking".
enum ImageLock {
    enum Verdict: Equatable {
        case taken
        case inUse
        /// The file system has no locks.
        case impossible(Int32)
    }

    private static let readByte: off_t = 100
    private static let writeByte: off_t = 101
    private static let noWritersByte: off_t = 201
    private static let noReadersByte: off_t = 200
    /// F_OFD_GETLK and F_OFD_SETLK of `fcntl(2)`.
    private static let getLock: Int32 = 36
    private static let setLock: Int32 = 37

    /// Locks an open image until it is closed.
    static func take(_ descriptor: Int32, writes: Bool) -> Verdict {
        for byte in (writes ? [readByte, writeByte, noWritersByte] : [readByte, noWritersByte]) {
            var range = lock(byte, F_RDLCK)
            guard unsafe fcntl(descriptor, setLock, &range) == 0 else {
                return errno == EAGAIN || errno == EACCES ? .inUse : .impossible(errno)
            }
        }
        for byte in (writes ? [writeByte, noWritersByte, noReadersByte] : [writeByte, noReadersByte]) {
            var range = lock(byte, F_WRLCK)
            guard unsafe fcntl(descriptor, getLock, &range) == 0 else { return .impossible(errno) }
            guard range.l_type == Int16(F_UNLCK) else { return .inUse }
        }
        return .taken
    }

    private static func lock(_ byte: off_t, _ type: Int32) -> flock {
        flock(l_type: Int16(type), l_whence: Int16(SEEK_SET), l_start: byte, l_len: 1, l_pid: 0)
    }
}
