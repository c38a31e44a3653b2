import DomainConfig
import Testing

/// What no guest of this version gets is shown in a dry run all the same, as libxl shows it: members, order and defaults of its type
/// descriptions (`libxl_types.idl`, Xen 4.17 to 4.20).
@Suite("Configurations that are only shown") struct ShownOnlyTests {
    private func read(_ text: String, type: String = "pvh") -> (DomainDescription?, [ConfigDiagnostic]) {
        DomainDescription.read(Array("name='t'\ntype='\(type)'\nkernel='/k'\nmemory=256\n\(text)".utf8), source: "f") { _ in
            .noPVHEntry("")
        }
    }

    /// One line of JSON without blanks.
    private func line(_ value: JSONText?) -> String { (value?.text() ?? "").filter { $0 != " " && $0 != "\n" } }

    private func build(_ text: String, type: String = "pvh") throws -> JSONText {
        let (description, diagnostics) = read(text, type: type)
        return try #require(description?.json(uuid: "-")["b_info"], "\(diagnostics.map(\.line))")
    }

    // MARK: - vnuma

    @Test("virtual NUMA nodes, which decide about vCPUs and memory")
    func nodes() throws {
        let build = try build(
            """
            vcpus=2
            vnuma=[ ["pnode=0","size=128","vcpus=0,2-3","vdistances=10,20"], [" pnode = 1 ", "size=64", "vcpus=1"] ]
            """)
        let shown =
            #"[{"memkb":131072,"distances":[10,20],"vcpus":[0,2,3]},{"memkb":65536,"distances":[0,0],"pnode":1,"vcpus":[1]}]"#
        #expect(line(build["vnuma_nodes"]) == shown)
        #expect(line(build["max_vcpus"]) == "4" && line(build["avail_vcpus"]) == "[0,1]" && line(build["max_memkb"]) == "196608")
        #expect(build["numa_placement"] == .string("False"))
        guard case .object(let members) = build else { return }
        #expect(members.map(\.0).prefix(6) == ["max_vcpus", "avail_vcpus", "numa_placement", "max_memkb", "target_memkb", "vnuma_nodes"])
    }

    @Test(
        "wrong nodes are errors with a remedy",
        arguments: [
            "vnuma=['pnode=0']", "vnuma=1", "vnuma=[['size=x']]", "vnuma=[['vcpus=1-0']]", "vnuma=[['vcpus=128']]",
            "vnuma=[['vdistances=1,2']]", "vnuma=[['nodes=1']]", "vnuma=[['pnode=-1']]", "maxvcpus=3\nvnuma=[['vcpus=0']]",
            "maxmem=64\nvnuma=[['size=65']]", "vnuma=[['size=99999999999999999999']]",
        ])
    func wrongNodes(text: String) {
        let (description, diagnostics) = read(text)
        let error = diagnostics.first { $0.severity == .error }
        #expect(description == nil && error?.cause.contains("`vnuma'") == true && error?.remedy.isEmpty == false)
    }

    // MARK: - vsnd

    @Test("sound cards with their devices and streams")
    func sound() throws {
        let (description, _) = read(
            """
            vsnd = [
              ["CARD, short-name=Main, sample-rates=44100;48000, channels-min=2",
               "PCM, name=dev1, buffer-size=65536", "stream, unique-id=pcmp1, type=P, sample-formats=s16_le;U8",
               "STREAM, unique-id=pcmc1, type=c", "pcm, name=dev2"],
              ["card, backend=b"], ["stream, unique-id=x"]
            ]
            """)
        let cards = [
            #"{"devid":0,"short_name":"Main","params":{"sample_rates":[44100,48000],"channels_min":2},"pcms":[{"name":"dev1","#,
            #""params":{"buffer_size":65536},"streams":[{"unique_id":"pcmp1","type":"p","params":{"sample_formats":["s16_le","u8"]}},"#,
            #"{"unique_id":"pcmc1","type":"c","params":{}}]},{"name":"dev2","params":{}}]},"#,
            #"{"backend_domname":"b","devid":1,"params":{}},"#,
            #"{"devid":2,"params":{},"pcms":[{"params":{},"streams":[{"unique_id":"x","params":{}}]}]}"#,
        ]
        #expect(line(description?.json(uuid: "-")["vsnds"]) == "[" + cards.joined() + "]")
    }

    @Test(
        "wrong cards are errors with a remedy",
        arguments: [
            "['x, y=1']", "['card, name=1']", "['pcm, name']", "['stream, type=q']", "['card, sample-formats=s17']",
            "['card, channels-min=-1']", "['']",
        ])
    func wrongSound(card: String) {
        let (description, diagnostics) = read("vsnd=[\(card)]")
        let error = diagnostics.first { $0.severity == .error }
        #expect(description == nil && error?.cause.contains("vsnd") == true && error?.remedy.isEmpty == false)
    }

