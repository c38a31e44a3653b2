import BlockBackend
import ControlProtocol
import HostIO
import Synchronization
import XenBus
import XenDomain
import XenStoreServer

/// The disks and network interfaces of one life of a guest: the bus, and a backend for each.
///
/// Safe from any thread.
final class Devices: Sendable {
    private let bus: DeviceBus
    let domain: Domain
    private let sockets: SocketDirectory
    private let shelf: ImageShelf
    let log: GuestLog
    let guestName: String

    /// Opens what the description names and makes the devices' nodes. The guest does not run yet.
    ///
    /// - Throws: an error that names the disk or interface at fault; nothing is open then.
    init(
        _ description: GuestDescription, domain: Domain, store: XenStoreServer, _ around: Life.Surroundings
    ) throws(OperatorError) {
        self.domain = domain
        sockets = around.sockets
        shelf = around.shelf
        log = around.log
        guestName = description.name
        do throws(HostError) {
            bus = try DeviceBus(domain: description.domainID, store: GuestStore(server: store)) { [log] in log.write($0) }
        } catch {
            throw OperatorError("the guest's devices cannot be set up: \(error)", remedy: "raise ulimit -n", code: .creationFailed)
        }
        do throws(OperatorError) {
            for disk in description.disks { try attach(disk) }
            for network in description.networks { try attach(network) }
        } catch {
            bus.stop()
            throw error
        }
    }

    /// Serves the guest from now on.
    ///
    /// - Throws: ``HostError`` when the host gives no thread.
    func start() throws(HostError) { try bus.start() }

    /// Finishes what is under way and closes all files. No vCPU runs any more. Safe to call twice.
    func close() { bus.stop() }

    // MARK: - while the guest runs

    /// Adds a disk. The guest's driver decides when it connects.
    ///
    /// - Throws: an error that names the disk; nothing is open and no node is left then.
    func attach(_ disk: DiskDescription) throws(OperatorError) {
        // Before its image is opened, which the present one has locked.
        guard !bus.devices.contains(where: { $0.backend.kind == "vbd" && $0.backend.id == disk.deviceNumber }) else {
            throw OperatorError("\(disk.vdev): the guest has this disk already", remedy: "detach it first, or choose another name")
        }
        let socket = sockets.path(of: "\(disk.vdev).nbd")
        let configuration = BlockConfiguration(disk, queueLimit: domain.configuration.vcpuCount, socketPath: socket)
        let device: BlockDevice
        do throws(BlockFailure) {
            device = try BlockDevice(configuration, guest: DomainAccess(domain), shelf: shelf) { [log] in log.write($0) }
        } catch {
            throw OperatorError(error.cause, remedy: error.remedy, code: .invalid)
        }
        try plug(device, named: disk.vdev)
    }

    func plug(_ backend: any DeviceBackend, named name: String) throws(OperatorError) {
        do throws(DeviceFailure) {
            try bus.attach(backend)
        } catch {
            backend.close()
            throw OperatorError("\(name): \(error.message)", remedy: "detach it first, or choose another name")
        }
    }

    /// Takes a device away. The guest is asked to let go of it, unless `forced`, and has ``DeviceBus/detachMilliseconds`` for it.
    ///
    /// - Parameter completion: called once, on any thread, with nil when the device is gone; else it is as it was.
    func detach(kind: String, id: UInt32, forced: Bool, completion: @escaping @Sendable (OperatorError?) -> Void) {
        bus.detach(kind: kind, id: id, forced: forced) { failure in
            completion(failure.map { OperatorError($0.message, remedy: forced ? "" : "unmount it in the guest, or use --force") })
        }
    }

    /// As above, and waits for it.
    ///
    /// - Throws: an error; the device is as it was then.
    func detach(kind: String, id: UInt32, forced: Bool) throws(OperatorError) {
        let condition = Condition()
        let answer = Mutex<OperatorError??>(nil)
        detach(kind: kind, id: id, forced: forced) { error in
            condition.withLock {
                answer.withLock { $0 = .some(error) }
                condition.signalAll()
            }
        }
        condition.withLock { while answer.withLock({ $0 }) == nil { condition.wait() } }
        if let error = answer.withLock({ $0 ?? nil }) { throw error }
    }

    /// Looks at the size of a disk's image again and tells the guest.
    ///
    /// - Throws: an error when there is no such disk or its image cannot be looked at; nothing has changed then.
    func resizeDisk(id: UInt32) throws(OperatorError) {
        let disk = bus.devices.lazy.compactMap { $0.backend as? BlockDevice }.first { $0.id == id }
        guard let disk else { throw OperatorError("there is no disk \(id)") }
        do throws(BlockFailure) {
            bus.announce(kind: disk.kind, id: id, try disk.refreshSize())
        } catch {
            throw OperatorError(error.cause, remedy: error.remedy)
        }
    }

    /// All devices by kind and number.
    var status: [DeviceStatus] {
        bus.devices.map { device in
            let (backend, nodes) = (device.backend, device.frontend)
            var status = DeviceStatus(
                kind: backend.kind, id: backend.id, state: nodes.number("state", as: Int.self) ?? 0, backendPath: device.backendPath)
            let counters = backend.statistics
            status.eventChannels = nodes.eventChannels
            status.ringReferences = nodes.ringReferences
            status.mac = nodes["mac"]
            (status.requestsIn, status.requestsOut) = (counters.requestsIn, counters.requestsOut)
            (status.bytesIn, status.bytesOut) = (counters.bytesIn, counters.bytesOut)
            status.errors = counters.errors
            return status
        }
    }
}

extension BlockConfiguration {
    init(_ disk: DiskDescription, queueLimit: Int, socketPath: String) {
        self.init(name: disk.vdev, deviceNumber: disk.deviceNumber, path: disk.target)
        format = BlockFormat(disk.format)
        backendType = disk.backendType
        script = disk.script
        isReadOnly = disk.isReadOnly
        isCDROM = disk.isCDROM
        allowsDiscard = disk.allowsDiscard
        isDirectIOSafe = disk.isDirectIOSafe
        isTrusted = disk.isTrusted
        self.queueLimit = queueLimit
        self.socketPath = socketPath
    }
}

extension BlockFormat {
    init(_ format: DiskFormat) {
        self =
            switch format {
            case .raw: .raw
            case .qcow: .qcow
            case .qcow2: .qcow2
            case .vhd: .vhd
            case .qed: .qed
            }
    }
}
