import ControlProtocol
import DomainConfig
import Glibc
import Testing
import Toolstack

@Suite("Devices on this host") struct DeviceTranslationTests {
    private let place = ConfigPlace(source: "g.cfg", line: 5)

    @Test("a disk is found, with every default filled in")
    func disk() throws {
        let scratch = try Scratch()
        let image = scratch.write("a.img", "x")
        let disk = try DiskDescription(DiskSpecification(parsing: "\(image),raw,xvdb,rw"), at: place)
        var expected = DiskDescription(vdev: "xvdb", deviceNumber: 51728, target: image)
        expected.backendType = "phy"
        #expect(disk == expected)
    }

    @Test(
        "format and backendtype decide what the xenstore calls the backend",
        arguments: [
            ("raw,xvda", "phy"), ("qcow2,xvda", "qdisk"), ("raw,xvda,w,backendtype=qdisk", "qdisk"), ("raw,xvda,w,backendtype=phy", "phy"),
        ])
    func backends(parameters: String, expected: String) throws {
        let scratch = try Scratch()
        let image = scratch.write("a.img", "x")
        #expect(try DiskDescription(DiskSpecification(parsing: "\(image),\(parameters)"), at: nil).backendType == expected)
    }

    @Test("read-only disks take no discards, and empty drives need no image")
    func readOnly() throws {
        let scratch = try Scratch()
        let disk = try DiskDescription(DiskSpecification(parsing: "\(scratch.write("a.img", "x")),,xvda,ro,discard"), at: nil)
        #expect(disk.isReadOnly && !disk.allowsDiscard)
        let drive = try DiskDescription(DiskSpecification(parsing: "vdev=hdc,cdrom"), at: nil)
        #expect(drive.isCDROM && drive.isReadOnly && drive.target == "" && drive.deviceNumber == 5632)
    }

    @Test(
        "a disk the host cannot give names file, line, path and the way out",
        arguments: [
            ("/nonexistent,raw,xvda,w", 6, "g.cfg:5: disk xvda: /nonexistent: No such file or directory"),
            ("/tmp,raw,xvda,w", 3, "g.cfg:5: disk xvda: /tmp: neither a regular file nor a block device"),
            ("no-such-image,raw,xvda,w", 6, "g.cfg:5: disk xvda: no-such-image: neither /dev/no-such-image nor"),
            ("/etc/passwd,qcow2,xvda,r,backendtype=phy", 6, "g.cfg:5: disk xvda: backendtype=phy serves raw images only"),
            ("/etc/passwd,raw,foo,r", 6, "g.cfg:5: disk foo: vdev=foo names no virtual disk"),
        ] as [(String, Int32, String)])
    func missing(text: String, code: Int32, cause: String) throws {
        let specification = try DiskSpecification(parsing: text)
        let error = #expect(throws: OperatorError.self) { try DiskDescription(specification, at: place) }
        #expect(error?.cause.hasPrefix(cause) == true, "\(String(describing: error))")
        #expect(error?.code.rawValue == code)
        #expect(error?.remedy.isEmpty == false)
    }

    /// A host with the bridge br0, the interface eth0, and nothing else.
    private func interfaces(_ scratch: Scratch) -> String {
        for directory in ["net", "net/br0", "net/br0/bridge", "net/eth0"] { unsafe mkdir("\(scratch.path)/\(directory)", 0o700) }
        return scratch.path + "/net"
    }

    @Test(
        "where an interface leads depends on what the host has",
        arguments: [
            ("", .user), ("bridge=xenbr0", .user), ("bridge=user", .user), ("bridge=br0", .bridge("br0")),
            ("bridge=tap:eth0", .tap("eth0")),
            ("bridge=hub:/run/h", .hub(path: "/run/h")), ("hostfwd=tcp::2222-:22", .user),
        ] as [(String, NetworkLink)])
    func links(text: String, expected: NetworkLink) throws {
        let scratch = try Scratch()
        let network = try NetworkSpecification.parse(text, deviceID: 0).network
        #expect(try NetworkDescription(network, at: place, interfaces: interfaces(scratch)).link == expected)
    }

    @Test("the default bridge is used where it exists, but ports are forwarded by a user-mode network")
    func defaultBridge() throws {
        let scratch = try Scratch()
        let interfaces = interfaces(scratch)
        let plain = try NetworkDescription(NetworkSpecification(deviceID: 0), at: nil, defaultBridge: "br0", interfaces: interfaces)
        #expect(plain.link == .bridge("br0") && plain.bridge == "br0")
        let forwarding = try NetworkSpecification.parse("hostfwd=tcp::1-:2", deviceID: 0).network
        #expect(try NetworkDescription(forwarding, at: nil, defaultBridge: "br0", interfaces: interfaces).link == .user)
    }

    @Test(
        "an interface the host cannot give is one line and its remedy",
        arguments: [
            ("bridge=br9", "g.cfg:5: vif 0: bridge=br9: there is no such bridge on this host"),
            ("bridge=eth0", "g.cfg:5: vif 0: bridge=eth0: there is no such bridge on this host"),
            ("bridge=tap:t9", "g.cfg:5: vif 0: bridge=tap:t9: there is no such interface on this host"),
            ("bridge=../eth0", "g.cfg:5: vif 0: bridge=../eth0: there is no such bridge on this host"),
            ("backend=nope", "g.cfg:5: vif 0: backend=nope: no other domain can serve an interface"),
        ])
    func absent(text: String, cause: String) throws {
        let scratch = try Scratch()
        let network = try NetworkSpecification.parse(text, deviceID: 0).network
        let interfaces = interfaces(scratch)
        let error = #expect(throws: OperatorError.self) { try NetworkDescription(network, at: place, interfaces: interfaces) }
        #expect(error?.cause == cause)
        #expect(error?.remedy.isEmpty == false)
        #expect(error?.code == .creationFailed)
    }

    @Test("addresses are Xen's, random, and with a clear top bit in the fourth byte")
    func addresses() throws {
        var seen: Set<String> = []
        for _ in 0..<200 {
            let mac = try NetworkDescription(NetworkSpecification(deviceID: 0), at: nil, interfaces: "/nonexistent").mac
            #expect(mac.hasPrefix("00:16:3e:") && mac.utf8.count == 17)
            #expect(UInt8(mac.split(separator: ":")[3], radix: 16)! < 0x80)
            seen.insert(mac)
        }
        #expect(seen.count > 190)
    }

    @Test("what a specification says is what the guest gets")
    func carried() throws {
        let text = "mac=00:16:3e:00:00:09,mtu=9000,rate=10Mb/s,ip=10.0.0.2,vifname=v0,model=e1000,untrusted,script=vif-nat,devid=2"
        let network = try NetworkDescription(NetworkSpecification.parse(text, deviceID: 0).network, at: nil, interfaces: "/nonexistent")
        #expect(network.handle == 2 && network.mac == "00:16:3e:00:00:09" && network.mtu == 9000 && network.ip == "10.0.0.2")
        #expect(network.rate == NetworkRate(bytesPerInterval: 62500, intervalMicroseconds: 50000) && network.interfaceName == "v0")
        #expect(network.model == "e1000" && !network.isTrusted && network.script == "vif-nat" && network.bridge == "xenbr0")
    }
}
