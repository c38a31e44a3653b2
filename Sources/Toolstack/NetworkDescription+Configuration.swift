public import ControlProtocol
public import DomainConfig
internal import Glibc

extension NetworkDescription {
    /// The bridge of an interface whose configuration names none.
    public static let defaultBridge = "xenbr0"

    /// Finds out where an interface leads on this host, and gives it an address.
    ///
    /// Without `bridge=`, and with the name of the default bridge, a host that has no such bridge gives a user-mode network, and so does
    /// `hostfwd=`. Any other bridge or tap interface has to exist.
    ///
    /// - Parameters:
    ///   - defaultBridge: what stands in for a missing `bridge=`.
    ///   - interfaces: where the host's interfaces are listed.
    /// - Throws: an error with the place in front when the specification cannot be met.
    public init(
        _ network: NetworkSpecification, at place: ConfigPlace?, defaultBridge: String = Self.defaultBridge,
        interfaces: String = "/sys/class/net"
    ) throws(OperatorError) {
        let subject = (place.map { "\($0): " } ?? "") + "vif \(network.deviceID)"
        for concern in network.concerns where concern.severity == .refusal {
            throw OperatorError(
                "\(subject): \(concern.cause)", remedy: concern.remedy, code: ExitCode(rawValue: concern.exitCode) ?? .failure)
        }
        self.init(handle: network.deviceID, mac: network.mac ?? Self.randomMAC())
        bridge = network.bridge.flatMap { $0.isEmpty ? nil : $0 } ?? defaultBridge
        script = network.script ?? script
        interfaceName = network.interfaceName
        ip = network.ip
        model = network.model
        mtu = network.mtu ?? mtu
        isTrusted = network.isTrusted ?? true
        rate = network.rate.map { NetworkRate(bytesPerInterval: $0.bytesPerInterval, intervalMicroseconds: $0.intervalMicroseconds) }
        forwards = network.forwards.map(PortForward.init)
        link = forwards.isEmpty ? try Self.link(network.link, defaultBridge, interfaces, subject) : .user
    }

    private static func link(
        _ link: NetworkSpecification.Link, _ defaultBridge: String, _ interfaces: String, _ subject: String
    ) throws(OperatorError) -> NetworkLink {
        let exists = { (path: String) in unsafe access("\(interfaces)/\(path)", F_OK) == 0 }
        switch link {
        case .user: return .user
        case .hub(let path): return .hub(path: Files.absolute(path))
        case .automatic: return exists("\(defaultBridge)/bridge") ? .bridge(defaultBridge) : .user
        case .tap(let name):
            guard !name.contains("/"), exists(name) else {
                throw OperatorError(
                    "\(subject): bridge=tap:\(name): there is no such interface on this host",
                    remedy: "make it with `ip tuntap add dev \(name) mode tap user $USER', or write bridge=user", code: .creationFailed)
            }
            return .tap(name)
        case .bridge(let name):
            if !name.contains("/"), exists("\(name)/bridge") { return .bridge(name) }
            if name == defaultBridge { return .user }
            throw OperatorError(
                "\(subject): bridge=\(name): there is no such bridge on this host",
                remedy: "make it with `ip link add \(name) type bridge', or write bridge=user for a network without host set-up",
                code: .creationFailed)
        }
    }

    /// An address of Xen's own range, 00:16:3e, with the top bit of the fourth byte clear.
    static func randomMAC() -> String {
        var generator = SystemRandomNumberGenerator()
        let tail = [UInt8.random(in: 0...0x7f, using: &generator)] + (0..<2).map { _ in UInt8.random(in: 0...0xff, using: &generator) }
        return "00:16:3e" + tail.map { ":" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

extension PortForward {
    fileprivate init(_ forward: NetworkSpecification.Forward) {
        self.init(
            transport: forward.transport == .tcp ? .tcp : .udp, hostAddress: forward.hostAddress, hostPort: forward.hostPort,
            guestAddress: forward.guestAddress, guestPort: forward.guestPort)
    }
}
