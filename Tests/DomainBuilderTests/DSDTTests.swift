import Glibc
import Testing

@testable import DomainBuilder

@Suite("DSDT") struct DSDTTests {
    @Test("Lengths are encoded as ACPI asks", arguments: [
        (0, [0x01]), (62, [0x3f]), (63, [0x41, 0x04]), (0xffd, [0x4f, 0xff]), (0xffe, [0x81, 0x00, 0x01]),
    ] as [(Int, [UInt8])])
    func packageLength(count: Int, bytes: [UInt8]) {
        #expect(AML.packageLength(of: count) == bytes)
    }

    @Test("Integers take their shortest form", arguments: [
        (0, [0x00]), (1, [0x01]), (2, [0x0a, 2]), (0x100, [0x0b, 0, 1]), (0xfc00_0000, [0x0c, 0, 0, 0, 0xfc]),
        (1 << 32, [0x0e, 0, 0, 0, 0, 1, 0, 0, 0]),
    ] as [(UInt64, [UInt8])])
    func integer(value: UInt64, bytes: [UInt8]) {
        #expect(AML.integer(value) == bytes)
    }

    @Test("Plug-and-play identifiers are compressed")
    func eisaID() {
        // The specification's own example is PNP0C0C = 0x0C0CD041.
        #expect(AML.eisaID("PNP0C0C") == [0x0c, 0x41, 0xd0, 0x0c, 0x0c])
    }

    @Test("The table fits the space Xen's takes, for any number of processors")
    func size() {
        #expect(DSDT.table(processors: 128).count <= Int(ACPITables.reservedDSDTSize))
    }

    static let iasl: String? = (["/usr/bin/iasl", "/usr/local/bin/iasl"] as [String]).first { unsafe access($0, X_OK) == 0 }

    @Test("iasl reads the table back and compiles its own listing without errors",
        .enabled(if: iasl != nil, "iasl (package acpica-tools) is not installed"), arguments: [1, 2, 128])
    func disassembly(processors: Int) throws {
        guard let iasl = Self.iasl else { return }
        let folder = try #require(makeTemporaryFolder())
        defer { _ = unsafe system("rm -rf '\(folder)'") }
        write(DSDT.table(processors: processors), to: "\(folder)/dsdt.aml")
        #expect(unsafe system("cd '\(folder)' && '\(iasl)' -d dsdt.aml >listing.log 2>&1 && ! grep -qi 'error\\|invalid\\|unresolved' listing.log") == 0)
        #expect(unsafe system("cd '\(folder)' && '\(iasl)' -p again dsdt.dsl >compile.log 2>&1 && grep -q ' 0 Errors' compile.log") == 0)
        // The compiler writes its own creator id and checksum; all else must come back as it was.
        #expect(unsafe system("cd '\(folder)' && tail -c +37 dsdt.aml >a && tail -c +37 again.aml >b && cmp -s a b") == 0)
        let count = "test $(grep -c 'Processor (PR' '\(folder)/dsdt.dsl') = \(processors) && grep -q 'PNP0C0C' '\(folder)/dsdt.dsl'"
        #expect(unsafe system(count) == 0)
    }

    private func makeTemporaryFolder() -> String? {
        var template = Array("/tmp/martlet-dsdt-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { return nil }
        return String(decoding: template.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private func write(_ bytes: [UInt8], to path: String) {
        guard let stream = unsafe fopen(path, "wb") else { return }
        _ = unsafe fwrite(bytes, 1, bytes.count, stream)
        _ = unsafe fclose(stream)
    }
}
