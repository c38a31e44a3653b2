/// What a virtual network interface (vif) is, apart from its link.
public struct NetConfiguration: Sendable {
    /// `rate=`: the guest may send so many bytes in each interval.
    public struct Rate: Hashable, Sendable {
        public var bytesPerInterval: UInt64
        public var intervalMicroseconds: UInt32

        public init(bytesPerInterval: UInt64, intervalMicroseconds: UInt32) {
            self.bytesPerInterval = bytesPerInterval
            self.intervalMicroseconds = intervalMicroseconds
        }
    }

    /// The number of the guest's interface.
    public var handle: UInt32
    public var mac: MACAddress
    /// Bytes of the largest IP packet.
    public var mtu: UInt32 = 1500
    /// Nil: as fast as it goes.
    public var rate: Rate?
    /// Ring pairs the guest may use, 1 or more.
    public var maximumQueueCount = 1
    /// Of the following, only what xenstore shows.
    public var bridge = "xenbr0"
    /// Absolute path.
    public var script = "/etc/xen/scripts/vif-bridge"
    public var interfaceName: String?
    public var ip: String?
    public var isTrusted = true

    public init(handle: UInt32, mac: MACAddress) {
        self.handle = handle
        self.mac = mac
    }

    var name: String { "vif \(handle)" }
}

/// A link that cannot be made: what is at fault, and what the operator can do.
public struct LinkFailure: Error, Hashable, Sendable {
    /// One line that names the thing at fault.
    public var cause: String
    /// One line; empty when nothing can be advised.
    public var remedy: String

    public init(_ cause: String, remedy: String = "") {
        self.cause = cause
        self.remedy = remedy
    }
}
