import Glibc
import GuestMemory
import HostIO
import Machine
import PVRing
import Synchronization
import XenABI
import XenBus
import XenStore
import XenStoreServer

@testable import NetBackend

func breathe() { usleep(100) }

/// Waits until `condition` holds; false after many seconds.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<80_000 {
        if try condition() { return true }
        breathe()
    }
    return false
}

/// Lines of a log.
final class Lines: Sendable {
    private let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { $0.append(line) } }
    var all: [String] { lines.withLock { $0 } }
}

/// A link that keeps what it is sent, and gives what the test hands it.
final class TestLink: FrameLink, @unchecked Sendable {
    weak var receiver: (any FrameReceiver)?
    let abilities: FrameAbilities
    private let sent = Mutex<[(bytes: [UInt8], offload: Offload)]>([])
    private let waiting = Mutex<[(bytes: [UInt8], offload: Offload)]>([])
    private let wakeUp: WakeUp
    private let isFull = Atomic(false)
    private let isClosed = Atomic(false)

    init(_ abilities: FrameAbilities = []) throws {
        self.abilities = abilities
        wakeUp = try WakeUp()
    }

    func send(_ frame: Frame) -> Bool {
        guard !isFull.load(ordering: .relaxed) else { return false }
        let bytes = unsafe Array(frame.bytes)
        sent.withLock { $0.append((bytes, frame.offload)) }
        return true
    }

    func prepare(_ poll: PollSet, wantsFrames: Bool) { poll.add(wakeUp.descriptor.rawValue, POLLIN) }

    func serve(_ poll: PollSet) {
        wakeUp.clear()
        let frames = waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
        for (bytes, offload) in frames { withFrame(bytes, offload) { receiver?.receive($0) } }
    }

    func close() { isClosed.store(true, ordering: .relaxed) }

    // MARK: - the test's side

    func fill() { isFull.store(true, ordering: .relaxed) }
    var wasClosed: Bool { isClosed.load(ordering: .relaxed) }

    func give(_ frames: [[UInt8]], _ offload: Offload = Offload()) {
        waiting.withLock { $0 += frames.map { ($0, offload) } }
        wakeUp.signal()
    }

    var frames: [(bytes: [UInt8], offload: Offload)] { sent.withLock { $0 } }

    func frames(_ count: Int) -> [(bytes: [UInt8], offload: Offload)] {
        _ = eventually { frames.count >= count }
        return frames
    }
}

@discardableResult
func withFrame<Result>(_ bytes: [UInt8], _ offload: Offload = Offload(), _ body: (Frame) -> Result) -> Result {
    var bytes = bytes
    return unsafe bytes.withUnsafeMutableBytes { buffer in
        body(unsafe Frame(buffer.baseAddress!, count: buffer.count, offload: offload))
    }
}

private struct NobodyListens: EventSending {
    func notify() {}
}

/// A guest with one interface on a bus of its own, and the guest's driver.
final class Station {
    static let linuxFeatures = [
        "request-rx-copy": "1", "feature-rx-notify": "1", "feature-sg": "1", "feature-gso-tcpv4": "1", "feature-gso-tcpv6": "1",
        "feature-ipv6-csum-offload": "1",
    ]

    let domain: TestDomain
    let store: XenStoreServer
    let bus: DeviceBus
    let device: NetDevice
    let log = Lines()
    private(set) var queues: [FrontendQueue] = []
    let frontendPath: String
    let backendPath: String

    init(
        _ link: sending any FrameLink, id: UInt16 = 1, configure: (inout NetConfiguration) -> Void = { _ in }
    ) throws {
        domain = try TestDomain(id: id)
        store = try XenStoreServer(
            store: Store.forHost(server: "test"), domain: id, ring: nil, socketPath: nil, notifyGuest: NobodyListens())
        try store.start()
        let log = log
        bus = try DeviceBus(domain: id, store: GuestStore(server: store)) { log.add($0) }
        var configuration = NetConfiguration(handle: 0, mac: MACAddress(0x00_163e_1234_56))
        configure(&configuration)
        device = try NetDevice(configuration, DomainAccess(domain.domain), link: link) { log.add($0) }
        frontendPath = "/local/domain/\(id)/device/vif/0"
        backendPath = "/local/domain/0/backend/vif/\(id)/0"
        try bus.attach(device)
        try bus.start()
    }

    deinit {
        bus.stop()
        store.stop()
    }

    func node(_ path: String) -> String? { store.perform { $0.text(at: path) } }

    func set(_ nodes: [String: String]) throws {
        try store.perform { store in
            for (path, value) in nodes { try store.setText(value, at: path) }
        }
    }

    var state: String? { node("\(backendPath)/state") }

    /// The nodes a driver writes for its queues.
    func nodes(_ features: [String: String], flat: Bool) -> [String: String] {
        var nodes = features
        for (index, queue) in queues.enumerated() {
            let prefix = flat ? "" : "queue-\(index)/"
            nodes[prefix + "tx-ring-ref"] = "\(queue.transmitReference)"
            nodes[prefix + "rx-ring-ref"] = "\(queue.receiveReference)"
            if queue.transmitPort == queue.receivePort {
                nodes[prefix + "event-channel"] = "\(queue.transmitPort)"
            } else {
                nodes[prefix + "event-channel-tx"] = "\(queue.transmitPort)"
                nodes[prefix + "event-channel-rx"] = "\(queue.receivePort)"
            }
        }
        if !flat { nodes["multi-queue-num-queues"] = "\(queues.count)" }
        return nodes
    }

    func makeQueues(_ count: Int, splitsPorts: Bool = true) {
        queues = (0..<count).map { _ in FrontendQueue(domain, splitsPorts: splitsPorts) }
    }

    func publish(_ nodes: [String: String]) throws {
        _ = eventually { state == "2" }
        try set(Dictionary(uniqueKeysWithValues: nodes.map { ("\(frontendPath)/\($0.key)", $0.value) }))
        try set(["\(frontendPath)/state": "4"])
    }

    /// Connects a driver like Linux's, with buffers posted.
    ///
    /// - Returns: its first queue.
    @discardableResult
    func connect(
        queueCount: Int = 1, splitsPorts: Bool = true, features: [String: String] = Station.linuxFeatures, posts: Int = 256
    ) throws -> FrontendQueue {
        makeQueues(queueCount, splitsPorts: splitsPorts)
        try publish(nodes(features, flat: queueCount == 1))
        guard eventually({ state == "4" }) else { throw HostError("connect in state \(state ?? "-")", ETIMEDOUT) }
        if posts > 0 { for queue in queues { queue.post(posts) } }
        return queues[0]
    }

    func disconnect() throws {
        try set(["\(frontendPath)/state": "5"])
        _ = eventually { state == "5" }
        try set(["\(frontendPath)/state": "6"])
        _ = eventually { state == "6" }
    }

    func restartDriver() throws {
        try set(["\(frontendPath)/state": "1"])
        _ = eventually { state == "2" }
    }
}
