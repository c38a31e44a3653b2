internal import Glibc

/// The host's processors and NUMA nodes.
public struct HostTopology: Sendable {
    public struct Processor: Sendable {
        public var number: Int
        public var core: Int
        public var socket: Int
        public var node: Int

        public init(number: Int, core: Int, socket: Int, node: Int) {
            self.number = number
            self.core = core
            self.socket = socket
            self.node = node
        }
    }

    public struct Node: Sendable {
        public var number: Int
        public var memoryMiB: UInt64
        public var freeMiB: UInt64
        /// To each node, in the order of their numbers; 10 is the node itself (ACPI SLIT).
        public var distances: [Int]

        public init(number: Int, memoryMiB: UInt64, freeMiB: UInt64, distances: [Int]) {
            self.number = number
            self.memoryMiB = memoryMiB
            self.freeMiB = freeMiB
            self.distances = distances
        }
    }

    /// Online ones only, by number.
    public var processors: [Processor]
    public var nodes: [Node]

    public init(processors: [Processor], nodes: [Node]) {
        self.processors = processors
        self.nodes = nodes
    }

    /// That of this machine, as sysfs tells it. Without sysfs: one node, one socket, a core for each processor.
    public static var current: HostTopology {
        let online = numbers(Host.firstLine("/sys/devices/system/cpu/online"))
        let present = online.isEmpty ? Array(0..<Host.onlineCPUs) : online
        let nodes = numbers(Host.firstLine("/sys/devices/system/node/online"))
        var nodeOfProcessor: [Int: Int] = [:]
        for node in nodes {
            for processor in numbers(Host.firstLine("/sys/devices/system/node/node\(node)/cpulist")) { nodeOfProcessor[processor] = node }
        }
        let processors = present.map { number in
            let folder = "/sys/devices/system/cpu/cpu\(number)/topology"
            return Processor(
                number: number, core: Int(Host.firstLine(folder + "/core_id")) ?? number,
                socket: max(0, Int(Host.firstLine(folder + "/physical_package_id")) ?? 0), node: nodeOfProcessor[number] ?? 0)
        }
        let whole = Node(number: 0, memoryMiB: Host.memoryKiB / 1024, freeMiB: Host.availableMemoryKiB / 1024, distances: [10])
        return HostTopology(processors: processors, nodes: nodes.count < 2 ? [whole] : nodes.map(Self.node))
    }

    /// Sockets, counted once each.
    public var socketCount: Int { max(1, Set(processors.map(\.socket)).count) }
    /// Cores of one socket.
    public var coresPerSocket: Int { max(1, Set(processors.map { "\($0.socket).\($0.core)" }).count / socketCount) }
    public var threadsPerCore: Int { max(1, processors.count / (socketCount * coresPerSocket)) }

    private static func node(_ number: Int) -> Node {
        let folder = "/sys/devices/system/node/node\(number)"
        func mebibytes(_ key: String) -> UInt64 {
            let words = Host.line(of: folder + "/meminfo", startingWith: "Node \(number) \(key)").split(separator: " ")
            return words.count > 3 ? (UInt64(words[3]) ?? 0) / 1024 : 0
        }
        let distances = Host.firstLine(folder + "/distance").split(separator: " ").compactMap { Int($0) }
        return Node(number: number, memoryMiB: mebibytes("MemTotal:"), freeMiB: mebibytes("MemFree:"), distances: distances)
    }

    /// The kernel's notation for sets: "0-3,5".
    private static func numbers(_ text: String) -> [Int] {
        text.split(separator: ",").flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            guard let low = ends.first, let high = ends.last, low <= high else { return [] }
            return Array(low...high)
        }
    }
}
