import BlockBackend
import ControlProtocol
import DomainBuilder
import Glibc
import GuestMemory
import HostIO
import PVRing
import VirtualCPU
import X86
import XenABI
import XenBus
import XenDomain
import XenStore
import XenStoreServer

/// One life of a guest, from building to shutdown: memory, domain, engines, threads and xenstore. A restart is a new life.
///
/// Its owner calls it from one thread.
final class Life {
    let memory: GuestMemory
    let domain: Domain
    let host: GuestHost
    var store: XenStoreServer
    var devices: Devices
    let description: GuestDescription
    var threads: [VCPUThread]
    /// What was counted before a soft reset.
    var earlierInstructions: UInt64 = 0
    let frames: RingFrames
    private let log: GuestLog
    let console: ConsoleLine

    /// What every life of a guest shares.
    struct Surroundings {
        var description: GuestDescription
        var directory: GuestDirectory
        var sockets: SocketDirectory
        var log: GuestLog
        var hypervisorRing: HypervisorRing
        /// Signalled when the domain has stopped.
        var wakeUp: WakeUp
        var console: ConsoleLine
        /// Disk images between two lives.
        let shelf = ImageShelf()
        var firstRun: FirstRun
        var makeEngine: EngineFactory
    }

    /// Guest frames of the rings that are there from the start.
    struct RingFrames {
        var store: UInt64
        var console: UInt64
    }

    /// Builds the guest, paused, with all its threads asleep.
    ///
    /// - Throws: an error for the operator; nothing runs then and no socket stays behind.
    init(_ around: Surroundings) throws(OperatorError) {
        description = around.description
        log = around.log
        console = around.console
        var image = try BootFiles.image(for: description)
        let configuration = try DomainConfiguration(description, image: image)
        memory = try GuestMemory.reserve(
            pageCount: configuration.poolPageCount,
            wish: configuration.poolPageCount - configuration.maximumPages + Self.pages(HostMemory.largestMaximumKiB(description)))
        try memory.fill(from: image, ownedPages: Int(description.memoryKiB / 4))
        // The chunks share storage with kernel and ramdisk.
        image.chunks = []
        let clock = GuestClock(showsLocalTime: description.localtime, offsetSeconds: description.rtcTimeOffsetSeconds)
        let host = GuestHost(
            clock: clock, vcpuCount: configuration.vcpuCount, domainID: description.domainID, log: log,
            ring: around.hypervisorRing, wakeUp: around.wakeUp)
        self.host = host
        domain = try Self.makeDomain(configuration, memory, host)
        domain.pause()
        threads = Self.makeThreads(domain, entry: image.entryState, around)
        frames = RingFrames(store: image.xenstoreGFN, console: image.consoleGFN)
        store = try Self.makeStore(around, domain, frames)
        do throws(OperatorError) {
            devices = try Devices(description, domain: domain, store: store, around)
        } catch {
            domain.detach()
            store.stop()
            throw error
        }
        do throws(OperatorError) {
            try connect()
            try start()
        } catch {
            halt()
            close()
            throw error
        }
    }

    // MARK: - building

    private static func makeDomain(
        _ configuration: DomainConfiguration, _ memory: GuestMemory, _ host: GuestHost
    ) throws(OperatorError) -> Domain {
        do {
            return try Domain(configuration, memory: memory, host: host)
        } catch {
            let why = if case .outOfRange(let name) = error { "\(name) is out of range" } else { "\(error)" }
            throw OperatorError("the domain cannot be created: \(why)", code: .invalid)
        }
    }

    private static func makeThreads(_ domain: Domain, entry: RegisterState, _ around: Surroundings) -> [VCPUThread] {
        let parkings = (domain.host as? GuestHost)?.parkings ?? []
        return zip(domain.vcpus, parkings).map { vcpu, parking in
            VCPUThread(
                vcpu: vcpu, engine: makeEngine(vcpu, vcpu.index == 0 ? entry : nil, around), parking: parking, firstRun: around.firstRun,
                affinity: around.description.hardAffinity(of: vcpu.index))
        }
    }

    /// - Parameter state: the registers it starts with; nil for those of a vCPU that waits for its start.
    static func makeEngine(_ vcpu: VCPU, _ state: RegisterState?, _ around: Surroundings) -> any VirtualCPU {
        let engine = around.makeEngine(vcpu.index, vcpu.domain.memory, vcpu)
        vcpu.attach(engine)
        if let state { engine.registerState = state }
        return engine
    }

    static func makeStore(
        _ around: Surroundings, _ domain: Domain, _ frames: RingFrames
    ) throws(OperatorError) -> XenStoreServer {
        let description = around.description
        var store = Store.forHost(server: "martlet-guest")
        do {
            try DomainTree(
                domain: description.domainID, uuid: description.uuid, name: description.name, maximumMemory: description.maxMemoryKiB,
                targetMemory: description.memoryKiB, maximumVCPUs: description.maxVCPUs, onlineVCPUs: description.vcpus,
                storePort: domain.storePort, storeFrame: frames.store, consolePort: domain.consolePort,
                consoleFrame: frames.console, consoleTerminal: around.directory.path(of: UnixSocket.consoleName),
                startTime: startTime()
            ).create(in: &store)
        } catch {
            throw OperatorError("the guest's xenstore cannot be set up: \(error)", code: .creationFailed)
        }
        do {
            let ring = try SharedPage(domain.memory, GuestFrameNumber(frames.store))
            return try XenStoreServer(
                store: store, domain: description.domainID, ring: ring,
                socketPath: around.sockets.path(of: GuestDirectory.storeSocketName),
                notifyGuest: EventSender { [weak domain] in domain?.notify(domain?.storePort ?? 0) })
        } catch {
            throw OperatorError(
                "the socket \(around.directory.path(of: GuestDirectory.storeSocketName)) cannot be opened: \(error)",
                remedy: "set MARTLET_RUNTIME_DIR to a directory this user may write to", code: .creationFailed)
        }
    }

