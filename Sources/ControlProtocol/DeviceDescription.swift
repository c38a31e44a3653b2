/// A virtual block device (vbd) of a guest, with all defaults filled in.
public struct DiskDescription: Codable, Equatable, Sendable {
    /// The name the configuration gives it, for instance "xvda".
    public var vdev: String
    /// The number xenstore knows it by, for instance 51712.
    public var deviceNumber: UInt32
    /// Absolute path of the image or block device; empty for a drive without a medium.
    public var target: String
    public var format = DiskFormat.raw
    /// What xenstore's `type` says: "phy" or "qdisk".
    public var backendType = "qdisk"
    public var isReadOnly = false
    public var isCDROM = false
    /// The guest may discard blocks.
    public var allowsDiscard = true
    public var isDirectIOSafe = false
    public var isTrusted = true
    public var script: String?

    public init(vdev: String, deviceNumber: UInt32, target: String) {
        self.vdev = vdev
        self.deviceNumber = deviceNumber
        self.target = target
    }
}

/// The format of a disk image. All but raw are read and written by a `qemu-nbd` of our own.
public enum DiskFormat: String, Codable, CaseIterable, Sendable {
    case raw, qcow, qcow2, vhd, qed
}

/// A virtual network interface (vif) of a guest, with all defaults filled in.
public struct NetworkDescription: Codable, Equatable, Sendable {
    /// 0 and up, the number of the guest's interface.
    public var handle: UInt32
    /// Lower case, "00:16:3e:xx:xx:xx".
    public var mac: String
    public var link = NetworkLink.user
    /// What `bridge=` says, or the default; shown in xenstore.
    public var bridge = "xenbr0"
    public var script = "vif-bridge"
    public var interfaceName: String?
    public var ip: String?
    public var model: String?
    public var mtu: UInt32 = 1500
    public var rate: NetworkRate?
    public var isTrusted = true
    /// Ports of the host that lead to the guest; only with ``NetworkLink/user``.
    public var forwards: [PortForward] = []

    public init(handle: UInt32, mac: String) {
        self.handle = handle
        self.mac = mac
    }
}

/// Where the guest's packets go.
public enum NetworkLink: Codable, Equatable, Sendable {
    /// A network of the guest's own with DHCP, DNS and NAT, out of the host's sockets (libslirp).
    case user
    /// A tap interface, made by us and put into a bridge; needs the right to do so.
    case bridge(String)
    /// A tap interface that exists.
    case tap(String)
    /// A hub shared with the other guests that name the same path: a Unix socket that the first one serves.
    case hub(path: String)
}

/// `rate=`: the guest may send so many bytes in each interval.
public struct NetworkRate: Codable, Equatable, Sendable {
    public var bytesPerInterval: UInt64
    public var intervalMicroseconds: UInt32

    public init(bytesPerInterval: UInt64, intervalMicroseconds: UInt32) {
        self.bytesPerInterval = bytesPerInterval
        self.intervalMicroseconds = intervalMicroseconds
    }
}

/// `hostfwd=tcp:ADDRESS:PORT-GUEST:PORT`.
public struct PortForward: Codable, Equatable, Sendable {
    public enum Transport: String, Codable, Sendable { case tcp, udp }
    public var transport: Transport
    /// IPv4 address to listen at; empty for every address.
    public var hostAddress: String
    public var hostPort: UInt16
    /// IPv4 address of the guest; empty for the one that DHCP gives.
    public var guestAddress: String
    public var guestPort: UInt16

    public init(transport: Transport, hostAddress: String, hostPort: UInt16, guestAddress: String, guestPort: UInt16) {
        self.transport = transport
        self.hostAddress = hostAddress
        self.hostPort = hostPort
        self.guestAddress = guestAddress
        self.guestPort = guestPort
    }
}

/// One device of a running guest, as `block-list`, `network-list` and `top` show it.
public struct DeviceStatus: Codable, Equatable, Sendable {
    /// "vbd" or "vif".
    public var kind: String
    /// Device number or handle.
    public var id: UInt32
    /// The xenbus state of the guest's end.
    public var state: Int
    /// The guest's ports and grant references, in the order of its xenstore nodes; empty while not connected.
    public var eventChannels: [UInt32] = []
    public var ringReferences: [UInt32] = []
    public var backendPath: String
    public var mac: String?
    /// Since the guest was built, over all connections. For a vif "in" is what the guest received.
    public var requestsIn: UInt64 = 0
    public var requestsOut: UInt64 = 0
    public var bytesIn: UInt64 = 0
    public var bytesOut: UInt64 = 0
    public var errors: UInt64 = 0

    public init(kind: String, id: UInt32, state: Int, backendPath: String) {
        self.kind = kind
        self.id = id
        self.state = state
        self.backendPath = backendPath
    }
}
