import DomainConfig
import Testing

@Suite("Disk specifications") struct DiskSpecificationTests {
    /// What a specification says, in short: target, vdev, format, "w" or "r".
    private func summary(_ text: String) throws -> [String?] {
        let disk = try DiskSpecification(parsing: text)
        return [disk.target, disk.vdev, disk.format.rawValue, disk.isWritable ? "w" : "r"]
    }

    @Test(
        "positional, named and prefixed parameters say the same",
        arguments: [
            ("/a,raw,xvda,w", ["/a", "xvda", "raw", "w"]), ("/a,raw,xvda,rw", ["/a", "xvda", "raw", "w"]),
            ("/a,raw,xvda,r", ["/a", "xvda", "raw", "r"]), ("/a,raw,xvda,ro", ["/a", "xvda", "raw", "r"]),
            ("/a,,xvda", ["/a", "xvda", "raw", "w"]), ("/a,raw,xvda,", ["/a", "xvda", "raw", "w"]),
            ("/a, raw,\txvda, w", ["/a", "xvda", "raw", "w"]), ("/a,qcow2,hda,w", ["/a", "hda", "qcow2", "w"]),
            ("format=raw,vdev=xvda,access=rw,target=/a", ["/a", "xvda", "raw", "w"]),
            ("vdev=xvda,/a,vhd", ["/a", "xvda", "vhd", "w"]), ("vdev=xvda,target=/a b,c=d", ["/a b,c=d", "xvda", "raw", "w"]),
            ("vdev=xvda,vdev=xvda,/a", ["/a", "xvda", "raw", "w"]),
            ("phy:/dev/vg/x,xvda,r", ["/dev/vg/x", "xvda", "raw", "r"]), ("phy:vg/x,xvda,w", ["vg/x", "xvda", "raw", "w"]),
            ("file:/a,xvda1,w", ["/a", "xvda1", "raw", "w"]), ("tap:aio:/a,xvda,w", ["/a", "xvda", "raw", "w"]),
            ("tap2:qcow2:/a,xvda,w", ["/a", "xvda", "qcow2", "w"]), ("vhd:/a,xvda", ["/a", "xvda", "vhd", "w"]),
            ("file:/a,ioemu:hda,w", ["/a", "hda", "raw", "w"]), ("nbd:1.2.3.4,xvda,w", ["1.2.3.4", "xvda", "raw", "w"]),
            ("/a,raw,hda:disk,w", ["/a", "hda", "raw", "w"]), ("/a,raw,hdc:cdrom,w", ["/a", "hdc", "raw", "r"]),
            (",empty,hdc:cdrom", ["", "hdc", "empty", "r"]), ("devtype=cdrom,vdev=hdc", [nil, "hdc", "raw", "r"]),
        ] as [(String, [String?])])
    func forms(text: String, expected: [String?]) throws {
        #expect(try summary(text) == expected)
    }

    @Test("flags and the rarer parameters")
    func flags() throws {
        let disk = try DiskSpecification(
            parsing: "/a,raw,xvda,w,no-discard,direct-io-safe,untrusted,backendtype=qdisk,backend=0,specification=xen,script=block")
        #expect(disk.allowsDiscard == false && disk.isDirectIOSafe && disk.isTrusted == false && disk.backend == .qdisk)
        #expect(disk.backendDomain == "0" && disk.protocolName == .xen && disk.script == "block" && disk.concerns.isEmpty)
        #expect(try DiskSpecification(parsing: "drbd:res0,xvda").script == "block-drbd")
        let drive = try DiskSpecification(parsing: "/a,,xvdc,cdrom,access=w")
        #expect(drive.isCDROM && drive.isRemovable && !drive.isWritable)
    }

