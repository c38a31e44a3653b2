internal import CNBD
internal import Glibc
internal import HostIO
internal import XenBus

/// An image in a format of QEMU's, read and written by a `qemu-nbd` of our own.
@safe
final class NBDImage: BlockImage, @unchecked Sendable {
    let byteCount: UInt64
    let sectorByteCount = 512
    let physicalSectorByteCount = 512
    let discardGranularity: Int?
    let deviceNumbers: (major: UInt32, minor: UInt32)? = nil
    /// How often another server takes the place of one that is gone: four times at once, then once in ten minutes.
    private static let revivals = 4
    private static let millisecondsPerRevival: Int64 = 600_000

    // The bus's thread uses these while no service runs, and the service's thread while one does.
    /// Nil once the image is closed or given up.
    private(set) var handle: OpaquePointer?
    private var server: NBDServer
    /// Over all connections of the guest's driver: a server may hold writes of an earlier one.
    var journal = WriteJournal()
    private var pace = Pace(now: monotonicMilliseconds(), burst: revivals, millisecondsPerLook: millisecondsPerRevival)
    private let configuration: BlockConfiguration

    /// Starts the program and talks to it.
    ///
    /// - Throws: ``BlockFailure`` that names the image and says what is wrong; no process is left then.
    init(_ configuration: BlockConfiguration) throws(BlockFailure) {
        self.configuration = configuration
        let (handle, server) = unsafe try Self.start(configuration)
        unsafe self.handle = handle
        self.server = server
        byteCount = unsafe UInt64(max(0, nbd_get_size(handle)))
        let canDiscard = unsafe configuration.allowsDiscard && !configuration.isReadOnly && nbd_can_trim(handle) == 1
        discardGranularity = canDiscard ? 65536 : nil
    }

    private static func start(_ configuration: BlockConfiguration) throws(BlockFailure) -> (OpaquePointer, NBDServer) {
        // Its own message for a missing file does not tell which disk it is for.
        guard unsafe access(configuration.path, configuration.isReadOnly ? R_OK : R_OK | W_OK) == 0 else {
            throw RawImage.failure(configuration, "cannot be opened", errno)
        }
        let server: NBDServer
        do throws(HostError) {
            server = try NBDServer(configuration)
        } catch {
            throw BlockFailure("\(configuration.name): qemu-nbd cannot be started: \(error)", remedy: "raise ulimit -n and -u")
        }
        guard let handle = unsafe nbd_create() else {
            throw BlockFailure("\(configuration.name): libnbd cannot start", remedy: "free some memory")
        }
        guard unsafe nbd_connect_socket(handle, fcntl(server.connection.rawValue, F_DUPFD_CLOEXEC, 0)) == 0 else {
            unsafe nbd_close(handle)
            throw Self.failure(configuration, server)
        }
        return unsafe (handle, server)
    }

    // MARK: - a server that is gone

    /// Why the server ended, in its own words; waits for its end.
    var lastWords: String { server.lastWords().message }

    /// Starts another server in place of one that is gone, and has it repeat what may be missing on the disk.
    ///
    /// - Returns: nil when that cannot be done, or was done too often.
    func revive() -> OpaquePointer? {
        abandon()
        guard pace.take(now: monotonicMilliseconds()) == nil else { return nil }
        let started: (OpaquePointer, NBDServer)
        do throws(BlockFailure) { unsafe started = try Self.start(configuration) } catch { return nil }
        unsafe handle = started.0
        unsafe server = started.1
        let isSame = unsafe UInt64(max(0, nbd_get_size(started.0))) == byteCount
        guard isSame, journal.changes.allSatisfy({ unsafe Self.repeats($0, started.0) }) else {
            abandon()
            return nil
        }
        return unsafe started.0
    }

    private static func repeats(_ change: WriteJournal.Change, _ handle: OpaquePointer) -> Bool {
        switch change {
        case .write(let position, let bytes): unsafe nbd_pwrite(handle, bytes, bytes.count, position, 0) == 0
        case .discard(let position, let byteCount): unsafe nbd_trim(handle, UInt64(byteCount), position, 0) == 0
        }
    }

    /// Lets go of the connection and ends the server.
    func abandon() {
        if let handle = unsafe handle { unsafe nbd_close(handle) }
        unsafe handle = nil
        shutdown(server.connection.rawValue, Int32(SHUT_RDWR))
        server.end()
    }

    deinit { close() }

    var isUsable: Bool { unsafe handle != nil && server.isRunning }

    private static func failure(_ configuration: BlockConfiguration, _ server: NBDServer) -> BlockFailure {
        shutdown(server.connection.rawValue, Int32(SHUT_RDWR))
        let (status, message) = server.lastWords()
        if status == 127 {
            return BlockFailure(
                "\(configuration.name): \(configuration.format.rawValue) images need the program qemu-nbd, which is not installed",
                remedy: "install the package qemu-utils, or use a raw image")
        }
        if message.contains("another process using the image") { return RawImage.inUse(configuration) }
        return BlockFailure(
            "\(configuration.name): \(configuration.path) cannot be used as \(configuration.format.rawValue): \(message)",
            remedy: "`qemu-img info` and `qemu-img check` tell what is in it")
    }

    func refreshSize() throws(BlockFailure) {
        throw BlockFailure(
            "\(configuration.name): only raw images can change their size while a guest uses them: qemu-nbd keeps \(configuration.path) locked",
            remedy: "shut the guest down, then: qemu-img resize \(configuration.path) SIZE")
    }

    func makeIO(reports: @escaping @Sendable (String) -> Void) throws(BlockFailure) -> any BlockIO {
        do throws(HostError) {
            return try NBDIO(self, reports: reports)
        } catch {
            throw BlockFailure("\(configuration.name): \(error)", remedy: "raise ulimit -n")
        }
    }

    /// The program has written everything when this returns.
    func close() {
        if let handle = unsafe handle { unsafe nbd_shutdown(handle, 0) }
        abandon()
    }
}
