import HostIO
import PVRing

/// Moves the bytes of one console. Everything here belongs to the console's thread.
struct ConsolePump: Sendable {
    private static let maximumInput = 4096
    private static let maximumClientCount = 64
    /// Output taken from the ring before clients and log see it.
    private static let outputBatch = 1 << 16

    private var output: ByteRing
    private var input: ByteRing
    private let listener: UnixListener?
    private let log: Descriptor?
    private let notifyGuest: any EventSending
    private let stallLimit: Int64

    private var history: OutputHistory
    /// How far any client has ever been sent the output.
    private var delivered: Int64 = 0
    private var clients: [ConsoleClient] = []
    private var typed: [UInt8] = []
    private var isBroken = false
    private(set) var status = ConsoleStatus()

    init(
        ring: SharedPage, log: Descriptor?, listener: UnixListener?, notifyGuest: any EventSending, historyByteCount: Int,
        stallLimit: Int64
    ) {
        output = ByteRing(ring, .consoleOutput)
        input = ByteRing(ring, .consoleInput)
        self.listener = listener
        self.log = log
        self.notifyGuest = notifyGuest
        self.stallLimit = stallLimit
        history = OutputHistory(capacity: historyByteCount)
    }

    // MARK: - one round

    /// Does what can be done now.
    ///
    /// - Returns: whether to come back at once.
    mutating func service(_ poller: Poller?) -> Bool {
        let now = monotonicMilliseconds()
        receive(poller, now)
        acceptClients(now)
        let hasMore = takeOutput(now)
        sendOutput(now)
        giveInput()
        clients.removeAll { $0.isGone }
        status.clientCount = clients.count
        // Nothing else wakes us for what a client left behind when it hung up.
        return hasMore || typed.count < Self.maximumInput && clients.contains { $0.hasEndedOutput }
    }

    /// Fills the poller: the listener first, then the clients.
    func prepare(_ poller: inout Poller) {
        if let listener { poller.add(listener.descriptor, .readable) }
        for client in clients {
            var interest: Readiness = []
            // A client that hung up would be reported again and again.
            guard !client.hasEndedOutput else {
                poller.addNothing()
                continue
            }
            if !client.hasEndedInput, typed.count < Self.maximumInput { interest.insert(.readable) }
            if client.hasOutput(history) { interest.insert(.writable) }
            poller.add(client.descriptor, interest)
        }
    }

    /// When a client that holds up the guest will count as stalled; nil if none does.
    func millisecondsToStall() -> Int32? {
        guard room <= 0 else { return nil }
        let waiting = clients.filter { !$0.isStalled && $0.hasOutput(history) }
        guard let first = waiting.map(\.lastProgress).min() else { return nil }
        return Int32(clamping: max(0, first + stallLimit - monotonicMilliseconds()) + 1)
    }

    /// Whether nothing is left that somebody could still be sent.
    mutating func isDrained() -> Bool {
        let now = monotonicMilliseconds()
        for index in clients.indices where now - clients[index].lastProgress >= stallLimit { clients[index].isStalled = true }
        return (isBroken || readableByteCount == 0) && clients.allSatisfy { $0.isStalled || !$0.hasOutput(history) }
    }

    mutating func close() {
        // What a client typed and nobody took would turn its end of file into an error.
        for index in clients.indices {
            var ignored: [UInt8] = []
            clients[index].receive(into: &ignored, limit: 1 << 16)
        }
        clients.removeAll()
        status.clientCount = 0
    }

    /// Takes the last bytes of a ring whose guest is gone and goes on with another.
    mutating func replaceRing(_ ring: SharedPage) {
        keepOutput()
        output = ByteRing(ring, .consoleOutput)
        input = ByteRing(ring, .consoleInput)
        isBroken = false
    }

    // MARK: - output

    /// A ring holds less than the history, so this is one read; a broken one has nothing to give.
    private mutating func keepOutput() {
        var bytes: [UInt8] = []
        do { try output.read(into: &bytes) } catch { return }
        record(bytes, monotonicMilliseconds())
    }

    private var readableByteCount: Int {
        do { return try output.readableByteCount() } catch { return 0 }
    }

    /// How many bytes may come without a client that still follows losing any.
    private var room: Int {
        guard let slowest = clients.lazy.filter({ !$0.isStalled && !$0.hasEndedOutput }).map(\.position).min() else { return .max }
        return history.capacity - Int(history.end - slowest)
    }

    private mutating func takeOutput(_ now: Int64) -> Bool {
        guard !isBroken else { return false }
        markStalled(now)
        var bytes: [UInt8] = []
        let limit = min(room, Self.outputBatch)
        do {
            while bytes.count < limit, try output.read(into: &bytes, limit: limit - bytes.count) > 0 { notifyGuest.notify() }
        } catch {
            isBroken = true
        }
        guard !bytes.isEmpty else { return false }
        record(bytes, now)
        return true
    }

    private mutating func record(_ bytes: [UInt8], _ now: Int64) {
        for index in clients.indices where clients[index].position == history.end { clients[index].lastProgress = now }
        writeLog(bytes)
        history.append(bytes)
        status.outputByteCount += Int64(bytes.count)
    }

    private mutating func markStalled(_ now: Int64) {
        guard room <= 0 else { return }
        for index in clients.indices where now - clients[index].lastProgress >= stallLimit && clients[index].hasOutput(history) {
            clients[index].isStalled = true
        }
    }

    private mutating func writeLog(_ bytes: [UInt8]) {
        guard let log else { return }
        let (count, code) = log.writeAll(bytes[...])
        guard code != 0 else { return }
        status.logError = code
        status.lostLogByteCount += Int64(bytes.count - count)
    }

    private mutating func sendOutput(_ now: Int64) {
        for index in clients.indices {
            status.skippedByteCount += clients[index].send(history, now: now)
            delivered = max(delivered, clients[index].position)
        }
    }

    // MARK: - clients and input

    /// Those who hung up while the guest takes no input wait with what they typed last; they make room for who comes.
    private mutating func acceptClients(_ now: Int64) {
        while let client = listener?.accept() {
            if clients.count >= Self.maximumClientCount { clients.removeAll { $0.hasEndedOutput } }
            guard clients.count < Self.maximumClientCount else { continue }
            clients.append(ConsoleClient(client, position: delivered, now: now))
        }
    }

    private mutating func receive(_ poller: Poller?, _ now: Int64) {
        guard let poller else { return }
        // Number 0 is the wake-up, then the listener if there is one.
        let first = listener == nil ? 1 : 2
        for index in clients.indices {
            let readiness = poller[first + index]
            if !readiness.isDisjoint(with: .hungUp) { clients[index].hangUp() }
            guard readiness.contains(.readable) || clients[index].hasEndedOutput, !clients[index].hasEndedInput else { continue }
            if typed.count < Self.maximumInput {
                clients[index].receive(into: &typed, limit: Self.maximumInput - typed.count)
            }
        }
    }

    private mutating func giveInput() {
        guard !typed.isEmpty, !isBroken else { return }
        do {
            let count = try input.write(typed[...])
            guard count > 0 else { return }
            typed.removeFirst(count)
            status.inputByteCount += Int64(count)
            notifyGuest.notify()
        } catch {
            isBroken = true
        }
    }
}
