/// A network interface as a configuration asks for it: one string of `vif=[ ]`, or the words of `network-attach`.
///
/// Reference: xl-network-configuration(5). Of our own are `hostfwd=` and the words of `bridge=` that ``Link`` explains.
public struct NetworkSpecification: Equatable, Sendable {
    /// The number of the interface in the guest.
    public var deviceID: UInt32
    public var kind: Kind?
    /// Lower case with colons.
    public var mac: String?
    public var bridge: String?
    public var gatewayDevice: String?
    public var ip: String?
    public var script: String?
    public var backendDomain: String?
    public var interfaceName: String?
    public var model: String?
    public var mtu: UInt32?
    public var vlan: String?
    public var rate: Rate?
    public var isTrusted: Bool?
    /// COLO's `forwarddev=`: shown, never obeyed.
    public var forwardDevice: String?
    public var forwards: [Forward] = []

    public init(deviceID: UInt32) { self.deviceID = deviceID }

    /// `type=`: with or without an emulated card beside the paravirtual one.
    public enum Kind: String, CaseIterable, Sendable {
        case vif, ioemu

        /// The name in libxl's JSON.
        var libxlName: String { self == .vif ? "vif" : "vif_ioemu" }
    }

    /// `rate=`: so many bytes in each interval.
    public struct Rate: Equatable, Sendable {
        public var bytesPerInterval: UInt64
        public var intervalMicroseconds: UInt32

        public init(bytesPerInterval: UInt64, intervalMicroseconds: UInt32) {
            self.bytesPerInterval = bytesPerInterval
            self.intervalMicroseconds = intervalMicroseconds
        }
    }

    /// `hostfwd=tcp:127.0.0.1:2222-:22`: a port of the host that leads to one of the guest. Addresses are IPv4; an empty one of the host
    /// means every address, an empty one of the guest the one it gets by DHCP.
    public struct Forward: Equatable, Sendable {
        public enum Transport: String, CaseIterable, Sendable { case tcp, udp }
        public var transport: Transport
        public var hostAddress: String
        public var hostPort: UInt16
        public var guestAddress: String
        public var guestPort: UInt16

        /// As it is written.
        public var text: String { "\(transport.rawValue):\(hostAddress):\(hostPort)-\(guestAddress):\(guestPort)" }
    }

    /// What `bridge=` asks for.
    public enum Link: Equatable, Sendable {
        /// Nothing is said: the default bridge where the host has it, else a user-mode network.
        case automatic
        /// `bridge=user`
        case user
        /// `bridge=tap:DEVICE`, a tap interface that exists.
        case tap(String)
        /// `bridge=hub:PATH`, a socket shared with other guests.
        case hub(String)
        /// Any other name.
        case bridge(String)
    }

    public var link: Link {
        guard let bridge, !bridge.isEmpty else { return .automatic }
        if bridge == "user" { return .user }
        if bridge.hasPrefix("tap:") { return .tap(String(bridge.dropFirst(4))) }
        if bridge.hasPrefix("hub:") { return .hub(String(bridge.dropFirst(4))) }
        return .bridge(bridge)
    }

    /// The interface as libxl's `libxl_device_nic`; `hostfwd` is a member of our own.
    var json: JSONText {
        var members = JSONMembers()
        members.add("backend_domname", backendDomain)
        members.add("devid", Int64(deviceID))
        members.add("mtu", mtu.map(Int64.init))
        members.add("model", model)
        members.add("mac", mac)
        members.add("ip", ip)
        members.add("bridge", bridge)
        members.add("ifname", interfaceName)
        members.add("script", script)
        members.add("nictype", kind?.libxlName)
        members.add("rate_bytes_per_interval", rate.map { Int64(clamping: $0.bytesPerInterval) })
        members.add("rate_interval_usecs", rate.map { Int64($0.intervalMicroseconds) })
        members.add("gatewaydev", gatewayDevice)
        members.add("coloft_forwarddev", forwardDevice)
        members.add("trusted", isTrusted)
        members.add("vlan", vlan)
        members.add("hostfwd", forwards.map { JSONText.string($0.text) })
        return .object(members.all)
    }
}

// MARK: - What a guest cannot have

extension NetworkSpecification {
    /// What keeps the interface from being created, and what is obeyed only in part.
    public var concerns: [SpecificationConcern] {
        var concerns: [SpecificationConcern] = []
        if kind == .ioemu {
            concerns.append(
                .refusal(
                    "type=ioemu: a PVH guest has no emulated network card", remedy: "write type=vif, or remove type=",
                    exitCode: ConfigDiagnostic.invalid))
        }
        if let domain = backendDomain, !["0", "Domain-0"].contains(domain) {
            concerns.append(
                .refusal(
                    "backend=\(domain): no other domain can serve an interface", remedy: "remove backend=",
                    exitCode: ConfigDiagnostic.creationFailed))
        }
        if vlan != nil { concerns.append(.refusal("vlan=: tagged networks are not supported", remedy: "name the VLAN's own bridge")) }
        if forwardDevice != nil { concerns.append(.refusal("forwarddev=: COLO is not supported", remedy: "remove forwarddev=")) }
        switch link {
        case .bridge, .tap, .hub:
            if !forwards.isEmpty {
                concerns.append(
                    .refusal(
                        "hostfwd=: only a user-mode network forwards ports, not bridge=\(bridge ?? "")",
                        remedy: "write bridge=user, or remove hostfwd="))
            }
        case .automatic, .user: break
        }
        return concerns + ignored
    }

    private var ignored: [SpecificationConcern] {
        var concerns: [SpecificationConcern] = []
        if let script, script != "vif-bridge", !script.hasSuffix("/vif-bridge") {
            concerns.append(
                .warning("script=\(script) is not run: interfaces are linked without scripts", remedy: "say with bridge= where it leads"))
        }
        if gatewayDevice != nil {
            concerns.append(.warning("gatewaydev= changes nothing: it is for the script vif-route", remedy: "remove gatewaydev="))
        }
        return concerns
    }
}
