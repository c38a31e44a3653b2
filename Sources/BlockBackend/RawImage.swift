internal import CLinux
internal import Glibc
internal import HostIO
internal import Synchronization

/// A file or block device whose bytes are the disk's.
final class RawImage: BlockImage {
    let sectorByteCount: Int
    let physicalSectorByteCount: Int
    let discardGranularity: Int?
    let deviceNumbers: (major: UInt32, minor: UInt32)?
    /// The host's page cache is left out.
    let isDirect: Bool
    private let path: String
    private let method: BlockIOMethod
    private let size: Mutex<UInt64>
    /// Nil once the image is closed, and with it the lock is gone.
    private let file: Mutex<Descriptor?>

    /// O_DIRECT of `open(2)` on x86, which Glibc's module leaves out.
    private static let direct: Int32 = 0o40000

    /// Opens and locks an image.
    ///
    /// - Throws: ``BlockFailure`` that names the file: it is missing, may not be opened so, is no file, or somebody else uses it.
    init(_ configuration: BlockConfiguration) throws(BlockFailure) {
        path = configuration.path
        method = configuration.method
        let descriptor: Descriptor
        (descriptor, isDirect) = try Self.open(configuration)
        var status = stat()
        guard unsafe fstat(descriptor.rawValue, &status) == 0 else { throw Self.failure(configuration, "cannot be looked at", errno) }
        let isDevice = status.st_mode & S_IFMT == S_IFBLK
        guard isDevice || status.st_mode & S_IFMT == S_IFREG else {
            throw BlockFailure("\(configuration.name): \(path) is neither a file nor a block device", remedy: "name a disk image")
        }
        deviceNumbers = isDevice ? Self.numbers(of: status.st_rdev) : nil
        sectorByteCount = configuration.sectorByteCount ?? (isDevice ? Int(martlet_block_sector_size(descriptor.rawValue)) : 512)
        physicalSectorByteCount = isDevice ? max(sectorByteCount, Int(martlet_block_physical_size(descriptor.rawValue))) : sectorByteCount
        discardGranularity = configuration.allowsDiscard && !configuration.isReadOnly ? max(4096, physicalSectorByteCount) : nil
        guard sectorByteCount >= 512, sectorByteCount <= 4096, sectorByteCount & (sectorByteCount - 1) == 0 else {
            throw BlockFailure("\(configuration.name): \(path) has sectors of \(sectorByteCount) bytes", remedy: "use one with 512 or 4096")
        }
        try Self.lock(descriptor, configuration)
        file = Mutex(descriptor)
        size = Mutex(0)
        try refreshSize()
    }

    private static func open(_ configuration: BlockConfiguration) throws(BlockFailure) -> (Descriptor, isDirect: Bool) {
        let flags = (configuration.isReadOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC
        if configuration.isDirectIOSafe {
            let raw = unsafe Glibc.open(configuration.path, flags | direct)
            if raw >= 0 {
                let descriptor = Descriptor(raw)
                if takesSectors(descriptor) { return (descriptor, true) }
            }
        }
        let raw = unsafe Glibc.open(configuration.path, flags)
        guard raw >= 0 else { throw failure(configuration, "cannot be opened", errno) }
        return (Descriptor(raw), false)
    }

    /// Whether direct transfers of 512 bytes are possible; the guest may ask for them.
    private static func takesSectors(_ descriptor: Descriptor) -> Bool {
        let page = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 4096)
        defer { unsafe page.deallocate() }
        let wanted = max(512, Int(martlet_block_sector_size(descriptor.rawValue)))
        return unsafe pread(descriptor.rawValue, page + (4096 - wanted), wanted, off_t(wanted)) >= 0
    }

    /// Whoever let go of the image a moment ago may still hold it: a process that ends, or a child between fork and exec.
    private static func lock(_ descriptor: Descriptor, _ configuration: BlockConfiguration) throws(BlockFailure) {
        for _ in 0..<lockAttempts {
            guard ImageLock.take(descriptor.rawValue, writes: !configuration.isReadOnly) == .inUse else { return }
            usleep(lockPauseMicroseconds)
        }
        throw inUse(configuration)
    }

    private static let lockAttempts = 30
    private static let lockPauseMicroseconds: UInt32 = 10_000

    /// As `makedev(3)` packs them.
    private static func numbers(of device: dev_t) -> (major: UInt32, minor: UInt32) {
        let major = (device >> 8 & 0xfff) | (device >> 32 & ~0xfff)
        let minor = (device & 0xff) | (device >> 12 & ~0xff)
        return (UInt32(truncatingIfNeeded: major), UInt32(truncatingIfNeeded: minor))
    }

    static func inUse(_ configuration: BlockConfiguration) -> BlockFailure {
        BlockFailure(
            "\(configuration.name): \(configuration.path) is in use by another disk, guest or program",
            remedy: configuration.isReadOnly
                ? "end the one that writes to it, or give each a copy of its own"
                : "end the one that uses it, or give each guest a copy of its own (sharing needs access=ro on all sides)")
    }

    static func failure(_ configuration: BlockConfiguration, _ what: String, _ code: Int32) -> BlockFailure {
        let remedy =
            switch code {
            case ENOENT: "give the path of an image that exists; `truncate -s 8G FILE` makes an empty one"
            case EACCES, EPERM: "give this user the right to \(configuration.isReadOnly ? "read" : "read and write") it"
            case EROFS: "the file system is read-only: use access=ro"
            default: ""
            }
        return BlockFailure(
            "\(configuration.name): \(configuration.path) \(what): \(unsafe String(cString: strerror(code)))", remedy: remedy)
    }

    var byteCount: UInt64 { size.withLock { $0 } }
    var isUsable: Bool { file.withLock { $0 } != nil }

    private func descriptor() throws(BlockFailure) -> Descriptor {
        guard let descriptor = file.withLock({ $0 }) else { throw BlockFailure("\(path) is closed", remedy: "") }
        return descriptor
    }

    func refreshSize() throws(BlockFailure) {
        let end = lseek(try descriptor().rawValue, 0, SEEK_END)
        guard end >= 0 else {
            throw BlockFailure("\(path): its size cannot be found out: \(unsafe String(cString: strerror(errno)))", remedy: "")
        }
        size.withLock { $0 = UInt64(end) }
    }

    /// By io_uring, or by threads where the host forbids that (many containers do).
    func makeIO(reports: @escaping @Sendable (String) -> Void) throws(BlockFailure) -> any BlockIO {
        let descriptor = try descriptor()
        do throws(HostError) {
            if method != .threads {
                do throws(HostError) { return try URingIO(descriptor) } catch { if method == .ring { throw error } }
            }
            return try ThreadPoolIO(descriptor)
        } catch {
            throw BlockFailure("\(path): the host has nothing left to read it with: \(error)", remedy: "raise ulimit -n and -u")
        }
    }

    func close() { file.withLock { $0 = nil } }
}
