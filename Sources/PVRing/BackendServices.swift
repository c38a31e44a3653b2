/// What backends ask of the machine around them, written from their side.

/// Raises the event channel a backend shares with the guest.
public protocol EventSending: Sendable {
    /// Marks the guest's port pending. Never blocks; safe from any thread; a port that the guest closed is ignored.
    func notify()
}

/// An ``EventSending`` made of a closure.
public struct EventSender: EventSending {
    private let send: @Sendable () -> Void
    public init(_ send: @escaping @Sendable () -> Void) { self.send = send }
    public func notify() { send() }
}
