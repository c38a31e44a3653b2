import XenABI

/// One port of the domain.
struct EventChannel: Sendable {
    enum Kind: Equatable, Sendable {
        case free
        /// Port 0, which is never valid.
        case reserved
        case unbound(remoteDomain: UInt16)
        case interdomain(remoteDomain: UInt16, remotePort: UInt32)
        case virq(UInt32)
        case ipi
    }

    var kind = Kind.free
    /// The vCPU that is told.
    var vcpu = 0
    var priority = FIFOEvent.defaultPriority
    /// Raised while no event array page held its word.
    var isHeldPending = false
    /// The queue its word was last linked into.
    var lastVCPU = 0
    var lastPriority = FIFOEvent.defaultPriority
    var handler: HostPortHandler?
}

/// What a backend does when the guest sends on its port; called on the sender's thread without a lock held.
public typealias HostPortHandler = @Sendable () -> Void

/// All event channel state of a domain, guarded by `Domain.events`.
struct EventChannels: Sendable {
    var channels: [EventChannel]
    /// Highest port the domain may use.
    let limit: Int
    /// Ports per vCPU and virtual interrupt; 0 where none is bound.
    var virqPorts: [Int]
    /// True once the guest has changed from the two-level bitmaps to the FIFO ABI.
    var isFIFO = false
    var fifo: FIFOState
    /// Ports of the control domain's side, counted up from the first of the reference.
    var nextHostPort: UInt32 = 21

    init(limit: Int, vcpuCount: Int) {
        self.limit = limit
        channels = [EventChannel](repeating: EventChannel(), count: 64)
        channels[0].kind = .reserved
        fifo = FIFOState(vcpuCount: vcpuCount)
        virqPorts = [Int](repeating: 0, count: vcpuCount * VIRQ.count)
    }

    /// The channel of a port the guest named, which may be free.
    func channel(_ port: UInt32) throws(XenError) -> EventChannel {
        guard port <= UInt32(limit) else { throw .invalidArgument }
        return Int(port) < channels.count ? channels[Int(port)] : EventChannel()
    }

    /// The channel of a port in use.
    func bound(_ port: UInt32) throws(XenError) -> EventChannel {
        let channel = try channel(port)
        guard channel.kind != .free, channel.kind != .reserved else { throw .invalidArgument }
        return channel
    }

    /// The lowest free port, now of `kind`.
    mutating func allocate(_ kind: EventChannel.Kind, vcpu: Int = 0, within abiLimit: Int) throws(XenError) -> Int {
        let top = min(limit, abiLimit - 1)
        let free = channels.firstIndex { $0.kind == .free } ?? channels.count
        guard free <= top else { throw .noSpace }
        if free == channels.count {
            channels.append(contentsOf: repeatElement(EventChannel(), count: min(channels.count, limit + 1 - channels.count)))
        }
        channels[free].kind = kind
        channels[free].vcpu = vcpu
        return free
    }

    subscript(virq virq: UInt32, vcpu: Int) -> Int {
        get { virqPorts[vcpu * VIRQ.count + Int(virq)] }
        set { virqPorts[vcpu * VIRQ.count + Int(virq)] = newValue }
    }

    mutating func takeHostPort() -> UInt32 {
        defer { nextHostPort &+= 1 }
        return nextHostPort
    }
}
