import ControlProtocol
import Glibc

final class FakeGuest {
    private let directory: String
    /// As a restart would build it.
    var description: GuestDescription
    var log = "(XEN) a fake guest\n"
    var affinities: [Int: (hard: [Int]?, soft: [Int]?)] = [:]
    /// What the guest has now, when its balloon follows at once.
    var memoryKiB: UInt64
    private let lock: FileDescriptor
    var paused = true
    private var shutdownReason: ShutdownReason?
    /// What waits in `control/shutdown`.
    private var shutdownRequest: String?
    var end: GuestEnd?
    private var console: Int32 = -1
    private var typed: [UInt8] = []
    private var output: [UInt8] = []
    private var clients: [ControlSlot] = []
    private var stores: Int32 = -1
    private let born = FakeGuest.now()
    /// A new domain's vCPUs have not run yet.
    private var restarts = 0

    init(directory: String) throws {
        self.directory = directory
        lock = try GuestLock.adopt(directory: directory)
        description = try GuestDescription(json: FakeGuest.read("\(directory)/\(GuestDescription.fileName)"))
        memoryKiB = description.memoryKiB
    }

    func run() throws -> Int32 {
        while behaves("stuck") { pause() }
        if behaves("die") { return 9 }
        if behaves("refuse") { return try refuse(OperatorError("kernel=\"x\" has no PVH note", remedy: "use another", code: .invalid)) }
        if behaves("garbage") {
            send(StartupReport.fileDescriptor, Array("garbage\n".utf8))
            return 0
        }
        let control = try UnixSocket.listen(directory: directory, name: UnixSocket.controlName)
        let consoles = try UnixSocket.listen(directory: directory, name: UnixSocket.consoleName)
        let stores = try UnixSocket.listen(directory: directory, name: "xenstored.sock")
        self.stores = stores.number
        defer { extendLifetime(stores) }
        // An engine that has nothing of what is asked for.
        try report(.ready(.init(processID: getpid(), engine: "fake", unmetCPUID: behaves("poor") ? description.cpuid : nil)))
        while end == nil || !output.isEmpty && console >= 0 {
            step(control.number, consoles.number)
            if let timeout = description.timeoutSeconds, end == nil, Self.now() - born > Double(timeout) { end = .timeout }
            if behaves("silent-end"), !paused { return 3 }
        }
        for slot in clients { slot.announce(end ?? .destroyed) }
        if console >= 0 { close(console) }
        for name in ["guest.json", "config.json", "lock", UnixSocket.controlName, UnixSocket.consoleName, "xenstored.sock"] {
            unsafe unlink("\(directory)/\(name)")
        }
        unsafe rmdir(directory)
        return 0
    }

    private func behaves(_ word: String) -> Bool { description.commandLine.split(separator: " ").contains(Substring(word)) }

    private func refuse(_ error: OperatorError) throws -> Int32 {
        try report(.error(error))
        return Int32(error.code.rawValue)
    }

    private func report(_ report: StartupReport) throws {
        send(StartupReport.fileDescriptor, try Frame.encode(report))
        close(StartupReport.fileDescriptor)
    }

    /// One wait of at most 50 ms and what it brings.
    private func step(_ control: Int32, _ consoles: Int32) {
        var polled = [
            pollfd(fd: control, events: Int16(POLLIN), revents: 0), pollfd(fd: consoles, events: Int16(POLLIN), revents: 0),
            pollfd(fd: console, events: Int16(POLLIN | (output.isEmpty ? 0 : POLLOUT)), revents: 0),
        ]
        polled.append(pollfd(fd: stores, events: Int16(POLLIN), revents: 0))
        polled += clients.map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
        _ = unsafe poll(&polled, nfds_t(polled.count), 50)
        if polled[0].revents != 0 { clients.append(ControlSlot(accept(control, nil, nil))) }
        if polled[1].revents != 0 {
            console = accept(consoles, nil, nil)
            _ = fcntl(console, F_SETFL, O_NONBLOCK)
        }
        if polled[2].revents != 0 { serveConsole() }
        if polled[3].revents != 0 { answerStore() }
        for (index, entry) in polled.dropFirst(4).enumerated() where entry.revents != 0 { serve(clients[index]) }
        clients.removeAll { $0.isClosed }
    }

    /// A xenstore of one node: whatever is read is the domain's type.
    private func answerStore() {
        let client = FileDescriptor(owning: accept(stores, nil, nil))
        var buffer = [UInt8](repeating: 0, count: 4096)
        guard unsafe Glibc.read(client.number, &buffer, buffer.count) > 0 else { return }
        let (type, text): (UInt8, String) = behaves("typeless") ? (16, "ENOENT\0") : (2, behaves("odd-type") ? "what" : "pvh")
        send(client.number, [type] + [UInt8](repeating: 0, count: 11) + [UInt8(text.utf8.count), 0, 0, 0] + Array(text.utf8))
    }

