/// A xenstore: the tree, and for each client its watches, transactions and waiting events.
///
/// A value without clock, socket or thread. One request at a time goes in with ``handle(_:from:)`` and gives one reply;
/// what watchers are to hear waits in ``nextEvent(for:)`` until somebody fetches it.
///
/// Reference: Xen `docs/misc/xenstore.txt`.
public struct Store: Sendable {
    var tree: Tree
    var watches = WatchTable()
    var connections: [ConnectionID: Connection] = [:]
    /// Domains that have been introduced; domain 0 always is.
    var introduced: Set<UInt16> = [0]
    /// SET_TARGET: which domain another one may stand in for.
    var targets: [UInt16: UInt16] = [:]
    /// SET_QUOTA for one domain: what differs from ``quotas``, by the quota's name.
    var domainQuotas: [UInt16: [String: Int]] = [:]
    var domainFeatures: [UInt16: UInt32] = [:]
    private var nextConnection: UInt64 = 1
    private var lastTransactionID: UInt32 = 0

    /// A connection of domain 0 for the process the store lives in; always there.
    public let local = ConnectionID(rawValue: 0)

    /// The limits of every unprivileged domain that has none of its own.
    public var quotas = Quotas()

    /// A store with the two special nodes and nothing else.
    public init() {
        tree = Tree()
        connections[local] = Connection(domain: 0)
        for special in [StorePath.introduceDomain, .releaseDomain] {
            tree.insert([], at: special, below: 0, permissions: Permissions(owner: 0))
        }
    }

    // MARK: - clients

    /// Adds a client that speaks for `domain`.
    public mutating func connect(domain: UInt16) -> ConnectionID {
        let id = ConnectionID(rawValue: nextConnection)
        nextConnection += 1
        connections[id] = Connection(domain: domain)
        return id
    }

    /// Removes a client with its watches and open transactions.
    public mutating func disconnect(_ id: ConnectionID) {
        reset(id)
        connections[id] = nil
    }

    /// Drops a client's watches, transactions and waiting events, as when a guest connects anew.
    public mutating func reset(_ id: ConnectionID) {
        guard let connection = connections[id] else { return }
        for watch in connection.watches { watches.remove(watch) }
        connections[id] = Connection(domain: connection.domain)
    }

    /// The next event for a client as it goes over the wire, nil when none waits.
    public mutating func nextEvent(for id: ConnectionID) -> Packet? {
        guard let event = connections[id]?.nextEvent() else { return nil }
        return Packet(.watchEvent, payload: Array(event.path.utf8) + [0] + event.token + [0])
    }

    /// Events that wait for a client.
    public func waitingEventCount(for id: ConnectionID) -> Int { connections[id]?.waitingEventCount ?? 0 }

    /// Events lost because more than 8192 waited.
    public func lostEventCount(for id: ConnectionID) -> Int { connections[id]?.lostEventCount ?? 0 }

    /// The same, and forgets them: for a client that looks at everything anew.
    public mutating func takeLostEventCount(for id: ConnectionID) -> Int {
        defer { connections[id]?.lostEventCount = 0 }
        return lostEventCount(for: id)
    }

    /// How many nodes `domain` owns.
    public func nodeCount(ownedBy domain: UInt16) -> Int { tree.nodeCounts[domain, default: 0] }

    // MARK: - requests

    /// Does what one request asks.
    ///
    /// - Precondition: `id` is connected.
    /// - Returns: the reply, which repeats the request's ids. A failure is a reply of type ``MessageType/error``, and then
    ///   nothing has changed.
    public mutating func handle(_ request: Packet, from id: ConnectionID) -> Packet {
        var reply = Packet(type: request.type, requestID: request.requestID, transactionID: request.transactionID)
        do throws(StoreError) {
            guard let type = MessageType(rawValue: request.type) else { throw .notSupported }
            reply.payload = try answer(type, request, from: id)
            guard reply.payload.count <= Packet.maximumPayloadByteCount else { throw .tooBig }
        } catch {
            reply.type = MessageType.error.rawValue
            reply.payload = Array(error.rawValue.utf8) + [0]
        }
        return reply
    }

    // MARK: - helpers of the operations

    func requester(_ id: ConnectionID) -> Requester {
        guard let domain = connections[id]?.domain else { preconditionFailure("a request needs a connected client") }
        return Requester(domain: domain, target: targets[domain])
    }

    func quotas(of domain: UInt16) -> Quotas {
        guard let own = domainQuotas[domain] else { return quotas }
        var result = quotas
        for (name, field) in Quotas.fields { result[keyPath: field] = own[name] ?? result[keyPath: field] }
        return result
    }

    mutating func newTransactionID(for id: ConnectionID) -> UInt32 {
        repeat { lastTransactionID &+= 1 } while lastTransactionID == 0 || connections[id]!.transactions[lastTransactionID] != nil
        return lastTransactionID
    }

    /// Queues an event for everybody whom a change concerns and who may know of it.
    mutating func fire(_ change: Change) {
        var absolute: String?
        watches.forEach(concernedBy: change) { watch, isBelow in
            guard let connection = connections[watch.connection] else { return }
            let requester = Requester(domain: connection.domain, target: targets[connection.domain])
            let place = isBelow ? watch.path : change.path
            guard
                tree.lets(requester, noticeAt: place)
                    || change.before?.lets(requester, noticeAt: place, changed: change.path) ?? false
            else { return }
            let path: String
            if isBelow || change.path.components.count == watch.path.components.count {
                path = watch.spelling
            } else if watch.isRelative, let relative = change.path.relative(to: connection.domain) {
                path = relative
            } else {
                if absolute == nil { absolute = change.path.description }
                path = absolute!
            }
            guard path.utf8.count + watch.token.count + 2 <= Packet.maximumPayloadByteCount else { return }
            connections[watch.connection]!.post(Connection.Event(path: path, token: watch.token))
        }
    }
}