    /// Seconds since 1970 with two decimals, as xl writes it.
    private static func startTime() -> String {
        let hundredths = HostClock.read(CLOCK_REALTIME) / 10_000_000
        let fraction = hundredths % 100
        return "\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction)"
    }

    /// Connects the backends to the guest's ports, which are silent from the start: the rings are looked at once.
    func connect() throws(OperatorError) {
        let (store, console) = (store, console)
        bind(domain.storePort) { store.guestNotified() }
        bind(domain.consolePort) { console.guestNotified() }
        store.guestNotified()
        do {
            try console.connect(try SharedPage(memory, GuestFrameNumber(frames.console)), to: domain)
        } catch {
            throw OperatorError(
                "the guest's console cannot be opened: \(error)", remedy: "the directories of console log and sockets must be writable",
                code: .creationFailed)
        }
        console.guestNotified()
    }

    private func start() throws(OperatorError) {
        do throws(HostError) {
            try store.start()
            try devices.start()
            try host.timer.start(domain)
            try startVCPUs()
        } catch {
            throw OperatorError("the guest's threads cannot be started: \(error)", remedy: "raise ulimit -u", code: .creationFailed)
        }
    }

    func startVCPUs() throws(HostError) {
        let (domain, log) = (domain, log)
        for thread in threads {
            host.parkings[thread.vcpu.index].open()
            try thread.start { Self.dump($0, of: thread.vcpu.index, domain, log) }
        }
    }

    private func bind(_ port: UInt32, _ handler: @escaping @Sendable () -> Void) {
        do { try domain.bindHost(port, handler: handler) } catch { preconditionFailure("a new domain's port is the control domain's") }
    }

    // MARK: - running

    /// Keeps the vCPUs from running, and waits until none does.
    func pause() {
        domain.pause()
        for parking in host.parkings { parking.waitUntilParked() }
    }

    func unpause() { domain.unpause() }

    /// Does something while no vCPU executes.
    func whilePaused<Result>(_ body: () -> Result) -> Result {
        pause()
        defer { unpause() }
        return body()
    }

    /// The registers of all vCPUs; only while none executes.
    var registers: [RegisterState] { threads.map(\.registerState) }

    /// The guest's directory in its xenstore.
    var home: String { "/local/domain/\(description.domainID)" }

    /// Writes nodes of the guest's xenstore as the toolstack, all or none.
    ///
    /// - Throws: an error; nothing is written then.
    func write(_ nodes: [(path: String, value: String)]) throws(OperatorError) {
        do throws(DeviceFailure) {
            try GuestStore(server: store).update(nodes.map { .write(path: $0.path, value: $0.value) })
        } catch {
            throw OperatorError("\(nodes.first?.path ?? "") cannot be written: \(error.message)")
        }
    }

    /// The text of a node, if it is there.
    func text(at path: String) -> String? { GuestStore(server: store).value(path) }

    /// Pages of the guest's maximum as Xen counts them: a mebibyte on top for what is not RAM.
    static func pages(_ kib: UInt64) -> Int { Int(kib / 4) + 256 }

    /// Sets what the guest may own.
    ///
    /// - Throws: an error when no room was reserved for so much.
    func setMaximumMemory(kib: UInt64) throws(OperatorError) {
        let others = 1 + Int(description.maxGrantFrames)
        guard Self.pages(kib) + others + domain.demandPages <= memory.poolPageCount else {
            throw OperatorError(
                "\(kib / 1024) MiB: only \(memory.poolPageCount / 256) MiB of address space were reserved for this guest",
                remedy: "raise maxmem= in its configuration and restart it", code: .noMemory)
        }
        domain.setMaximumPages(Self.pages(kib))
    }

    /// Sets what the guest is to own, as far as that is not the work of its balloon.
    ///
    /// - Throws: as ``setMaximumMemory(kib:)``; nothing has changed then.
    func setTarget(kib: UInt64) throws(OperatorError) {
        try setMaximumMemory(kib: kib)
        domain.raiseTarget(ramPages: Int(kib / 4))
    }

    /// Stops the domain if it has not stopped, ends the threads that execute it, and cuts its backends off. Memory and xenstore stay.
    func halt() {
        domain.shutdown(.powerOff)
        for thread in threads { thread.join() }
        devices.close()
        host.timer.stop()
        host.hypervisorLog.flush(now: host.now())
        console.disconnect()
        domain.unbindHost(domain.storePort)
        domain.unbindHost(domain.consolePort)
        domain.detach()
    }

    /// Ends the xenstore, after ``halt()``.
    func close() { store.stop() }

    private static func dump(_ state: RegisterState, of vcpu: Int, _ domain: Domain, _ log: GuestLog) {
        guard domain.shutdownReason == .crash || domain.hasTripleFaulted, domain.vcpus[vcpu].isOnline else { return }
        for line in RegisterDump.lines(state, vcpu: vcpu) { log.write(line) }
    }

    /// What a core dump of this moment holds; only while no vCPU executes.
    var core: CoreDump {
        CoreDump(
            memory: memory, memoryMap: domain.configuration.memoryMap, version: description.xenVersion,
            vcpus: threads.map {
                CoreDump.VCPU(registers: $0.registerState, floatingPoint: $0.floatingPointImage, isOnline: $0.vcpu.isOnline)
            })
    }
}
