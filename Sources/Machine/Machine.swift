import BlockBackend
public import ControlProtocol
import Glibc
public import HostIO
import XenABI
import XenDomain

/// One guest: its lives, its sockets, and what becomes of it when it stops.
///
/// Everything happens on the thread that calls ``run(untilReadable:)``: it serves the control socket and hears of all else through one `poll`.
/// The guest's own threads are those of its ``Life``.
///
/// A restart builds a new domain in this process, from the files as they are then, under a new domain ID as on Xen; console log,
/// console clients and control clients stay, and the directory moves.
public final class Machine {
    /// A guest that stops sooner after its start is not started again before this time has passed.
    static let restartMilliseconds: UInt64 = 2000
    /// What a restart builds; live changes go into it.
    var description: GuestDescription {
        didSet { surroundings.description = description }
    }
    let log: GuestLog
    /// Moves with the domain ID.
    public internal(set) var directory: GuestDirectory {
        didSet { surroundings.directory = directory }
    }
    let hypervisorRing = HypervisorRing()
    private(set) var surroundings: Life.Surroundings
    private let control: ControlServer
    let wakeUp: WakeUp
    private let console: ConsoleLine
    let firstRun = FirstRun()
    private let created = monotonicNanoseconds()
    /// Nil only between two lives.
    var life: Life?
    private(set) var lifeBegan = monotonicNanoseconds()
    var restartLimit = RestartLimit()
    private(set) var isPaused = true
    /// Why the present life is over although it is kept.
    var keptReason: ControlProtocol.ShutdownReason?
    /// Set by `mem-max`; nil while it is what the description says.
    var maxMemoryKiB: UInt64?
    /// The guest stands still because its core is being written.
    var isDumping = false
    /// What other threads are doing for clients.
    var jobs: [Job] = []
    var restartDue: UInt64?
    var end: GuestEnd?
    /// Of earlier lives.
    private(set) var pastInstructions: UInt64 = 0
    private var pastVCPUTime: UInt64 = 0

    /// Builds the guest, paused, and opens its sockets in its directory.
    ///
    /// - Throws: an error that names the key, file or socket at fault. Threads and memory are gone then; files in the directory are the
    ///   caller's to remove.
    public init(
        _ description: GuestDescription, directory: GuestDirectory, log: GuestLog, makeEngine: EngineFactory? = nil
    ) throws(OperatorError) {
        self.description = description
        self.directory = directory
        self.log = log
        var description = description
        // A guest that takes another's place was created by nobody who could have run its boot loader.
        if let bootloader = description.bootloader, bootloader.found == nil {
            let found = try Self.runBootloader(description, bootloader, directory)
            description.bootloader?.found = found
            self.description = description
        }
        try HostMemory.check(description)
        do {
            wakeUp = try WakeUp()
            let sockets = try SocketDirectory(directory.path)
            control = try ControlServer(directory: directory.path)
            console = ConsoleLine(logPath: description.consoleLogPath, socketPath: sockets.path(of: UnixSocket.consoleName))
            surroundings = Life.Surroundings(
                description: description, directory: directory, sockets: sockets, log: log, hypervisorRing: hypervisorRing, wakeUp: wakeUp,
                console: console, firstRun: firstRun, makeEngine: makeEngine ?? EngineKind(description.engine).factory)
        } catch {
            throw Self.failure(opening: directory, error)
        }
        do {
            let first = try Life(surroundings)
            reportIgnoredKeys()
            begin(first)
        } catch {
            console.close()
            throw error
        }
    }

    private static func failure(opening directory: GuestDirectory, _ error: any Error) -> OperatorError {
        let why = (error as? SystemError)?.sentence ?? "\(error)"
        return OperatorError(
            "the guest's sockets cannot be opened: \(why)", remedy: "set MARTLET_RUNTIME_DIR to a directory this user may write to",
            code: .creationFailed)
    }

    /// The engine the guest runs on.
    public var engineName: String { EngineKind(description.engine).rawValue }

    private func reportIgnoredKeys() {
        if !description.apic { log.write("apic=0 has no effect: a PVH guest has local APICs, as on Xen") }
        if !description.acpi { log.write("acpi=0 has no effect: a PVH guest has ACPI tables, as on Xen") }
        if description.tscMode == .native { log.write("tsc_mode=\"native\" has no effect of its own: the TSC always counts at 1 GHz here") }
        if description.softAffinity != nil { log.write("cpus_soft= has no effect: the host knows hard affinity only") }
        if description.nestedHVM { log.write("nestedhvm=1 has no effect: this version offers no nested virtualisation") }
    }

