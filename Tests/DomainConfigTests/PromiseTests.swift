import DomainConfig
import Testing

/// What the lists, manuals and patches of 2014 to 2017 told of PVH guests, in the order of that table; the number of its row leads each name.
@Suite("What PVH configurations were promised") struct PromiseTests {
    private func read(_ text: String, probe: KernelProbe = .noPVHEntry("no PVH kernel")) -> (DomainDescription?, [ConfigDiagnostic]) {
        DomainDescription.read(Array(text.utf8), source: "f") { _ in probe }
    }

    private func pvh(_ text: String) throws -> DomainDescription {
        try #require(read("name='t'\ntype='pvh'\nkernel='/k'\nmemory=256\n" + text).0)
    }

    private func refusal(_ text: String) -> ConfigDiagnostic? {
        read("name='t'\nkernel='/k'\nmemory=256\n" + text).1.first { $0.severity == .refusal || $0.severity == .error }
    }

    @Test(
        "1, 2, 3, 5, 35: each way there ever was to ask for PVH gives PVH, and the old ones say so once",
        arguments: [
            ("builder='hvm'\ndevice_model_version='none'", 1), ("pvh=1", 1), ("pvh=1\ndevice_model_version='none'", 1), ("type='pvh'", 0),
        ])
    func spellings(text: String, warnings: Int) throws {
        let (description, diagnostics) = read("name='t'\nkernel='/k'\nmemory=256\n" + text)
        #expect(description?.type == .pvh)
        #expect(diagnostics.count { $0.severity == .warning && $0.remedy.contains("type=\"pvh\"") } == warnings)
        #expect(description?.json(uuid: "-")["c_info"]?["type"] == .string("pvh"), "the canonical form is printed")
    }

