internal import HostIO
public import PVRing
internal import Synchronization
internal import XenABI
public import XenBus

/// A virtual block device: an image, offered to the guest by blkif.
///
/// Reference: Xen `public/io/blkif.h`.
public final class BlockDevice: DeviceBackend {
    public let kind = "vbd"
    public var id: UInt32 { configuration.deviceNumber }
    public let configuration: BlockConfiguration
    private let guest: any GuestAccess
    private let image: any BlockImage
    private let identity: FileIdentity?
    private let shelf: ImageShelf?
    private let counters = BlockCounters()
    private let log: @Sendable (String) -> Void
    private let guestLog: PacedLog
    private let connected = Mutex<Service?>(nil)

    private struct Service: Sendable {
        var service: BlockService
        var ports: [UInt32]
    }

    /// Opens and locks the image.
    ///
    /// - Parameters:
    ///   - shelf: has the image, perhaps, from an earlier life of the guest, and may get it for the next.
    ///   - log: gets a line for what an operator should know of; from any thread.
    /// - Throws: ``BlockFailure`` that names the image; nothing is open then.
    public init(
        _ configuration: BlockConfiguration, guest: any GuestAccess, shelf: ImageShelf? = nil, log: @escaping @Sendable (String) -> Void
    ) throws(BlockFailure) {
        self.configuration = configuration
        self.guest = guest
        self.log = log
        guestLog = PacedLog(log)
        self.shelf = shelf
        if let kept = shelf?.take(configuration) {
            image = kept
            // Other formats than raw cannot change their size meanwhile.
            if configuration.format == .raw { try image.refreshSize() }
        } else if configuration.path.isEmpty {
            image = EmptyDrive()
        } else {
            image = configuration.format == .raw ? try RawImage(configuration) : try NBDImage(configuration)
        }
        identity = FileIdentity(configuration.path)
    }

    public var statistics: DeviceStatistics { counters.statistics }

    // MARK: - nodes

    public var frontendNodes: [(name: String, value: String)] {
        [
            ("virtual-device", "\(id)"), ("device-type", configuration.isCDROM ? "cdrom" : "disk"),
            ("trusted", configuration.isTrusted ? "1" : "0"),
        ]
    }

    public var backendNodes: [(name: String, value: String)] {
        let isPhysical = configuration.backendType == "phy"
        let path = configuration.path
        var nodes = [("params", isPhysical ? path : "\(configuration.format.label):\(path)")]
        if isPhysical { nodes.append(("script", configuration.script ?? "/etc/xen/scripts/block")) }
        nodes += [
            ("removable", configuration.isCDROM ? "1" : "0"), ("bootable", "1"), ("dev", configuration.name),
            ("type", configuration.backendType), ("mode", configuration.isReadOnly ? "r" : "w"),
            ("device-type", configuration.isCDROM ? "cdrom" : "disk"), ("discard-enable", configuration.allowsDiscard ? "1" : "0"),
            ("specification", "xen"),
        ]
        if configuration.isDirectIOSafe { nodes.append(("direct-io-safe", "1")) }
        return nodes
    }

    public func features() -> [(name: String, value: String)] {
        var nodes = [
            ("feature-max-indirect-segments", "\(BlockRequest.indirectSegmentLimit)"),
            ("multi-queue-max-queues", "\(configuration.queueLimit)"), ("max-ring-page-order", "\(BlockConnection.pageOrderLimit)"),
        ]
        if let (major, minor) = image.deviceNumbers {
            nodes.append(("physical-device", "\(String(major, radix: 16)):\(String(minor, radix: 16))"))
            nodes.append(("physical-device-path", configuration.path))
        }
        return nodes + [("hotplug-status", "connected")]
    }

    private var connectedNodes: [(name: String, value: String)] {
        var nodes = [("feature-flush-cache", "1")]
        if let granularity = image.discardGranularity {
            nodes += [
                ("discard-granularity", "\(granularity)"), ("discard-alignment", "0"), ("discard-secure", "0"), ("feature-discard", "1"),
            ]
        }
        nodes += [("feature-barrier", "1"), ("feature-persistent", "1"), sizeNode, ("info", "\(information)")]
        return nodes + [("sector-size", "\(image.sectorByteCount)"), ("physical-sector-size", "\(image.physicalSectorByteCount)")]
    }

    private var sizeNode: (String, String) { ("sectors", "\(image.byteCount >> 9)") }

    /// VDISK_CDROM, VDISK_REMOVABLE, VDISK_READONLY.
    private var information: Int { (configuration.isCDROM ? 3 : 0) | (configuration.isReadOnly ? 4 : 0) }

    // MARK: - connecting

    public func connect(_ frontend: DeviceNodes) throws(DeviceFailure) -> [(name: String, value: String)] {
        let connection = try BlockConnection(frontend, queueLimit: configuration.queueLimit)
        let service = try makeService(connection)
        var ports: [UInt32] = []
        do {
            for queue in connection.queues {
                try guest.bindEventChannel(queue.port) { [wakeUp = service.wakeUp] in wakeUp.signal() }
                ports.append(queue.port)
            }
            try service.start()
        } catch {
            for port in ports { guest.unbindEventChannel(port) }
            throw DeviceFailure("the event channels cannot be bound: \(error)")
        }
        connected.withLock { $0 = Service(service: service, ports: ports) }
        return connectedNodes
    }

    private func makeService(_ connection: BlockConnection) throws(DeviceFailure) -> BlockService {
        let name = configuration.name
        do {
            let queues = try connection.queues.map { queue throws(GrantStatus) in try BlockQueue(guest, queue, connection) }
            let io = try image.makeIO { [log] in log("\(name): \($0)") }
            let planner = BlockPlanner(image: image, isReadOnly: configuration.isReadOnly)
            return try BlockService(name, guest, planner, io, queues, counters, log: log, guestLog: guestLog)
        } catch let error as GrantStatus {
            throw DeviceFailure("a page of a ring is not granted: \(error)")
        } catch let error as BlockFailure {
            throw DeviceFailure(error.cause)
        } catch {
            throw DeviceFailure("\(error)")
        }
    }

    public func disconnect() {
        let old = connected.withLock { connected in
            defer { connected = nil }
            return connected
        }
        guard let old else { return }
        old.service.stop()
        for port in old.ports { guest.unbindEventChannel(port) }
    }

    public func close() {
        disconnect()
        if shelf?.keep(ImageShelf.Entry(configuration: configuration, identity: identity, image: image)) != true { image.close() }
    }

    /// Looks at the image's size again.
    ///
    /// - Returns: what the frontend is to be shown.
    /// - Throws: ``BlockFailure`` where the size cannot be found out; it stays as it was then.
    public func refreshSize() throws(BlockFailure) -> [(name: String, value: String)] {
        try image.refreshSize()
        return [sizeNode]
    }
}
