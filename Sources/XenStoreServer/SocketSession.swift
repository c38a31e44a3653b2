import HostIO
import XenStore

/// A client on the Unix socket; it speaks for domain 0.
///
/// No request is taken while more than 64 KiB of replies wait for the client to read them.
struct SocketSession: Sendable {
    private static let maximumOutgoing = 1 << 16
    private static let batch = 64

    let descriptor: Descriptor
    let connection: ConnectionID
    private var assembler = PacketAssembler()
    private var outgoing: [UInt8] = []
    private var sent = 0
    private(set) var isOver = false

    init(_ descriptor: Descriptor, _ connection: ConnectionID) {
        self.descriptor = descriptor
        self.connection = connection
    }

    private var waitingByteCount: Int { outgoing.count - sent }
    /// Bytes kept for the client, taken ones included.
    var heldByteCount: Int { outgoing.count }
    private var hasRoom: Bool { waitingByteCount < Self.maximumOutgoing }

    var interest: Readiness {
        var interest: Readiness = hasRoom ? .readable : []
        if waitingByteCount > 0 { interest.insert(.writable) }
        return interest
    }

    mutating func hangUp() { isOver = true }

    /// Takes requests, queues replies and events, sends what the socket takes.
    ///
    /// - Returns: whether there is more to do at once.
    mutating func service(_ store: inout Store, isReadable: Bool) -> Bool {
        if isReadable, hasRoom { receive() }
        var handled = 0
        while hasRoom, handled < Self.batch, !isOver {
            if let event = store.nextEvent(for: connection) {
                event.encode(into: &outgoing)
            } else if let request = nextRequest() {
                store.handle(request, from: connection).encode(into: &outgoing)
            } else {
                break
            }
            handled += 1
        }
        // A client that misses events can no longer trust what it knows.
        if store.lostEventCount(for: connection) > 0 { isOver = true }
        send()
        return handled == Self.batch && hasRoom && !isOver
    }

    private mutating func receive() {
        var bytes: [UInt8] = []
        switch descriptor.read(into: &bytes, limit: 1 << 14) {
        case .bytes: assembler.append(bytes)
        case .wouldBlock: break
        case .ended: isOver = true
        }
    }

    private mutating func nextRequest() -> Packet? {
        do {
            return try assembler.next()
        } catch {
            isOver = true
            return nil
        }
    }

    private mutating func send() {
        while waitingByteCount > 0 {
            switch descriptor.send(outgoing[sent...]) {
            case .bytes(let count): sent += count
            case .wouldBlock: return dropSent()
            case .ended: return isOver = true
            }
        }
        outgoing.removeAll(keepingCapacity: true)
        sent = 0
    }

    /// A client that never takes all there is must not make us keep what it took.
    private mutating func dropSent() {
        guard sent >= Self.maximumOutgoing else { return }
        outgoing.removeFirst(sent)
        sent = 0
    }
}
