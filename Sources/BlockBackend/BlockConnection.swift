internal import XenBus

/// What a frontend's nodes say about its rings, checked.
///
/// Reference: Xen `public/io/blkif.h`, "Frontend XenBus Nodes".
struct BlockConnection: Equatable {
    static let pageOrderLimit = 4

    struct Queue: Equatable {
        var references: [UInt32]
        var port: UInt32
    }

    var abi = BlockABI.x86_64
    var isPersistent = false
    var queues: [Queue] = []

    /// - Throws: ``DeviceFailure`` that names the node at fault.
    init(_ nodes: DeviceNodes, queueLimit: Int) throws(DeviceFailure) {
        if let text = nodes["protocol"] {
            guard let abi = BlockABI(rawValue: text) else { throw DeviceFailure("protocol \"\(text)\" is not known") }
            self.abi = abi
        }
        isPersistent = nodes.flag("feature-persistent")
        let count = nodes["multi-queue-num-queues"] == nil ? 1 : nodes.number("multi-queue-num-queues", as: Int.self) ?? 0
        guard (1...max(1, queueLimit)).contains(count) else { throw DeviceFailure("multi-queue-num-queues is not in 1...\(queueLimit)") }
        for index in 0..<count { queues.append(try Self.queue(nodes, count == 1 ? "" : "queue-\(index)/")) }
    }

    private static func queue(_ nodes: DeviceNodes, _ prefix: String) throws(DeviceFailure) -> Queue {
        guard let port = nodes.number("\(prefix)event-channel") else { throw DeviceFailure("\(prefix)event-channel is missing") }
        // The order stands at the top for all queues.
        guard nodes["ring-page-order"] != nil else { return Queue(references: [try number(nodes, "\(prefix)ring-ref")], port: port) }
        guard let order = nodes.number("ring-page-order", as: Int.self), (0...pageOrderLimit).contains(order) else {
            throw DeviceFailure("ring-page-order is not in 0...\(pageOrderLimit)")
        }
        // Some write the short name all the same; an earlier frontend's may stand beside the long one.
        if order == 0, nodes["\(prefix)ring-ref0"] == nil, let reference = nodes.number("\(prefix)ring-ref") {
            return Queue(references: [reference], port: port)
        }
        var references: [UInt32] = []
        for index in 0..<(1 << order) { references.append(try number(nodes, "\(prefix)ring-ref\(index)")) }
        return Queue(references: references, port: port)
    }

    private static func number(_ nodes: DeviceNodes, _ name: String) throws(DeviceFailure) -> UInt32 {
        guard let number = nodes.number(name) else { throw DeviceFailure("\(name) is missing") }
        return number
    }
}