    // MARK: - the loop

    /// Serves the guest until it ends, then clears up: threads and sockets are gone when this returns.
    ///
    /// - Parameter stop: becomes readable when the guest shall be destroyed; nil for never.
    public func run(untilReadable stop: Descriptor? = nil) -> GuestEnd {
        while end == nil {
            var entries = [pollfd(fd: wakeUp.descriptor.rawValue, events: Int16(POLLIN), revents: 0)]
            entries.append(pollfd(fd: stop?.rawValue ?? -1, events: Int16(POLLIN), revents: 0))
            control.prepare(&entries)
            if unsafe poll(&entries, nfds_t(entries.count), millisecondsToWait()) < 0 { continue }
            wakeUp.clear()
            finishJobs()
            control.serve(entries[2...]) { answer($0) }
            if entries[1].revents != 0, end == nil { destroy("a signal") }
            noteTime()
            noteShutdown()
        }
        return finish(end ?? .destroyed)
    }

    /// When something is to be done without being asked.
    private var nextMoment: UInt64? {
        let timeout = description.timeoutSeconds.map { created + UInt64($0) * 1_000_000_000 }
        return [timeout, restartDue].compactMap { $0 }.min()
    }

    private func millisecondsToWait() -> Int32 {
        guard let moment = nextMoment else { return -1 }
        let now = monotonicNanoseconds()
        return moment <= now ? 0 : Int32(clamping: (moment - now + 999_999) / 1_000_000)
    }

    private func noteTime() {
        let now = monotonicNanoseconds()
        if let seconds = description.timeoutSeconds, now >= created + UInt64(seconds) * 1_000_000_000, end == nil {
            log.write("\(seconds) seconds are over: the guest is destroyed")
            end = .timeout
        }
        if let due = restartDue, now >= due, end == nil { restartNow() }
    }

    // MARK: - simple requests

    func destroy(_ cause: String) {
        guard end == nil else { return }
        log.write("the guest is destroyed by \(cause)")
        log.write("Domain \(description.domainID) has been destroyed.")
        end = .destroyed
    }

    func pause() {
        guard !isPaused else { return }
        isPaused = true
        life?.pause()
        log.write("the guest is paused")
    }

    func unpause() {
        guard isPaused else { return }
        isPaused = false
        life?.unpause()
        log.write("the guest is unpaused")
    }

    // MARK: - the end of a life

    /// Adds up what the present life did, and ends it.
    func letGo() {
        endJobs()
        guard let life else { return }
        pastInstructions += life.instructionCount
        pastVCPUTime += life.vcpuTimes.reduce(0, &+)
        life.close()
        self.life = nil
    }

    /// A life has been built.
    func begin(_ next: Life) {
        life = next
        lifeBegan = monotonicNanoseconds()
        forgetBootFiles()
        log.write(
            "domain \(description.domainID) \"\(description.name)\" is built: \(description.memoryKiB / 1024) MiB, "
                + "\(description.vcpus) vCPUs of \(description.maxVCPUs), engine \(engineName)")
        hypervisorRing.say("domain \(description.domainID) is built")
        reportUnmetCPUID()
        announceLife()
    }

    /// Ends a guest that nobody wants to run.
    public func abandon() {
        life?.halt()
        letGo()
        surroundings.shelf.clear()
        console.close()
    }

    private func finish(_ end: GuestEnd) -> GuestEnd {
        life?.halt()
        surroundings.shelf.clear()
        var statistics = Statistics()
        statistics.guestKiB = life.map { HostMemory.residentKiB(of: $0.memory) } ?? 0
        letGo()
        statistics.instructionCount = pastInstructions
        statistics.vcpuNanoseconds = pastVCPUTime
        statistics.firstRunNanoseconds = firstRun.nanoseconds
        statistics.runNanoseconds = firstRun.nanoseconds.map { monotonicNanoseconds() - $0 } ?? 0
        statistics.processNanoseconds = HostMemory.processTimeNanoseconds
        statistics.peakKiB = HostMemory.peakResidentKiB
        log.write(statistics.line)
        control.announce(end)
        console.close()
        control.closeClients()
        return end
    }
}
