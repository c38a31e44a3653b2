import DomainConfig
import Testing

@Suite("Which kind of guest a configuration asks for") struct GuestTypeTests {
    enum Expectation: Equatable, Sendable {
        /// The guest's kind, and how many warnings and refusals come with it.
        case type(DomainType, warnings: Int = 0, refusals: Int = 0)
        case error(String)
    }

    /// Every row of xl-interface 3 with the decisions D1, D2 and D6.
    @Test(
        "every combination has one answer",
        arguments: [
            ("type='pvh'", .type(.pvh)),
            ("type='pv'", .type(.pv, refusals: 1)),
            ("type='hvm'", .type(.hvm, refusals: 1)),
            ("type=''", .error("type")), ("type='p'", .error("type")), ("type='PVH'", .error("type")), ("type=1", .error("type")),
            ("builder='hvm'", .type(.hvm, refusals: 1)),
            ("builder='generic'", .type(.pv, refusals: 1)),
            ("builder='linux'", .error("Invalid domain type \"linux\"")), ("builder='pvh'", .error("Invalid domain type \"pvh\"")),
            ("type='hvm'\nbuilder='hvm'", .type(.hvm, refusals: 1)),
            ("type='pv'\nbuilder='generic'", .type(.pv, refusals: 1)),
            ("type='pvh'\nbuilder='hvm'", .error("Contradicting")),
            ("type='pvh'\nbuilder='generic'", .error("Contradicting")),
            ("type='pv'\nbuilder='hvm'", .error("Contradicting")),
            ("type='hvm'\nbuilder='generic'", .error("Contradicting")),
            ("builder='hvm'\ndevice_model_version='none'", .type(.pvh, warnings: 1)),
            ("device_model_version='none'", .type(.pvh, warnings: 1)),
            ("pvh=1", .type(.pvh, warnings: 1)),
            ("pvh=1\ndevice_model_version='none'", .type(.pvh, warnings: 1)),
            ("pvh=1\nbuilder='hvm'", .type(.pvh, warnings: 1)),
            ("pvh=1\nbuilder='hvm'\ndevice_model_version='none'", .type(.pvh, warnings: 1)),
            ("pvh=1\ntype='pvh'", .type(.pvh, warnings: 1)),
            ("type='pvh'\ndevice_model_version='none'", .type(.pvh, warnings: 1)),
            ("pvh=1\ntype='pv'", .error("pvh=1")), ("pvh=1\ntype='hvm'", .error("pvh=1")), ("pvh=1\nbuilder='generic'", .error("pvh=1")),
            ("type='hvm'\ndevice_model_version='none'", .error("device_model_version=\"none\"")),
            ("type='pv'\ndevice_model_version='none'", .error("device_model_version=\"none\"")),
            ("builder='generic'\ndevice_model_version='none'", .error("device_model_version=\"none\"")),
            ("type='pvh'\ndevice_model_version='qemu-xen'", .type(.pvh, warnings: 1)),
            ("type='pvh'\ndevice_model_version='foo'", .error("device_model_version")),
            ("type='pvh'\npvh=0", .type(.pvh)),
            ("type='pv'\npvh=0", .type(.pv, refusals: 1)),
            ("pvh=0", .type(.pv, refusals: 1)),
            ("", .type(.pv, refusals: 1)),
        ] as [(String, Expectation)])
    func matrix(text: String, expected: Expectation) {
        let (description, diagnostics) = read(text, probe: .noPVHEntry("an ELF program without Xen notes"))
        switch expected {
        case .type(let type, let warnings, let refusals):
            #expect(description?.type == type)
            #expect(diagnostics.count { $0.severity == .warning } == warnings)
            #expect(diagnostics.count { $0.severity == .refusal } == refusals)
        case .error(let word):
            #expect(description == nil)
            #expect(diagnostics.count { $0.severity == .error && $0.cause.contains(word) } == 1)
        }
    }

    @Test("without a type the kernel decides, and the answer says so")
    func kernelDecides() {
        let (description, diagnostics) = read("", probe: .carriesPVHEntry)
        #expect(description?.type == .pvh)
        #expect(diagnostics.map(\.line) == ["f:2: no type= is given; /k carries the PVH entry note, so this is a PVH guest"])
        #expect(read("", probe: .unreadable("/k: no such file")).diagnostics.map(\.severity) == [.refusal])
    }

    @Test("the kernel is not looked at when the configuration tells the type")
    func noProbe() {
        _ = DomainDescription.read(Array("name='t'\nkernel='/k'\nmemory=64\ntype='pvh'".utf8), source: "f") { _ in
            Issue.record("probed")
            return .carriesPVHEntry
        }
    }

    private func read(_ text: String, probe: KernelProbe) -> (description: DomainDescription?, diagnostics: [ConfigDiagnostic]) {
        DomainDescription.read(Array("name='t'\nkernel='/k'\nmemory=64\n\(text)\n".utf8), source: "f") { _ in probe }
    }
}

@Suite("The seeds' configurations") struct SeedTests {
    @Test(
        "parse as they stand and ask for a PVH guest",
        arguments: [
            ("sospv2-hvm-none", "sospv2", 4096, 8, "/root/64/vmlinuz-4.11.0-pvh+", "/dev/vg0/pvclient2"),
            ("sospv2-pvh-1", "sospv2", 4096, 8, "/root/64/vmlinuz-4.11.0-pvh+", "/dev/vg0/pvclient2"),
            ("pvh-hvm-none", "pvh", 8192, 2, "/root/64/vmlinux", "/root/virt/f22.img"),
            ("pvh-hvm-none-indented", "pvh", 8192, 2, "/root/64/vmlinux", "/root/virt/f22.img"),
        ] as [(String, String, UInt64, Int, String, String)])
    func verbatim(file: String, name: String, memory: UInt64, vcpus: Int, kernel: String, image: String) throws {
        let (read, diagnostics) = read(fixture("seeds/\(file).cfg"))
        let description = try #require(read)
        #expect(description.type == .pvh)
        #expect(description.name == name)
        #expect(description.memoryKiB == memory * 1024)
        #expect(description.effectiveVCPUs == vcpus)
        #expect(description.kernel == kernel)
        #expect(description.commandLine == "root=/dev/xvda1 console=hvc0")
        #expect(description.disks.map(\.device.target) == [image])
        #expect(description.disks.map(\.device.vdev) == ["xvda"])
        #expect(description.disks.allSatisfy { $0.device.isWritable && $0.device.format == .raw })
        #expect(diagnostics.allSatisfy { $0.severity == .warning })
        #expect(diagnostics.count { $0.remedy.contains("type=\"pvh\"") } == 1, "one warning names today's spelling")
    }

    @Test("the two lines to add turn a configuration into a PVH guest")
    func twoLines() {
        let text = "name='x'\nkernel='/k'\nmemory=64\n" + fixture("seeds/two-lines-to-add.cfg")
        #expect(read(text).description?.type == .pvh)
    }

    @Test("an empty vif string is one interface")
    func emptyVif() {
        #expect(read(fixture("seeds/sospv2-pvh-1.cfg")).description?.networks.map(\.device) == [NetworkSpecification(deviceID: 0)])
    }

    private func read(_ text: String) -> (description: DomainDescription?, diagnostics: [ConfigDiagnostic]) {
        DomainDescription.read(Array(text.utf8), source: "f") { _ in .noPVHEntry("") }
    }
}
