import ControlProtocol
import Glibc
import GuestMemory
import X86
import XenDomain

/// Requests that look at the guest.
extension Machine {
    var status: GuestStatus {
        let isAlive = keptReason == nil && life != nil
        let state = GuestState(
            running: isAlive && life?.isExecuting ?? false, blocked: isAlive && life?.isBlocked ?? false, paused: isPaused || isDumping,
            shutdownReason: keptReason, dying: life == nil)
        let pages = life?.domain.totalPages ?? 0
        var status = GuestStatus(
            domainID: description.domainID, name: description.name, uuid: description.uuid, state: state,
            vcpuTimesNanoseconds: life?.vcpuTimes ?? [], onlineVCPUs: life?.onlineVCPUs ?? 0, currentMemoryKiB: UInt64(pages) * 4,
            maxMemoryKiB: maxMemoryKiB ?? description.maxMemoryKiB,
            uptimeNanoseconds: firstRun.nanoseconds.map { monotonicNanoseconds() - $0 } ?? 0,
            processID: getpid(), instructionCount: pastInstructions + (life?.instructionCount ?? 0),
            startedNanoseconds: firstRun.nanoseconds)
        status.vcpus = life?.vcpuStatus ?? []
        for index in status.vcpus.indices { status.vcpus[index].softAffinity = description.softAffinity(of: index) }
        status.targetMemoryKiB = life.flatMap { $0.text(at: "\($0.home)/memory/target") }.flatMap { UInt64($0) }
        if isAlive, let life { tellOfShutdown(life, &status) }
        return status
    }

    private func tellOfShutdown(_ life: Life, _ status: inout GuestStatus) {
        let control = "\(life.home)/control"
        status.shutdownRequest = life.text(at: "\(control)/shutdown").flatMap { $0.isEmpty ? nil : String($0.prefix(32)) }
        status.shutdownFeatures = ShutdownMode.allCases.filter { life.text(at: "\(control)/feature-\($0.rawValue)") == "1" }
    }

    // MARK: - debug keys

    /// Prints into the hypervisor's log what each key stands for.
    ///
    /// - Throws: an error that names a key there is not; nothing is printed then.
    func printDebugKeys(_ keys: String) throws(OperatorError) {
        let known = DebugKey.allCases.map { "\($0.rawValue)" }.joined(separator: " ")
        var wanted: [DebugKey] = []
        for letter in keys {
            guard let key = DebugKey(rawValue: letter) else {
                throw OperatorError(
                    "debug key \"\(letter)\": there is no such key for a guest here", remedy: "there are \(known)", code: .invalid)
            }
            wanted.append(key)
        }
        guard let life else { throw Self.isBetweenLives(description.name) }
        for key in wanted {
            hypervisorRing.say("'\(key.rawValue)' pressed -> \(key.title)")
            for line in lines(for: key, life) { hypervisorRing.say(line) }
        }
    }

    private func lines(for key: DebugKey, _ life: Life) -> [String] {
        switch key {
        case .timers: life.domain.describeTimers()
        case .registers: life.whilePaused { life.registers.enumerated().flatMap { RegisterDump.lines($1, vcpu: $0) } }
        case .events: life.domain.describeEvents()
        case .grants: life.domain.describeGrants()
        case .help: DebugKey.allCases.map { " key '\($0.rawValue)' => \($0.title)" }
        case .memory: memoryLines(life)
        case .domain: life.domain.describeState()
        case .threads: threadLines(life)
        }
    }

    private func memoryLines(_ life: Life) -> [String] {
        [
            "Memory of domain \(description.domainID):",
            "    owned=\(life.domain.totalPages * 4) KiB max=\(life.domain.maximumPages * 4) KiB",
            "    resident=\(HostMemory.residentKiB(of: life.memory)) KiB pool=\(life.memory.poolPageCount * 4) KiB",
        ]
    }

    private func threadLines(_ life: Life) -> [String] {
        ["Threads of domain \(description.domainID), process \(getpid()):"]
            + life.vcpuStatus.enumerated().map { index, vcpu in
                "    VCPU\(index): \(vcpu.running ? "running" : vcpu.online ? "waiting" : "down") "
                    + "processor=\(vcpu.processor.map(String.init) ?? "-") time=\(vcpu.timeNanoseconds) "
                    + "hard=\(vcpu.hardAffinity.map { "\($0)" } ?? "all")"
            }
    }

    // MARK: - core dump

    /// The guest stands still while its memory is written.
    func dumpCore(_ path: String) throws(OperatorError) -> Answer {
        guard let life else { throw Self.isBetweenLives(description.name) }
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw OperatorError("\"\(path)\" is no absolute path", code: .invalid)
        }
        guard !isDumping else { throw OperatorError("a core of this guest is being written already") }
        isDumping = true
        life.pause()
        let core = life.core
        log.write("dumping core to \(path)")
        return inBackground { (cancellation) throws(OperatorError) in
            try core.write(to: path, cancellation)
            return .ok
        } completion: { [self] reply in
            isDumping = false
            life.unpause()
            if case .error(let error) = reply { log.write(error.cause) } else { log.write("the core is written: \(path)") }
        }
    }
}

/// The keys of `debug-keys` that have a meaning for one guest; Xen's letters.
enum DebugKey: Character, CaseIterable {
    case timers = "a"
    case registers = "d"
    case events = "e"
    case grants = "g"
    case help = "h"
    case memory = "m"
    case domain = "q"
    case threads = "r"

    var title: String {
        switch self {
        case .timers: "dump timers"
        case .registers: "dump registers of all vCPUs"
        case .events: "dump event channels"
        case .grants: "dump the grant table"
        case .help: "show this message"
        case .memory: "dump memory use"
        case .domain: "dump domain and vCPU state"
        case .threads: "dump the threads that run the vCPUs"
        }
    }
}
