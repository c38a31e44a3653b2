/// The state nodes of a device's two ends.
///
/// Reference: Xen `public/io/xenbus.h`, `enum xenbus_state`.
public enum XenbusState: Int, Sendable, CaseIterable {
    case unknown = 0
    case initialising = 1
    /// The backend has written its features and waits for the frontend.
    case initWait = 2
    /// The frontend has published its rings.
    case initialised = 3
    case connected = 4
    case closing = 5
    case closed = 6
    case reconfiguring = 7
    case reconfigured = 8

    /// The value of a state node; anything that is no state is ``unknown``.
    public init(text: String?) {
        self = text.flatMap { Int($0) }.flatMap { Self(rawValue: $0) } ?? .unknown
    }
}
