import DomainConfig
import Testing

@Suite("Network interface specifications") struct NetworkSpecificationTests {
    private func parse(_ text: String) throws -> NetworkSpecification { try NetworkSpecification.parse(text, deviceID: 0).network }

    @Test("an empty text is an interface with all defaults")
    func empty() throws {
        #expect(try parse("") == NetworkSpecification(deviceID: 0))
        #expect(try parse(" , ,") == NetworkSpecification(deviceID: 0))
    }

    @Test("every parameter finds its place, with blanks around or not")
    func all() throws {
        let network = try parse(
            "type=vif, mac=00:16:3E:0:0:1 ,bridge = br0,ip=10.0.0.2 10.0.0.3,script=vif-nat,backend=0,vifname=eth-guest,model=e1000,"
                + "rate=10Mb/s,devid=3,mtu=9000,gatewaydev=eth1,untrusted")
        #expect(network.kind == .vif && network.mac == "00:16:3e:00:00:01" && network.bridge == "br0" && network.ip == "10.0.0.2 10.0.0.3")
        #expect(network.script == "vif-nat" && network.backendDomain == "0" && network.interfaceName == "eth-guest")
        #expect(network.model == "e1000" && network.deviceID == 3 && network.mtu == 9000 && network.gatewayDevice == "eth1")
        #expect(network.isTrusted == false && network.rate?.bytesPerInterval == 62500)
    }

    @Test(
        "rates are bytes in an interval",
        arguments: [
            ("10Mb/s", 62500, 50000), ("250KB/s", 12500, 50000), ("1MB/s@20ms", 20000, 20000), ("1GB/s", 50_000_000, 50000),
            ("800b/s@1s", 100, 1_000_000), ("1MB/s@100us", 100, 100), ("20B/s", 1, 50000),
        ] as [(String, UInt64, UInt32)])
    func rates(text: String, bytes: UInt64, interval: UInt32) throws {
        #expect(try parse("rate=\(text)").rate == .init(bytesPerInterval: bytes, intervalMicroseconds: interval))
    }

    @Test(
        "bridge= says where an interface leads",
        arguments: [
            ("", .automatic), ("bridge=", .automatic), ("bridge=xenbr0", .bridge("xenbr0")), ("bridge=user", .user),
            ("bridge=tap:t0", .tap("t0")), ("bridge=hub:/run/hub", .hub("/run/hub")),
        ] as [(String, NetworkSpecification.Link)])
    func links(text: String, expected: NetworkSpecification.Link) throws {
        #expect(try parse(text).link == expected)
    }

    @Test("ports of the host are forwarded, several of them, with addresses or without")
    func forwards() throws {
        let network = try parse("hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=udp::53-10.0.2.15:5353,hostfwd=:127.0.0.1:80-:80")
        #expect(network.forwards.map(\.text) == ["tcp:127.0.0.1:2222-:22", "udp::53-10.0.2.15:5353", "tcp:127.0.0.1:80-:80"])
        #expect(network.forwards.first?.hostPort == 2222 && network.forwards.first?.guestPort == 22)
        #expect(network.concerns.isEmpty)
    }

    @Test(
        "an error names the parameter and says what to write",
        arguments: [
            ("mac=xx:16:3e:00:00:01", "mac=xx"), ("mac=00:16:3e:00:00", "mac=00:16:3e:00:00 "), ("mac=001122334455", "mac="),
            ("mac=01:00:5e:00:00:01", "a group's"), ("mac=00:00:00:00:00:00", "zero"), ("mac=00:16:3e:00:00:+1", "mac="),
            ("type=foo", "type: `foo'"), ("rate=foo", "invalid rate in `foo'"), ("rate=10MB", "invalid rate"),
            ("rate=1MB/s@5", "invalid rate"),
            ("rate=1MB/s@0ms", "invalid rate"), ("rate=99999999999999GB/s", "invalid rate"), ("rate=1B/s", "not one bytes"),
            ("mtu=x", "mtu=x"), ("mtu=67", "mtu=67"), ("mtu=65536", "mtu=65536"), ("devid=-1", "devid=-1"),
            ("vifname=waytoolonginterfacename", "vifname="), ("vifname=a/b", "vifname="), ("bridge=tap:", "bridge=tap:"),
            ("bridge=a,bridge=b", "bridge= is given twice"), ("hostfwd=tcp:127.0.0.1:2222", "hostfwd="),
            ("hostfwd=sctp:127.0.0.1:1-:1", "hostfwd="), ("hostfwd=tcp:127.0.0.1:0-:1", "hostfwd="),
            ("hostfwd=tcp:localhost:1-:1", "not IPv4"),
            ("hostfwd=tcp::65536-:1", "hostfwd="), ("hostfwd=tcp::80-:80,hostfwd=tcp::80-:81", "taken twice"),
        ])
    func errors(text: String, cause: String) {
        let error = #expect(throws: SpecificationError.self) { try parse(text) }
        #expect(error?.cause.contains(cause) == true, "\(String(describing: error))")
        #expect(error?.remedy.isEmpty == false)
    }

    @Test(
        "unknown and unsupported words are warned of, with the nearest known one",
        arguments: [
            ("foo", "`foo'", "parameters are"), ("bridg=x", "`bridg'", "`bridge'"), ("MAC=x", "`MAC'", "parameters are"),
            ("trusted=0", "`trusted'", "`trusted'"), ("accel=x", "`accel'", "remove"), ("netdev=eth1", "netdev=", "gatewaydev"),
        ])
    func warnings(text: String, cause: String, remedy: String) throws {
        let warnings = try NetworkSpecification.parse(text, deviceID: 0).warnings
        #expect(warnings.map(\.severity) == [.warning])
        #expect(warnings.first?.cause.contains(cause) == true)
        #expect(warnings.first?.remedy.contains(remedy) == true, "\(warnings)")
    }

    @Test(
        "what no guest can have is refused, what is not run is warned of",
        arguments: [
            ("type=ioemu", .refusal), ("backend=nope", .refusal), ("backend=Domain-0", nil), ("vlan=3", .refusal),
            ("forwarddev=x", .refusal),
            ("script=vif-nat", .warning), ("script=/etc/xen/scripts/vif-bridge", nil), ("gatewaydev=e", .warning),
            ("bridge=br0,hostfwd=tcp::1-:1", .refusal), ("bridge=user,hostfwd=tcp::1-:1", nil),
        ] as [(String, ConfigDiagnostic.Severity?)])
    func concerns(text: String, expected: ConfigDiagnostic.Severity?) throws {
        #expect(try parse(text).concerns.map(\.severity) == (expected.map { [$0] } ?? []))
    }

    @Test("interfaces are numbered in the order of the list, and no number twice")
    func numbers() {
        let config = "name='t'\ntype='pvh'\nkernel='/k'\nmemory=64\nvif=['', 'devid=7', '',\n'devid=2']"
        let (description, diagnostics) = DomainDescription.read(Array(config.utf8), source: "f") { _ in .noPVHEntry("") }
        #expect(description == nil)
        #expect(diagnostics.map(\.line) == ["f:6: vif \"devid=2\": another interface is number 2 already"])
    }
}
