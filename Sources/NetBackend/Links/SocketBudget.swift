internal import Glibc

/// The sockets of the host's that a guest's connections hold in its user network. A guest that opens ever more would take the process's
/// last descriptor, and then nobody reaches its console or its control socket.
struct SocketBudget {
    private let limit: Int
    private var descriptors: Set<Int32> = []

    init(limit: Int) { self.limit = limit }

    /// Half of what the process may open, so that disks, clients and the rest never lack one.
    static var limitOfProcess: Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 256 }
        return max(16, Int(clamping: min(limit.rlim_cur, 8192)) / 2)
    }

    /// How many are open.
    var count: Int { descriptors.count }

    mutating func open(_ descriptor: Int32) { descriptors.insert(descriptor) }
    mutating func close(_ descriptor: Int32) { descriptors.remove(descriptor) }

    /// Whether a frame may go on: at the limit none does that may need a socket of its own.
    func admits(_ frame: Frame) -> Bool { descriptors.count < limit || !Self.mayOpenSocket(frame) }

    /// A connection's first segment, datagrams, echo requests, and pieces of which nobody knows yet.
    private static func mayOpenSocket(_ frame: Frame) -> Bool {
        guard let layout = FrameLayout(frame) else { return isOtherIP(frame) }
        switch layout.transport {
        case .udp: return frame.word(layout.transportOffset + 2) != bootstrapPort
        case .tcp: return frame.byte(layout.transportOffset + 13) & (synchronize | acknowledge) == synchronize
        }
    }

    private static let bootstrapPort: UInt16 = 67
    private static let synchronize: UInt8 = 2, acknowledge: UInt8 = 0x10

    /// IPv6's own messages, which keep the guest reachable, open none.
    private static func isOtherIP(_ frame: Frame) -> Bool {
        switch frame.word(12) {
        case 0x0800: true
        case 0x86dd: frame.count <= 20 || frame.byte(20) != 58
        default: false
        }
    }
}
