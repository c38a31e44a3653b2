import ControlProtocol
import Glibc

/// The control socket of a guest and its clients. Everything happens on the thread that owns it.
final class ControlServer {
    /// Clients beyond this number are turned away.
    static let maximumClientCount = 64
    private let listener: FileDescriptor
    private var clients: [Client] = []

    /// A class because arrays hold no noncopyable values.
    private final class Client {
        var connection: ControlConnection
        var isWaiting = false
        var isGone = false
        /// The reply to the last request taken, while it is being worked on.
        var pending: PendingReply?
        /// What came after that request.
        var inputs: [ControlConnection.Input] = []

        init(_ number: Int32) { connection = ControlConnection(FileDescriptor(owning: number)) }

        func send(_ reply: ControlReply) { if !connection.send(reply) { isGone = true } }
        func flush() { if !connection.flush() { isGone = true } }
    }

    /// Listens in a guest's directory.
    ///
    /// - Throws: ``SystemError`` naming the path.
    init(directory: String) throws(SystemError) {
        listener = try UnixSocket.listen(directory: directory, name: UnixSocket.controlName)
    }

    // MARK: - one round

    /// Adds what to wait for: the listener, then the clients.
    func prepare(_ entries: inout [pollfd]) {
        entries.append(pollfd(fd: listener.number, events: Int16(POLLIN), revents: 0))
        for client in clients {
            // Nothing more is read from a client whose request is being worked on, and a hang-up would be reported without end.
            let isListening = client.pending == nil
            let events = (isListening ? POLLIN : 0) | (client.connection.hasOutput ? POLLOUT : 0)
            entries.append(pollfd(fd: events == 0 ? -1 : client.connection.number, events: Int16(events), revents: 0))
        }
    }

    /// Serves who is ready.
    ///
    /// - Parameters:
    ///   - entries: what ``prepare(_:)`` added.
    ///   - answer: what comes of a request.
    func serve(_ entries: ArraySlice<pollfd>, answer: (ControlRequest) -> Answer) {
        for (client, entry) in zip(clients, entries.dropFirst()) where entry.revents != 0 {
            if entry.revents & Int16(POLLOUT) != 0 { client.flush() }
            if entry.revents & ~Int16(POLLOUT) != 0, client.pending == nil { receive(client) }
        }
        for client in clients { handle(client, answer) }
        clients.removeAll { $0.isGone }
        if entries.first?.revents != 0 { acceptClient() }
    }

    private func receive(_ client: Client) {
        guard let inputs = client.connection.receive() else {
            client.isGone = true
            return
        }
        client.inputs += inputs
    }

    /// Answers what a client asked for, up to a request that takes time.
    private func handle(_ client: Client, _ answer: (ControlRequest) -> Answer) {
        if let reply = client.pending?.finished {
            client.pending = nil
            client.send(reply)
        }
        var taken = 0
        while taken < client.inputs.count, client.pending == nil, !client.isGone {
            handle(client.inputs[taken], client, answer)
            taken += 1
        }
        client.inputs.removeFirst(taken)
    }

    private func handle(_ input: ControlConnection.Input, _ client: Client, _ answer: (ControlRequest) -> Answer) {
        switch input {
        case .malformed(let why): client.send(.error(OperatorError("this is no control request: \(why)", code: .usage)))
        case .request(let request):
            switch answer(request) {
            case .reply(let reply): client.send(reply)
            case .atEnd: client.isWaiting = true
            case .later(let pending): client.pending = pending
            }
        }
    }

    private func acceptClient() {
        let number = accept(listener.number, nil, nil)
        guard number >= 0 else { return }
        guard clients.count < Self.maximumClientCount else {
            close(number)
            return
        }
        _ = fcntl(number, F_SETFD, FD_CLOEXEC)
        clients.append(Client(number))
    }

    // MARK: - the end

    /// Tells every client that waits how the guest ended, and gives slow ones a moment to take it.
    func announce(_ end: GuestEnd, milliseconds: Int32 = 1000) {
        for client in clients where client.isWaiting { client.send(.ended(end)) }
        let deadline = monotonicNanoseconds() + UInt64(milliseconds) * 1_000_000
        while true {
            clients.removeAll { $0.isGone }
            let slow = clients.filter { $0.connection.hasOutput }
            let now = monotonicNanoseconds()
            guard !slow.isEmpty, now < deadline else { return }
            var entries = slow.map { pollfd(fd: $0.connection.number, events: Int16(POLLOUT), revents: 0) }
            _ = unsafe poll(&entries, nfds_t(entries.count), Int32((deadline - now) / 1_000_000) + 1)
            for client in slow { client.flush() }
        }
    }

    /// Closes all connections.
    func closeClients() { clients.removeAll() }
}