    // MARK: - hvm

    @Test("every key of full machines shows in their JSON", arguments: KnownKey.all.filter { $0.readers == .hvm }.map(\.name))
    func emulated(name: String) throws {
        let key = try #require(KnownKey.named(name))
        // vncviewer, which became an option of create, is the one that shows nowhere.
        guard name != "vncviewer" else { return }
        let uuid = "6b1f8b39-6e1e-4a64-9a0b-0a51d8b4c401"
        let samples = ["stdvga": "1", "rdm": "\"strategy=host\""]
        let (plain, _) = read("", type: "hvm")
        let (description, diagnostics) = read("\(name) = \(samples[name] ?? key.sample)", type: "hvm")
        #expect(diagnostics.allSatisfy { $0.severity == .refusal && $0.place?.line == 2 }, "\(diagnostics.map(\.line))")
        let text = try #require(description).json(uuid: uuid).text()
        #expect(text != plain?.json(uuid: uuid).text())
        let back = DomainDescription.read(json: try JSONText(parsing: Array(text.utf8)), source: "j")
        #expect(back.description?.json(uuid: uuid).text() == text && back.diagnostics.isEmpty, "\(back.diagnostics.map(\.line))")
    }

    @Test("a machine with most of it, in libxl's order")
    func machine() throws {
        let build = try build(
            """
            bios="ovmf"
            firmware_override="/f"
            pae=1
            nx=0
            apic=0
            acpi_s3=0
            viridian=["all","!freq","defaults"]
            mmio_hole=1024
            hdtype="ahci"
            vga="stdvga"
            vnc=1
            vnclisten="0.0.0.0"
            vncdisplay=3
            keymap="de"
            sdl=0
            spice=1
            spiceport=6000
            gfx_passthru="igd"
            serial=["pty","null"]
            boot="cd"
            usbdevice="tablet"
            xen_platform_pci=1
            vendor_device="none"
            rdm="strategy=host,policy=relaxed"
            mca_caps=["lmce"]
            hvm_pirq=1
            smbios=["oem=a=b"]
            """, type: "hvm")
        #expect(build["apic"] == .string("False"))
        let all = (0..<64).filter { $0 != 1 }.map { "\($0)" }.joined(separator: ",")
        let shown = [
            #"{"firmware":"/f","bios":"ovmf","pae":"True","acpi_s3":"False","nx":"False","viridian":"True","viridian_enable":[\#(all)],"#,
            #""viridian_disable":[1],"mmio_hole_memkb":1048576,"smbios":[{"key":"oem","value":"a=b"}],"hdtype":"ahci","#,
            #""vga":{"kind":"std"},"vnc":{"enable":"True","listen":"0.0.0.0","display":3},"keymap":"de","sdl":{"enable":"False"},"#,
            #""spice":{"enable":"True","port":6000},"gfx_passthru":"True","gfx_passthru_kind":"igd","boot":"cd","usbdevice":"tablet","#,
            #""xen_platform_pci":"True","serial_list":["pty","null"],"rdm":{"strategy":"host","policy":"relaxed"},"mca_caps":1,"#,
            #""pirq":"True"}"#,
        ]
        #expect(line(build["type.hvm"]) == shown.joined())
    }

    @Test(
        "firmware= of a full machine is short for a BIOS, or a path",
        arguments: [("bios", nil, nil), ("uefi", "ovmf", nil), ("seabios", "seabios", nil), ("/x", nil, "/x")]
            as [(String, String?, String?)])
    func firmware(word: String, bios: String?, path: String?) throws {
        let machine = try build("firmware='\(word)'", type: "hvm")["type.hvm"]
        #expect(machine?["bios"]?.string == bios && machine?["firmware"]?.string == path)
    }

    @Test(
        "values a full machine cannot have are errors with a remedy",
        arguments: [
            "bios='x'", "mmio_hole=255", "mmio_hole=3841", "vga='x'", "hdtype='scsi'", "viridian=['x']", "vendor_device='x'",
            "gfx_passthru='x'", "rdm='x=1'", "mca_caps=['x']", "ms_vm_genid='x'", "smbios=['x=1']", "smbios=['oem']",
        ])
    func wrongMachine(text: String) {
        let (description, diagnostics) = read(text, type: "hvm")
        let error = diagnostics.first { $0.severity == .error }
        #expect(description == nil && error?.line.hasPrefix("f:5: ") == true && error?.remedy.isEmpty == false)
    }

    @Test("a classic guest's e820_host shows in its JSON")
    func classic() throws {
        #expect(line(try build("e820_host=1", type: "pv")["type.pv"]) == #"{"e820_host":"True"}"#)
    }
}
