import DomainBuilder
import TestSupport
import Testing
import X86

/// The builder against what a probe kernel saw under Xen 4.17.
@Suite("Start state as captured from Xen 4.17") struct CaptureTests {
    /// A capture and the settings it was made with.
    struct Setting: CustomTestStringConvertible, Sendable {
        var name: String
        var memoryMiB: UInt64 = 256
        var maximumMiB: UInt64?
        var online = 1
        var maximum: Int?
        var ramdisk: [UInt8]?
        var commandLine: [UInt8]?
        var testDescription: String { name }

        func build() throws -> BootImage {
            try DomainBuilder.build(
                BuildRequest(
                    kernel: Builds.probe(), ramdisk: ramdisk, commandLine: commandLine, memoryKiB: memoryMiB << 10,
                    maximumMemoryKiB: maximumMiB.map { $0 << 10 }, onlineVCPUs: online, maximumVCPUs: maximum))
        }
    }

    static let settings = [
        Setting(name: "bare", memoryMiB: 64),
        Setting(name: "mem256", online: 2, ramdisk: Array("module\n".utf8), commandLine: Array("hello=world".utf8)),
        Setting(name: "mem5000", memoryMiB: 5000, online: 4),
        Setting(name: "vcpus8max", maximumMiB: 512, online: 2, maximum: 8),
        Setting(name: "maxmem", maximumMiB: 1024),
        // acpi=0 and apic=0 change nothing.
        Setting(name: "noacpi", online: 2),
        Setting(name: "noapic"),
    ]

    @Test("The start info page is equal byte for byte", arguments: settings)
    func startInfo(setting: Setting) throws {
        let image = try setting.build()
        let expected = try #require(Capture(setting.name).dumps["start_info"])
        #expect(image.startInfoAddress == expected.address)
        #expect(image.memory(expected.address, expected.bytes.count) == expected.bytes)
    }

    @Test("ACPI tables stand at the same addresses with the same bytes", arguments: settings, ["RSDP", "XSDT", "RSDT", "FACP", "FACS", "APIC"])
    func tables(setting: Setting, table: String) throws {
        let image = try setting.build()
        let expected = try #require(Capture(setting.name).dumps[table])
        #expect(image.memory(expected.address, expected.bytes.count) == expected.bytes)
    }

    @Test("The memory map has the same entries in the same order", arguments: settings)
    func memoryMap(setting: Setting) throws {
        let map = try setting.build().memoryMap.map { [$0.address, $0.size, UInt64($0.kind.rawValue)] }
        #expect(map == Capture(setting.name).memoryMap)
    }

    @Test("The first vCPU enters with the same registers", arguments: settings)
    func registers(setting: Setting) throws {
        let state = try setting.build().entryState
        let capture = Capture(setting.name)
        let names: [(String, GPR)] = [
            ("eax", .rax), ("ebx", .rbx), ("ecx", .rcx), ("edx", .rdx), ("esi", .rsi), ("edi", .rdi), ("ebp", .rbp), ("esp", .rsp),
        ]
        for (name, register) in names { #expect(state[register] == capture.value(name), "\(name)") }
        #expect([state.cr0, state.cr2, state.cr3, state.cr4] == ["cr0", "cr2", "cr3", "cr4"].map { capture.value($0) })
        #expect([state.rflags, state.dr6, state.dr7] == ["eflags", "dr6", "dr7"].map { capture.value($0) })
        #expect(state.segments.allSatisfy { $0.selector == 0 && $0.base == 0 })
        #expect(state.gdtr == DescriptorTable(base: 0, limit: 0))
        #expect(state.idtr == DescriptorTable(base: 0, limit: 0))
        #expect(state.rip == 0x10_0000)
        #expect(state.efer == 0)
    }

    @Test("The places read in the hole hold what the probe read there")
    func specialPages() throws {
        let image = try Self.settings[1].build()
        #expect(image.memory(0xfc00_0000, 4) == [0x00, 0x00, 0x02, 0x00])
        #expect(image.memory(0xfeff_e000, 8) == [0xe7, 0, 0, 0, 0xe7, 0, 0x40, 0])
        #expect(image.specialPages == .init(start: 0xfeff8, count: 8))
        // 17 pages beyond RAM: XENMEM_current_reservation answered 0x10011 for a guest of 0x10000 pages.
        #expect(image.specialPages.count + image.acpiPages.count == 17)
        #expect(image.xenstoreGFN == 0xfeffc)
        #expect(image.consoleGFN == 0xfefff)
        #expect(image.identityPageDirectoryGFN == 0xfeffe)
    }

    @Test("Grant 0 is the console's, grant 1 the xenstore's")
    func grants() throws {
        let grants = try Self.settings[0].build().grantEntries
        #expect(grants.map(\.reference) == [0, 1])
        #expect(grants.map(\.frame) == [0xfefff, 0xfeffc])
        #expect(grants.allSatisfy { $0.flags == 1 && $0.domain == 0 })
    }

    @Test("A Linux guest has start info and ramdisk where Xen's builder put them")
    func linux() throws {
        // Debian 6.1 cloud: start info at 0x3e00000 to 0x3e00908, ramdisk (3035152 bytes unpacked) from 0x3e01000.
        let ramdisk = [UInt8](repeating: 0x30, count: 3_035_152)
        let image = try DomainBuilder.build(
            BuildRequest(
                kernel: Builds.linux(), ramdisk: ramdisk, commandLine: Array("console=hvc0 mode=idle".utf8), memoryKiB: 256 << 10,
                onlineVCPUs: 2))
        #expect(image.startInfoAddress == 0x3e0_0000)
        let area = try #require(image.chunks.first { $0.address == 0x3e0_0000 })
        #expect(area.byteCount == 0x908)
        let module = try #require(image.chunks.first { $0.address == 0x3e0_1000 })
        #expect(module.byteCount == 3_035_152)
        #expect(image.rsdpAddress == 0xfc00_8000)
        #expect(image.entryState.rip == 0x100_0850)
    }
}
