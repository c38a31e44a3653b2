/// Names one client of a ``Store`` for as long as it is connected; never used again.
public struct ConnectionID: Hashable, Sendable {
    let rawValue: UInt64
}

/// What the store keeps for one client.
struct Connection: Sendable {
    /// An event that waits to be sent.
    struct Event: Sendable {
        var path: String
        var token: [UInt8]
    }

    let domain: UInt16
    var watches: [Watch] = []
    var transactions: [UInt32: Transaction] = [:]
    private(set) var events: [Event] = []
    private var firstEvent = 0
    /// Events dropped because the client did not fetch the earlier ones.
    var lostEventCount = 0

    /// How many events may wait. A guest that never looks hurts only itself.
    static let maximumEventCount = 8192

    init(domain: UInt16) { self.domain = domain }

    var waitingEventCount: Int { events.count - firstEvent }

    mutating func post(_ event: Event) {
        guard waitingEventCount < Self.maximumEventCount else {
            lostEventCount += 1
            return
        }
        events.append(event)
    }

    mutating func nextEvent() -> Event? {
        guard firstEvent < events.count else { return nil }
        let event = events[firstEvent]
        firstEvent += 1
        if firstEvent == events.count || firstEvent >= 1024 {
            events.removeFirst(firstEvent)
            firstEvent = 0
        }
        return event
    }
}
