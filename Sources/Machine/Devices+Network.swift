import ControlProtocol
import HostIO
import NetBackend
import XenBus
import XenDomain

/// Network interfaces: from the description to a link and the device before it.
extension Devices {
    /// More rings than this bring a guest nothing: one thread serves them all.
    static let maximumQueueCount = 4

    /// Adds a network interface. The guest's driver decides when it connects.
    ///
    /// - Throws: an error that names the interface and what its link lacks; nothing is open and no node is left then.
    func attach(_ network: NetworkDescription) throws(OperatorError) {
        let name = "vif \(network.handle)"
        let configuration = try NetConfiguration(network, queueLimit: min(domain.configuration.vcpuCount, Self.maximumQueueCount))
        let device: NetDevice
        do throws(LinkFailure) {
            device = try makeDevice(configuration, try makeLink(network))
        } catch {
            throw OperatorError("\(name): \(error.cause)", remedy: error.remedy, code: .invalid)
        }
        try plug(device, named: name)
    }

    private func makeDevice(_ configuration: NetConfiguration, _ link: sending any FrameLink) throws(LinkFailure) -> NetDevice {
        do throws(HostError) {
            return try NetDevice(configuration, DomainAccess(domain), link: link) { [log] in log.write($0) }
        } catch {
            throw LinkFailure("\(error)", remedy: "raise ulimit -n and ulimit -u")
        }
    }

    private func makeLink(_ network: NetworkDescription) throws(LinkFailure) -> any FrameLink {
        guard case .user = network.link else {
            guard network.forwards.isEmpty else {
                throw LinkFailure("hostfwd= is only for the user network", remedy: "write bridge=user, or leave hostfwd= out")
            }
            return try makeSharedLink(network)
        }
        return try UserNetwork(
            mtu: network.mtu, hostName: guestName, forwards: network.forwards.map(UserNetwork.Forward.init)
        ) { [log] in log.write($0) }
    }

    private func makeSharedLink(_ network: NetworkDescription) throws(LinkFailure) -> any FrameLink {
        switch network.link {
        case .tap(let name): try TapLink(existing: name)
        case .hub(let path): try HubLink(path: path) { [log] in log.write($0) }
        case .bridge(let bridge):
            try TapLink(
                new: network.interfaceName ?? "vif\(domain.configuration.domainID).\(network.handle)", bridge: bridge, mtu: network.mtu)
        case .user: preconditionFailure("the user network is nobody else's")
        }
    }
}

extension NetConfiguration {
    /// Where Xen keeps the scripts that a name without a directory means.
    private static let scriptDirectory = "/etc/xen/scripts/"

    init(_ network: NetworkDescription, queueLimit: Int) throws(OperatorError) {
        guard let mac = MACAddress(network.mac), !mac.isGroup else {
            throw OperatorError(
                "vif \(network.handle): mac=`\(network.mac)' is no address of an interface", remedy: "write mac=00:16:3e:xx:xx:xx",
                code: .invalid)
        }
        guard (68...65535).contains(network.mtu) else {
            throw OperatorError("vif \(network.handle): mtu=\(network.mtu) is out of range", remedy: "use 68 to 65535", code: .invalid)
        }
        self.init(handle: network.handle, mac: mac)
        mtu = network.mtu
        rate = network.rate.map { Rate(bytesPerInterval: $0.bytesPerInterval, intervalMicroseconds: $0.intervalMicroseconds) }
        maximumQueueCount = queueLimit
        bridge = network.bridge
        script = network.script.hasPrefix("/") ? network.script : Self.scriptDirectory + network.script
        interfaceName = network.interfaceName
        ip = network.ip
        isTrusted = network.isTrusted
    }
}

extension UserNetwork.Forward {
    init(_ forward: PortForward) {
        self.init(
            isUDP: forward.transport == .udp, hostAddress: forward.hostAddress, hostPort: forward.hostPort,
            guestAddress: forward.guestAddress, guestPort: forward.guestPort)
    }
}
