import BlockBackend
import DeviceTestSupport
import Glibc
import XenBus

/// A guest with one disk on its bus, and a frontend for it.
final class BlockBench {
    static let id: UInt32 = 51712
    let directory = ScratchDirectory()
    let guest: TestGuest
    let bus: DeviceBus
    let device: BlockDevice
    let frontend: BlockFrontend
    let log = Lines()
    let path: String

    init(
        _ options: FrontendOptions = FrontendOptions(), byteCount: Int = 16 << 20,
        _ configure: (inout BlockConfiguration) -> Void = { _ in }
    ) throws {
        let guest = try TestGuest()
        let log = log
        path = directory.file("disk.img", byteCount: byteCount)
        var configuration = BlockConfiguration(name: "xvda", deviceNumber: Self.id, path: path)
        configuration.queueLimit = 4
        configuration.socketPath = "\(directory.path)/xvda.nbd"
        configure(&configuration)
        device = try BlockDevice(configuration, guest: guest.access) { log.append($0) }
        bus = try DeviceBus(domain: TestGuest.domainID, store: guest.store) { log.append($0) }
        try bus.start()
        try bus.attach(device)
        frontend = BlockFrontend(guest, id: Self.id, options)
        self.guest = guest
    }

    deinit { bus.stop() }

    /// A connected one.
    static func connected(
        _ options: FrontendOptions = FrontendOptions(), byteCount: Int = 16 << 20,
        _ configure: (inout BlockConfiguration) -> Void = { _ in }
    ) throws -> BlockBench {
        let bench = try BlockBench(options, byteCount: byteCount, configure)
        guard try bench.frontend.connect() else { throw BenchError.notConnected(bench.log.all, bench.frontend.backendState) }
        return bench
    }

    enum BenchError: Error { case notConnected([String], String?) }

    /// Granted pages with bytes of a pattern.
    func pages(_ count: Int, seed: UInt8, readOnly: Bool = false) -> [(address: UInt64, reference: UInt32)] {
        (0..<count).map { index in
            let address = guest.takePage()
            guest.write(Self.pattern(seed &+ UInt8(truncatingIfNeeded: index)), at: address)
            return (address, guest.grant(address, readOnly: readOnly))
        }
    }

    static func pattern(_ seed: UInt8) -> [UInt8] { (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 / 256) &+ seed } }

    func onDisk(sector: Int, _ count: Int) -> [UInt8] { contents(of: path, at: sector * 512, count) }

    func ok(_ operation: UInt8, _ id: UInt64) -> BlockFrontend.Response { .init(id: id, operation: operation, status: 0) }
    func failed(_ operation: UInt8, _ id: UInt64) -> BlockFrontend.Response { .init(id: id, operation: operation, status: -1) }
    func unsupported(_ operation: UInt8, _ id: UInt64) -> BlockFrontend.Response { .init(id: id, operation: operation, status: -2) }
}
