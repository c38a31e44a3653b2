internal import XenBus

/// The rings and event channels a guest's driver published.
struct FrontendSetup {
    struct Queue: Hashable {
        var transmitReference: UInt32
        var receiveReference: UInt32
        var transmitPort: UInt32
        /// The same as `transmitPort` where both directions share one.
        var receivePort: UInt32
    }

    var queues: [Queue] = []
    var features: FrontendFeatures

    /// - Throws: ``DeviceFailure`` that names the node at fault.
    init(_ nodes: DeviceNodes, maximumQueueCount: Int) throws(DeviceFailure) {
        // The other way, page flipping, is gone from Xen.
        guard nodes.flag("request-rx-copy") else { throw DeviceFailure("request-rx-copy is not 1: this backend only copies") }
        let count = nodes.number("multi-queue-num-queues", as: Int.self) ?? 1
        guard (1...maximumQueueCount).contains(count) else {
            throw DeviceFailure("multi-queue-num-queues is \(count), of \(maximumQueueCount)")
        }
        features = FrontendFeatures(nodes)
        for index in 0..<count { queues.append(try Self.queue(nodes, count == 1 ? "" : "queue-\(index)/")) }
        guard Set(ports).count == Set(queues.map { [$0.transmitPort, $0.receivePort] }).reduce(0, { $0 + Set($1).count }) else {
            throw DeviceFailure("queues share an event channel")
        }
    }

    /// Each port once.
    var ports: [UInt32] {
        queues.flatMap { $0.transmitPort == $0.receivePort ? [$0.transmitPort] : [$0.transmitPort, $0.receivePort] }
    }

    private static func queue(_ nodes: DeviceNodes, _ path: String) throws(DeviceFailure) -> Queue {
        func number(_ name: String) throws(DeviceFailure) -> UInt32 {
            guard let value: UInt32 = nodes.number(path + name) else { throw DeviceFailure("\(path)\(name) is missing or no number") }
            return value
        }
        let isSplit = nodes[path + "event-channel-tx"] != nil && nodes[path + "event-channel-rx"] != nil
        return Queue(
            transmitReference: try number("tx-ring-ref"), receiveReference: try number("rx-ring-ref"),
            transmitPort: try number(isSplit ? "event-channel-tx" : "event-channel"),
            receivePort: try number(isSplit ? "event-channel-rx" : "event-channel"))
    }
}
