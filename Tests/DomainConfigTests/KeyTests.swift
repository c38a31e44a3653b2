import DomainConfig
import Testing

private let base = "name='t'\ntype='pvh'\nkernel='/k'\nmemory=64\n"

private func read(_ text: String) -> (description: DomainDescription?, diagnostics: [ConfigDiagnostic]) {
    DomainDescription.read(Array((base + text).utf8), source: "f") { _ in .noPVHEntry("") }
}

@Suite("Keys") struct KeyTests {
    @Test(
        "an unknown key is ignored with a warning that names the nearest known one",
        arguments: [
            ("memoy=64", "`memory'"), ("vcpu=2", "`vcpus'"), ("kernal='x'", "`kernel'"), ("on_crsah='destroy'", "`on_crash'"),
            ("ramdsik='x'", "`ramdisk'"), ("maxmen=3", "`maxmem'"), ("zzzzzzzzz=1", "martlet.cfg(5)"),
        ])
    func unknown(text: String, hint: String) {
        let (description, diagnostics) = read(text)
        #expect(description != nil)
        #expect(diagnostics.count == 1)
        #expect(diagnostics.first?.severity == .warning)
        #expect(diagnostics.first?.place?.line == 5)
        #expect(diagnostics.first?.remedy.contains(hint) == true)
    }

    @Test(
        "what this version cannot do keeps the guest from starting, unless it is switched off",
        arguments: [
            ("pci=['00:02.0']", 1), ("pci=[]", 0), ("vpmu=1", 1), ("vpmu=0", 0), ("nestedhvm=1", 1), ("nestedhvm=0", 0),
            ("passthrough='enabled'", 1), ("passthrough='disabled'", 0), ("bootloader='pygrub'", 0), ("pvshim=1", 1),
            ("tsc_mode='native_paravirt'", 1), ("vtpm=['backend=0']", 1), ("driver_domain=1", 1), ("vnuma=[['pnode=0']]", 1),
        ])
    func refusals(text: String, count: Int) {
        let (description, diagnostics) = read(text)
        #expect(description != nil)
        #expect(diagnostics.count { $0.severity == .refusal } == count)
        #expect(diagnostics.allSatisfy { !$0.remedy.isEmpty })
    }

    @Test(
        "integers are read as C reads them",
        arguments: [
            ("64", 64), ("0x40", 64), ("0100", 64), ("'0X40'", 64), ("' 64'", 64), ("'+64'", 64),
            ("'64 '", nil), ("'-64'", nil), ("''", nil), ("'0x'", nil), ("'08'", nil), ("'64M'", nil), ("'9223372036854775808'", nil),
            ("[64]", nil), ("0", nil), ("'--1'", nil), ("'٣'", nil),
        ] as [(String, UInt64?)])
    func integers(text: String, expected: UInt64?) {
        let (description, diagnostics) = read("memory=\(text)")
        #expect(description?.memoryKiB == expected.map { $0 * 1024 })
        #expect(diagnostics.count == (expected == nil ? 1 : 0))
        #expect(diagnostics.first?.line.hasPrefix("f:5: `memory' is") ?? true)
    }

    @Test("numbers do not grow by +=")
    func joinedNumber() {
        #expect(read("memory+=64").diagnostics.map(\.severity) == [.error])
    }

    @Test(
        "the kernel's command line comes from cmdline, or from root and extra",
        arguments: [
            ("", nil, 0), ("extra='e'", "e", 0), ("root='r'", "root=r", 0), ("root='r'\nextra='e'", "root=r e", 0),
            ("cmdline='c'\nroot='r'", "c", 1), ("cmdline='c'\nextra='e'", "c", 1), ("cmdline=''", "", 0),
        ] as [(String, String?, Int)])
    func commandLine(text: String, expected: String?, warnings: Int) {
        let (description, diagnostics) = read(text)
        #expect(description?.commandLine == expected)
        #expect(diagnostics.count == warnings)
    }

    @Test("defaults are Xen's")
    func defaults() throws {
        let description = try #require(read("").description)
        #expect(description.effectiveMemoryKiB == 65536 && description.effectiveMaxMemoryKiB == 65536)
        #expect(description.effectiveVCPUs == 1 && description.effectiveMaxVCPUs == 1)
        #expect(description.onPoweroff == .destroy && description.onReboot == .restart && description.onCrash == .destroy)
        #expect(description.onWatchdog == .destroy && description.onSoftReset == .softReset)
    }

    @Test(
        "memory and vCPUs follow from each other",
        arguments: [
            ("maxmem=128", 65536, 131072, 1, 1), ("maxmem=32", 65536, 65536, 1, 1), ("vcpus=3", 65536, 65536, 3, 3),
            ("maxvcpus=3", 65536, 65536, 1, 3), ("vcpus=2\nmaxvcpus=4", 65536, 65536, 2, 4), ("vcpus=0", 65536, 65536, 1, 1),
        ])
    func effective(text: String, memory: UInt64, maximum: UInt64, vcpus: Int, maxVCPUs: Int) throws {
        let description = try #require(read(text).description)
        #expect(description.effectiveMemoryKiB == memory)
        #expect(description.effectiveMaxMemoryKiB == maximum)
        #expect(description.effectiveVCPUs == vcpus)
        #expect(description.effectiveMaxVCPUs == maxVCPUs)
    }

    @Test(
        "names that cannot be a guest's are refused",
        arguments: ["", "a/b", "a\nb", "Domain-0", "a\u{9b}b", String(repeating: "n", count: 201)])
    func badNames(name: String) {
        let escaped = name == "a\nb" ? "a\\nb" : name
        #expect(read("name='\(escaped)'").diagnostics.map(\.severity) == [.error])
    }

    @Test("diagnostics come in the order of the lines")
    func order() {
        #expect(read("pvh=1\nvfb=['']\nzzz=1\non_crash='x'").diagnostics.map(\.place?.line) == [5, 6, 7, 8])
    }

    @Test("a missing name and a missing kernel name the file")
    func missing() {
        let result = DomainDescription.read(Array("memory=64".utf8), source: "my.cfg") { _ in .noPVHEntry("") }
        #expect(
            result.diagnostics.map(\.line) == ["my.cfg: Domain name must be specified", "my.cfg: Neither kernel nor bootloader specified"])
    }
}
