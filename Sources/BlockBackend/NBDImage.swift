internal import CNBD
internal import Glibc
internal import HostIO

/// An image in a format of QEMU's, read and written by a `qemu-nbd` of our own.
@safe
final class NBDImage: BlockImage, @unchecked Sendable {
    let byteCount: UInt64
    let sectorByteCount = 512
    let physicalSectorByteCount = 512
    let discardGranularity: Int?
    let deviceNumbers: (major: UInt32, minor: UInt32)? = nil
    private let handle: OpaquePointer
    private let server: NBDServer
    private let name: String
    private let log: @Sendable (String) -> Void
    private var isClosed = false

    /// Starts the program and talks to it.
    ///
    /// - Throws: ``BlockFailure`` that names the image and says what is wrong; no process is left then.
    init(_ configuration: BlockConfiguration, log: @escaping @Sendable (String) -> Void) throws(BlockFailure) {
        name = configuration.name
        self.log = log
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
        guard unsafe nbd_connect_socket(handle, dup(server.connection.rawValue)) == 0 else {
            unsafe nbd_close(handle)
            throw Self.failure(configuration, server)
        }
        self.server = server
        unsafe self.handle = handle
        byteCount = unsafe UInt64(max(0, nbd_get_size(handle)))
        let canDiscard = unsafe configuration.allowsDiscard && !configuration.isReadOnly && nbd_can_trim(handle) == 1
        discardGranularity = canDiscard ? 65536 : nil
    }

    deinit { close() }

    var isUsable: Bool { !isClosed && server.isRunning }

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
        throw BlockFailure("\(name): only raw images can change their size while a guest uses them", remedy: "shut the guest down first")
    }

    func makeIO(reports: @escaping @Sendable (String) -> Void) throws(BlockFailure) -> any BlockIO {
        do throws(HostError) {
            return unsafe try NBDIO(handle) { [server] in
                reports("qemu-nbd is gone, and with it the image: \(server.lastWords().message)")
            }
        } catch {
            throw BlockFailure("\(name): \(error)", remedy: "raise ulimit -n")
        }
    }

    /// The program has written everything when this returns.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        unsafe nbd_shutdown(handle, 0)
        unsafe nbd_close(handle)
        shutdown(server.connection.rawValue, Int32(SHUT_RDWR))
        server.end()
    }
}
