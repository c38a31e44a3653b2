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
            let events = POLLIN | (client.connection.hasOutput ? POLLOUT : 0)
            entries.append(pollfd(fd: client.connection.number, events: Int16(events), revents: 0))
        }
    }

    /// Serves who is ready.
    ///
    /// - Parameters:
    ///   - entries: what ``prepare(_:)`` added.
    ///   - answer: the reply to a request; nil for one that gets its answer when the guest ends.
    func serve(_ entries: ArraySlice<pollfd>, answer: (ControlRequest) -> ControlReply?) {
        for (client, entry) in zip(clients, entries.dropFirst()) where entry.revents != 0 {
            if entry.revents & Int16(POLLOUT) != 0 { client.flush() }
            if entry.revents & ~Int16(POLLOUT) != 0 { receive(client, answer) }
        }
        clients.removeAll { $0.isGone }
        if entries.first?.revents != 0 { acceptClient() }
    }

    private func receive(_ client: Client, _ answer: (ControlRequest) -> ControlReply?) {
        guard let inputs = client.connection.receive() else {
            client.isGone = true
            return
        }
        for input in inputs where !client.isGone {
            switch input {
            case .malformed(let why): client.send(.error(OperatorError("this is no control request: \(why)", code: .usage)))
            case .request(let request):
                if let reply = answer(request) { client.send(reply) } else { client.isWaiting = true }
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