    @Test(
        "4 to 15: the example files parse as they stand: disks in three notations, accesses, an empty interface, command line, memory, vCPUs",
        arguments: [
            ("sospv2-hvm-none", #"["/dev/vg0/pvclient2","xvda","raw",true]"#),
            ("sospv2-pvh-1", #"["/dev/vg0/pvclient2","xvda","raw",true]"#),
            ("pvh-hvm-none", #"["/root/virt/f22.img","xvda","raw",true]"#),
        ])
    func examples(file: String, disk: String) throws {
        let description = try #require(read(fixture("seeds/\(file).cfg")).0)
        let shown = description.disks.map {
            "[\"\($0.device.target ?? "")\",\"\($0.device.vdev)\",\"\($0.device.format)\",\($0.device.isWritable)]"
        }
        #expect(shown == [disk])
        #expect(description.commandLine == "root=/dev/xvda1 console=hvc0")
        #expect([2, 8].contains(description.effectiveVCPUs) && description.effectiveMemoryKiB >= 4096 << 10)
        #expect(description.networks.allSatisfy { $0.device == NetworkSpecification(deviceID: 0) })
    }

    @Test("16: without a type Xen means PV; a kernel with the PVH note makes it PVH, another one a refusal that explains type=\"pvh\"")
    func noType() {
        #expect(read("name='t'\nkernel='/k'\nmemory=256", probe: .carriesPVHEntry).0?.type == .pvh)
        #expect(refusal("")?.remedy.contains("type=\"pvh\"") == true)
    }

    @Test(
        "17, 18: full machines are recognised and refused with the way out, nographic or not",
        arguments: ["type='hvm'", "builder='hvm'", "type='hvm'\nnographic=1"])
    func fullMachines(text: String) {
        let refusal = refusal(text)
        #expect(refusal?.cause.contains("device model") == true && refusal?.remedy.contains("type=\"pvh\"") == true)
        #expect(refusal?.exitCode == 1)
    }

    @Test("19: nestedhvm is read, off by default, and refused when it is on")
    func nested() throws {
        #expect(try pvh("").json(uuid: "-")["b_info"]?["nested_hvm"] == nil)
        #expect(try pvh("nestedhvm=0").json(uuid: "-")["b_info"]?["nested_hvm"] == .string("False"))
        #expect(refusal("type='pvh'\nnestedhvm=1")?.cause.contains("hypervisor") == true)
    }

    @Test("20: apic is on unless it is switched off")
    func apic() throws {
        #expect(try pvh("").apic == nil && pvh("apic=0").apic == false && pvh("apic=1").apic == true)
    }

    @Test("21, 23: a boot loader and its arguments are read in both forms; a string is deprecated and split at blanks")
    func bootloader() throws {
        let arguments = JSONText.array([.string("-q"), .string("--entry=1")])
        #expect(
            try pvh("bootloader='pygrub'\nbootloader_args=['-q','--entry=1']").json(uuid: "-")["b_info"]?["bootloader_args"] == arguments)
        let (description, diagnostics) = read("name='t'\ntype='pvh'\nmemory=256\nbootloader='pygrub'\nbootloader_args=' -q  --entry=1'")
        #expect(description?.json(uuid: "-")["b_info"]?["bootloader_args"] == arguments)
        #expect(diagnostics.contains { $0.severity == .warning && $0.cause.contains("deprecated") })
    }

    @Test("22: a kernel or a boot loader must be given")
    func kernel() {
        #expect(read("name='t'\ntype='pvh'\nmemory=256").1.map(\.line) == ["f: Neither kernel nor bootloader specified"])
        #expect(read("name='t'\ntype='pvh'\nmemory=256\nbootloader='x'").0 != nil)
    }

    @Test(
        "24 to 28, 39: the four timer modes by name and, deprecated, by number; the default is no_delay_for_missed_ticks",
        arguments: [
            ("'delay_for_missed_ticks'", .delayForMissedTicks, 0), ("'no_delay_for_missed_ticks'", .noDelayForMissedTicks, 0),
            ("'no_missed_ticks_pending'", .noMissedTicksPending, 0), ("'one_missed_tick_pending'", .oneMissedTickPending, 0),
            ("0", .delayForMissedTicks, 1), ("3", .oneMissedTickPending, 1), ("4", nil, 0), ("'never'", nil, 0), ("'-1'", nil, 0),
        ] as [(String, DomainDescription.TimerMode?, Int)])
    func timerModes(text: String, expected: DomainDescription.TimerMode?, warnings: Int) {
        let (description, diagnostics) = read("name='t'\ntype='pvh'\nkernel='/k'\nmemory=256\ntimer_mode=\(text)")
        #expect(description?.timerMode == expected)
        #expect((description == nil) == (expected == nil))
        #expect(diagnostics.count { $0.severity == .warning } == warnings)
    }

    @Test("28: PV guests have no timer mode")
    func pvTimerMode() {
        #expect(read("name='t'\ntype='pv'\nkernel='/k'\nmemory=256\ntimer_mode=1").0 == nil)
    }

    @Test("29, 30, 32: hap and oos are read, shown and change nothing", arguments: [("hap", 0), ("hap", 1), ("oos", 0), ("oos", 1)])
    func paging(key: String, value: Int) throws {
        let (description, diagnostics) = read("name='t'\ntype='pvh'\nkernel='/k'\nmemory=256\n\(key)=\(value)")
        #expect(description?.json(uuid: "-")["c_info"]?[key] == .string(value == 0 ? "False" : "True"))
        #expect(diagnostics.map(\.severity) == [.note])
    }

    @Test(
        "31: shadow memory is what is given, else 1 MiB for each vCPU and 4 KiB for each MiB of RAM, 8 KiB without nested paging",
        arguments: [
            ("", 1024 + 1024), ("vcpus=4", 4096 + 1024), ("maxvcpus=4", 4096 + 1024), ("maxmem=512", 1024 + 2048), ("hap=0", 1024 + 2048),
            ("shadow_memory=8", 8192),
        ] as [(String, UInt64)])
    func shadowMemory(text: String, expected: UInt64) throws {
        #expect(try pvh(text).effectiveShadowMemoryKiB == expected)
    }

    @Test("33, 36: keys of every section are accepted for PVH guests")
    func others() throws {
        let (description, diagnostics) = read(
            "name='t'\ntype='pvh'\nkernel='/k'\nmemory=256\nvcpus=2\npool='Pool-0'\ncpus='0-1'\ncpu_weight=512\nseclabel='l'\nnomigrate=1")
        #expect(description != nil && diagnostics.allSatisfy { $0.severity == .note })
    }

    @Test(
        "34: qemu-xen and qemu-xen-traditional are ignored with a warning, other device models are errors",
        arguments: [("qemu-xen", true), ("qemu-xen-traditional", true), ("none", true), ("qemu", false)])
    func deviceModels(word: String, isTaken: Bool) {
        let (description, diagnostics) = read("name='t'\ntype='pvh'\nkernel='/k'\nmemory=256\ndevice_model_version='\(word)'")
        #expect((description != nil) == isTaken)
        #expect(diagnostics.count == 1 && diagnostics.first?.remedy.isEmpty == false)
    }

    @Test(
        "37: the types have libxl's numbers",
        arguments: [(1, "hvm"), (2, "pv"), (3, "pvh"), (-1, "invalid"), (0, "invalid"), (4, "invalid")] as [(Int32, String)])
    func numbers(number: Int32, name: String) {
        #expect(DomainType.name(ofNumber: number) == name)
        #expect(DomainType(number: number)?.number ?? DomainType.invalidNumber == (name == "invalid" ? -1 : number))
    }

    @Test("39: apic is on and nesting off for all that are not PV, without being written down")
    func defaults() throws {
        let build = try #require(try pvh("").json(uuid: "-")["b_info"])
        #expect(build["apic"] == nil && build["nested_hvm"] == nil && build["timer_mode"] == nil)
    }

    @Test("46: an invalid type is an error with a remedy", arguments: ["foo", "PVH", "invalid", "p"])
    func invalid(type: String) {
        #expect(refusal("type='\(type)'")?.severity == .error)
        #expect(refusal("type='\(type)'")?.remedy == "write type=\"pvh\"")
    }
}