    @Test(
        "an error names the parameter and says what to write",
        arguments: [
            ("", "no vdev", "xvda"), ("/a,raw", "no vdev", "xvda"), ("target=/a", "no vdev", "xvda"), ("vdev=xvda", "no target", "xvda"),
            ("/a,foo,xvda", "format: `foo'", "qcow2"), ("/a,raw ,xvda", "format: `raw '", "raw"), ("/a,raw,xvda,x", "access: `x'", "ro"),
            ("/a,raw,xvda,!", "access: `!'", "rw"), ("/a,raw,xvda,w,foo", "`foo' is one", "target, format, vdev"),
            ("/a,raw,xvda,w,vdv=xvdb", "unknown parameter `vdv='", "`vdev='"), ("/a,raw,xvda,w,zzzzzz=1", "`zzzzzz='", "backendtype="),
            ("/a,raw,xvda,w,backendtype=foo", "backendtype: `foo'", "qdisk"), ("/a,raw,xvda,devtype=floppy", "devtype: `floppy'", "cdrom"),
            ("vdev=xvda,vdev=xvdb,/a", "vdev is given twice", "keep one"), ("/a,raw,xvda,ro,access=w", "access is given twice", "keep one"),
            ("foo:/a,xvda", "prefix `foo:'", "path"), ("hda:,xvda", "prefix `hda:'", "path"), ("/a=b,raw,xvda", "equals sign", "target="),
            ("script:foo:bar,xvda,w", "format: `xvda'", "raw"), ("discard,no-discard,/a,raw,xvda", "discard is given twice", "keep one"),
        ])
    func errors(text: String, cause: String, remedy: String) {
        let error = #expect(throws: SpecificationError.self) { try DiskSpecification(parsing: text) }
        #expect(error?.cause.contains(cause) == true, "\(String(describing: error))")
        #expect(error?.remedy.contains(remedy) == true, "\(String(describing: error))")
    }

    @Test(
        "what no guest can have is refused, what changes little is warned of",
        arguments: [
            ("/a,raw,xvda", nil), ("/a,raw,foo", .refusal), ("/a,empty,xvda", .refusal), (",raw,xvda", .refusal),
            (",empty,hdc:cdrom", nil), ("vdev=hdc,cdrom", nil), ("/a,raw,xvda,backend=dom", .refusal), ("nbd:x,xvda", .refusal),
            ("/a,raw,xvda,specification=virtio", .refusal), ("/a,raw,xvda,backendtype=standalone", .refusal),
            ("/a,raw,xvda,backendtype=tap", .warning), ("/a,raw,xvda,colo", .refusal), ("/a,raw,xvda,colo-host=h", .refusal),
        ] as [(String, ConfigDiagnostic.Severity?)])
    func concerns(text: String, expected: ConfigDiagnostic.Severity?) throws {
        let concerns = try DiskSpecification(parsing: text).concerns
        #expect(concerns.map(\.severity) == (expected.map { [$0] } ?? []))
        #expect(concerns.allSatisfy { !$0.remedy.isEmpty })
    }

    @Test(
        "device names have the numbers of xen-vbd-interface(7)",
        arguments: [
            ("xvda", 51712), ("xvda1", 51713), ("xvdb", 51728), ("xvdp15", 51967), ("xvdq", 268_439_552), ("xvda16", 268_435_472),
            ("xvdaa", 268_442_112), ("d0", 51712), ("d0p1", 51713), ("d16", 268_439_552), ("hda", 768), ("hdb1", 833), ("hdc", 5632),
            ("hdd63", 5759), ("sda", 2048), ("sdp15", 2303), ("51712", 51712), ("0xca00", 51712), ("0", 0),
            ("foo", nil), ("xvd", nil), ("xvda256", nil), ("xvda1x", nil), ("hde", nil), ("hda64", nil), ("sdq", nil), ("sda16", nil),
            ("vda", nil), ("", nil), ("-1", nil), ("xvdA", nil), ("d", nil), ("dp1", nil), ("xvdzzzzzz", nil), ("536870912", nil),
            ("99999999999999999999", nil), ("xvda99999999999", nil),
        ] as [(String, UInt32?)])
    func numbers(vdev: String, expected: UInt32?) {
        #expect(VirtualDeviceNumber(vdev: vdev)?.value == expected)
    }

    @Test("errors carry file and line of the very disk, and two disks do not share a name or a writable image")
    func places() {
        let config = """
            name='t'
            type='pvh'
            kernel='/k'
            memory=64
            disk=[
              '/a,raw,xvda,w',
              '/b,raw,xvda,w', # the same name
              '/a,raw,xvdc,r', # the same image
              '/c,raw,xvdd,x',
            ]
            """
        let diagnostics = DomainDescription.read(Array(config.utf8), source: "f") { _ in .noPVHEntry("") }.diagnostics
        #expect(
            diagnostics.map(\.line) == [
                "f:7: disk xvda: another disk has this name already, /a",
                "f:8: disk xvdc: /a is given twice, and not only for reading",
                "f:9: disk \"/c,raw,xvdd,x\": unknown value for access: `x'",
            ])
        #expect(diagnostics.map(\.severity) == [.refusal, .refusal, .error])
    }
}