    private func serveConsole() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = unsafe Glibc.read(console, &buffer, buffer.count)
        if count == 0 {
            close(console)
            console = -1
            return
        }
        for byte in buffer.prefix(max(0, count)) {
            if byte != UInt8(ascii: "\n") && byte != UInt8(ascii: "\r") {
                typed.append(byte)
                continue
            }
            let line = String(decoding: typed, as: UTF8.self)
            typed = []
            output += Array((line.uppercased() + "\n").utf8)
            if line == "poweroff" { end = .shutdown(reason: .poweroff) }
        }
        flushConsole()
    }

    private func flushConsole() {
        guard console >= 0, !output.isEmpty else { return }
        let count = unsafe write(console, output, output.count)
        if count > 0 { output.removeFirst(count) }
    }

    private func serve(_ slot: ControlSlot) {
        for input in slot.receive() {
            if behaves("mute") { continue }
            guard case .request(let request) = input else {
                slot.send(.error(OperatorError("malformed request")))
                continue
            }
            answer(request, slot)
        }
    }

    private func answer(_ request: ControlRequest, _ slot: ControlSlot) {
        if case .wait = request {
            slot.waits = true
            return
        }
        slot.send(reply(to: request))
        if case .unpause = request { unpaused() }
        if case .shutdown(let mode) = request, !behaves("busy") { asked(mode) }
        if case .destroy = request, !behaves("deaf") { end = .destroyed }
    }

    private func asked(_ mode: ShutdownMode) {
        if behaves("unheeding") { return shutdownRequest = mode.rawValue }
        shutDown(mode == .reboot ? .reboot : .poweroff)
    }

    func shutDown(_ reason: ShutdownReason) {
        switch reason == .reboot ? description.onReboot : description.onPoweroff {
        case .preserve: shutdownReason = reason
        case .restart: restarts += 1
        default: end = .shutdown(reason: reason)
        }
    }

    private func unpaused() {
        if behaves("crash") { end = .shutdown(reason: .crash) }
        for word in description.commandLine.split(separator: " ") where word.hasPrefix("flood=") {
            output += (0..<(Int(word.dropFirst(6)) ?? 0)).map { UInt8(ascii: "0") + UInt8($0 % 10) }
            end = .shutdown(reason: .poweroff)
        }
        flushConsole()
    }

    var status: GuestStatus {
        let times: [UInt64] = restarts > 0 ? [1_000_000] : [1_500_000_000, 800_000_000]
        var status = GuestStatus(
            domainID: description.domainID, name: description.name, uuid: description.uuid,
            state: GuestState(blocked: !paused, paused: paused, shutdownReason: shutdownReason), vcpuTimesNanoseconds: times,
            onlineVCPUs: description.vcpus, currentMemoryKiB: memoryKiB, maxMemoryKiB: description.maxMemoryKiB,
            uptimeNanoseconds: 29_000_000_000, processID: getpid())
        status.targetMemoryKiB = description.memoryKiB
        status.shutdownRequest = shutdownRequest
        status.shutdownFeatures = behaves("old") ? [] : [.poweroff, .reboot]
        status.vcpus = (0..<description.maxVCPUs).map { number in
            let isOnline = number < description.vcpus
            var vcpu = VCPUStatus(
                online: isOnline, running: false, blocked: isOnline && !paused, processor: isOnline ? 0 : nil,
                timeNanoseconds: number < times.count ? times[number] : 0)
            vcpu.hardAffinity = affinities[number]?.hard
            vcpu.softAffinity = affinities[number]?.soft
            return vcpu
        }
        return status
    }

    private func send(_ descriptor: Int32, _ bytes: [UInt8]) { _ = unsafe write(descriptor, bytes, bytes.count) }

    private static func read(_ path: String) throws -> [UInt8] {
        let file = FileDescriptor(owning: unsafe open(path, O_RDONLY))
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = unsafe Glibc.read(file.number, &buffer, buffer.count)
        return Array(buffer.prefix(max(0, count)))
    }

    private static func now() -> Double {
        var now = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}

/// One client; a class because arrays hold no noncopyable values.
final class ControlSlot {
    private var connection: ControlConnection
    var waits = false
    private(set) var isClosed = false

    init(_ number: Int32) { connection = ControlConnection(FileDescriptor(owning: number)) }

    var number: Int32 { connection.number }

    func receive() -> [ControlConnection.Input] {
        guard let inputs = connection.receive() else {
            isClosed = true
            return []
        }
        return inputs
    }

    func send(_ reply: ControlReply) { if !connection.send(reply) { isClosed = true } }

    func announce(_ end: GuestEnd) { if waits { send(.ended(end)) } }
}
