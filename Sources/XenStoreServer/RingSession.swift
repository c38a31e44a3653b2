package import PVRing
package import XenABI
package import XenStore

/// The guest's connection: its requests come from the shared page, replies and events go there.
///
/// One packet at a time waits for room in the reply ring. While one waits no request is taken and no event fetched, so a
/// guest that does not read holds up itself and nobody else.
///
/// Reference: Xen `docs/misc/xenstore-ring.txt`.
package struct RingSession: Sendable {
    /// Requests done in one go before other clients get their turn.
    private static let batch = 64

    private let page: SharedPage
    private let requests: ByteRing
    private let replies: ByteRing
    private let connection: ConnectionID
    private var assembler = PacketAssembler()
    private var outgoing: ArraySlice<UInt8> = []
    package private(set) var failure = XenStoreRing.Failure.none

    package init(page: SharedPage, connection: ConnectionID) {
        self.page = page
        self.connection = connection
        requests = ByteRing(page, .storeRequests)
        replies = ByteRing(page, .storeReplies)
        page.setWord(at: XenStoreRing.features, to: Store.features)
    }

    /// Does what can be done now.
    ///
    /// - Returns: whether an index or field changed, so that the guest has to be told, and whether there is more to do at once.
    package mutating func service(_ store: inout Store) -> (notifies: Bool, hasMore: Bool) {
        var notifies = reconnectIfAsked(&store)
        guard failure == .none else { return (notifies, false) }
        do {
            for _ in 0..<Self.batch {
                let (moved, isDone) = try step(&store)
                notifies = notifies || moved
                if isDone { return (notifies, false) }
            }
            return (notifies, true)
        } catch is BrokenRing {
            fail(.ringIndex, &store)
        } catch {
            fail(.protocolViolation, &store)
        }
        return (true, false)
    }

    private mutating func step(_ store: inout Store) throws -> (moved: Bool, isDone: Bool) {
        if outgoing.isEmpty {
            var moved = false
            if let event = store.nextEvent(for: connection) {
                outgoing = event.encoded[...]
            } else if let request = try nextRequest(&moved) {
                outgoing = store.handle(request, from: connection).encoded[...]
            } else {
                return (moved, true)
            }
        }
        let count = try replies.write(outgoing)
        outgoing = outgoing.dropFirst(count)
        // Consuming a request is news too, hence `true` even with no room for its reply.
        return (true, !outgoing.isEmpty)
    }

    private mutating func nextRequest(_ moved: inout Bool) throws -> Packet? {
        if let request = try assembler.next() { return request }
        var bytes: [UInt8] = []
        // A packet may be longer than the ring: what comes is kept until the rest is there.
        while try requests.read(into: &bytes) > 0 {
            moved = true
            assembler.append(bytes)
            bytes.removeAll(keepingCapacity: true)
            if let request = try assembler.next() { return request }
        }
        return nil
    }

    /// A guest that starts over (kexec, GRUB and then a kernel) asks for a connection without a past.
    private mutating func reconnectIfAsked(_ store: inout Store) -> Bool {
        guard page.word(at: XenStoreRing.connection) == XenStoreRing.Connection.reconnects else { return false }
        store.reset(connection)
        assembler.removeAll()
        outgoing = []
        failure = .none
        requests.reset()
        replies.reset()
        page.setWord(at: XenStoreRing.error, to: XenStoreRing.Failure.none.rawValue)
        page.setWord(at: XenStoreRing.connection, to: XenStoreRing.Connection.isConnected)
        return true
    }

    private mutating func fail(_ reason: XenStoreRing.Failure, _ store: inout Store) {
        failure = reason
        store.reset(connection)
        assembler.removeAll()
        outgoing = []
        page.setWord(at: XenStoreRing.error, to: reason.rawValue)
    }
}
