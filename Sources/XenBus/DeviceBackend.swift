/// Nodes below a device's directory: relative paths and their text.
public struct DeviceNodes: Sendable {
    public private(set) var texts: [String: String]

    public init(_ texts: [String: String] = [:]) { self.texts = texts }

    public subscript(path: String) -> String? {
        get { texts[path] }
        set { texts[path] = newValue }
    }

    /// A decimal number; nil when the node is missing or no number of this type.
    public func number<Number: FixedWidthInteger>(_ path: String, as: Number.Type = UInt32.self) -> Number? {
        texts[path].flatMap { Number($0) }
    }

    /// Whether a node says "1" (any number but 0).
    public func flag(_ path: String) -> Bool { (number(path, as: Int.self) ?? 0) != 0 }
}

/// Why a device cannot work: written into the backend's `error` node and the guest's log.
public struct DeviceFailure: Error, Hashable, Sendable {
    public var message: String
    public init(_ message: String) { self.message = message }
}

/// What is particular to one kind of device; ``DeviceBus`` does the rest.
///
/// Lists of nodes are read by the caller of ``DeviceBus/attach(_:)``. The bus calls the functions from its own thread, one device at a time:
/// (`features` -> `connect` -> `update`* -> `disconnect`)* -> `close`. ``statistics`` may be asked for on any thread.
public protocol DeviceBackend: AnyObject, Sendable {
    /// The directory of its kind: "vbd", "vif".
    var kind: String { get }
    /// The directory of the device: its device number or handle.
    var id: UInt32 { get }
    /// What the toolstack writes into the frontend's directory beside `backend`, `backend-id` and `state`, in order.
    var frontendNodes: [(name: String, value: String)] { get }
    /// What the toolstack writes into the frontend's directory for the guest to read only, in order.
    var guardedFrontendNodes: [(name: String, value: String)] { get }
    /// What the toolstack writes into the backend's directory beside `frontend`, `frontend-id`, `online` and `state`, in order.
    var backendNodes: [(name: String, value: String)] { get }

    /// What the backend offers: written before it enters ``XenbusState/initWait``. Asked again for every new connection.
    func features() -> [(name: String, value: String)]

    /// Takes the rings that the frontend published and starts to serve them.
    ///
    /// - Parameter frontend: all nodes of the frontend's directory, read at one moment.
    /// - Returns: nodes to write together with ``XenbusState/connected``.
    /// - Throws: ``DeviceFailure``; nothing of the guest is in use then.
    func connect(_ frontend: DeviceNodes) throws(DeviceFailure) -> [(name: String, value: String)]

    /// Nodes of the frontend's that it may change at any time while it is connected; ``update(_:)`` follows.
    var liveFrontendNodes: [String] { get }

    /// Looks again at nodes that do not concern the rings, while connected.
    ///
    /// - Returns: false when there is nothing that this backend lets its frontend change.
    func update(_ frontend: DeviceNodes) -> Bool

    /// Ends the service: what is under way is finished, grants and event channels are released when this returns. Also called when the
    /// guest has vanished. Without a connection it does nothing.
    func disconnect()

    /// The device is gone for good: files and threads are released when this returns. No call follows.
    func close()

    /// What the device has done so far, over all its connections. From any thread.
    var statistics: DeviceStatistics { get }
}

extension DeviceBackend {
    public var guardedFrontendNodes: [(name: String, value: String)] { [] }
    public var liveFrontendNodes: [String] { [] }
    public func update(_ frontend: DeviceNodes) -> Bool { false }
    public var statistics: DeviceStatistics { DeviceStatistics() }
}

/// Counters of one device. "In" is what goes into the guest: blocks read, packets received.
public struct DeviceStatistics: Hashable, Sendable {
    public var requestsIn: UInt64 = 0
    public var requestsOut: UInt64 = 0
    public var bytesIn: UInt64 = 0
    public var bytesOut: UInt64 = 0
    /// Requests that failed, whoever is to blame.
    public var errors: UInt64 = 0

    public init() {}
}
