import KernelImage
import TestSupport
import Testing

@Suite("Image reports") struct ImageReportTests {
    private static func kernel(_ notes: [(type: UInt32, content: [UInt8])]) -> [UInt8] {
        var writer = ELFWriter.pvhKernel()
        writer.notes = notes
        return writer.bytes()
    }

    private static let pvhNote: (UInt32, [UInt8]) = (18, ELFWriter.little(UInt32(0x10_0000)))
    private static let linuxNote: (UInt32, [UInt8]) = (6, ELFWriter.text("linux"))

    @Test("Kernels without a PVH entry are told why, and what would help", arguments: [
        ([], "no Xen notes at all", "CONFIG_XEN_PVH=y"),
        ([(5, "xen-3.0"), (6, "linux"), (10, "!writable_page_tables|pae_pgdir_above_4gb")], "a Xen PV kernel", "CONFIG_XEN_PVH=y"),
        ([(5, "xen-3.0"), (10, "writable_descriptor_tables|auto_translated_physmap|supervisor_mode_kernel|hvm_callback_vector")], "PVHv1", "Linux 4.11 or later"),
    ] as [([(UInt32, String)], String, String)])
    func refusals(notes: [(UInt32, String)], reason: String, remedy: String) {
        let report = ImageReport(Self.kernel(notes.map { ($0.0, ELFWriter.text($0.1)) }), fileName: "vmlinux")
        #expect(!report.verdict.canBoot)
        #expect(report.verdict.reason.contains(reason))
        #expect(report.verdict.remedy?.contains(remedy) == true)
        #expect(report.text.contains("Boots as PVH: no: "))
        #expect(report.text.contains("What helps: "))
    }

    @Test("Files that are no kernels are told what they are", arguments: [
        ([], "the file is empty"), (Array("#!/bin/sh".utf8), "a script"), (Array("070701".utf8), "an initramfs"),
        (Array("MZ".utf8) + [UInt8](repeating: 0, count: 100), "an EFI-only image"),
        ([UInt8](repeating: 0, count: 0x38) + Array("ARMd".utf8), "64-bit ARM"),
    ] as [([UInt8], String)])
    func foreignFiles(bytes: [UInt8], words: String) {
        let report = ImageReport(bytes, fileName: "thing")
        #expect(report.text.hasPrefix("thing: not a kernel that can be loaded\nBoots as PVH: no: "))
        #expect(report.text.contains(words))
        #expect(report.json.text.contains("\"boots\": false"))
    }

    @Test("A kernel that can boot is described with its notes and where they were found")
    func goodKernel() {
        let report = ImageReport(Self.kernel([Self.linuxNote, Self.pvhNote]), fileName: "vmlinux")
        #expect(report.text == """
            vmlinux: 64-bit ELF kernel
            Boots as PVH: yes: its PHYS32_ENTRY note gives a 32-bit entry point at 0x100000.

            Memory it occupies: 0x100000 to 0x100001 (0 KiB)
              segment at 0x100000: 1 bytes from the file, 1 in memory
            Xen notes:
              GUEST_OS      "linux"  (PT_NOTE segment, byte 0xb1)
              PHYS32_ENTRY  0x100000  (PT_NOTE segment, byte 0xc9)
            Features: none

            """)
    }

    @Test("A bzImage is described with its version and packing")
    func bzImage() {
        let report = ImageReport(ELFWriter.bzImage(payload: Fixture.payload("small", .zstd), version: "6.12.1 test"), fileName: "vmlinuz")
        #expect(report.kind == "Linux bzImage (boot protocol 2.15), packed with zstd, holding a 64-bit ELF kernel")
        #expect(report.text.contains("\nVersion: 6.12.1 test\n"))
        #expect(report.verdict.canBoot)
    }

    @Test("A Linux kernel with the entry but without Xen support is warned about")
    func entryOnly() {
        let report = ImageReport(ELFWriter.bzImage(payload: Self.kernel([Self.pvhNote])), fileName: "vmlinuz")
        #expect(report.verdict.canBoot)
        #expect(report.verdict.reason.contains("without CONFIG_XEN"))
        #expect(report.verdict.remedy?.contains("CONFIG_XEN=y") == true)
    }

    @Test("An entry outside of the kernel, or a kernel above 4 GiB, cannot boot")
    func unreachable() {
        let outside = ImageReport(ELFWriter.pvhKernel(entry: 0x20_0000).bytes(), fileName: "k")
        #expect(outside.verdict.reason.contains("lies outside of the kernel"))
        var writer = ELFWriter.pvhKernel()
        writer.segments.append(.init(physicalAddress: 0xffff_ffff_8100_0000, bytes: [1]))
        let high = ImageReport(writer.bytes(), fileName: "k")
        #expect(high.verdict.reason.contains("must lie below 4 GiB"))
        #expect(!outside.verdict.canBoot && !high.verdict.canBoot)
    }

    @Test("The JSON form holds the same facts in a fixed order")
    func json() {
        let report = ImageReport(Self.kernel([Self.linuxNote, Self.pvhNote]), fileName: "a \"b\"\n")
        #expect(report.json.text == """
            {
              "file": "a \\"b\\"\\n",
              "kind": "64-bit ELF kernel",
              "compression": null,
              "outer_gzip": false,
              "kernel_version": null,
              "pvh": {
                "boots": true,
                "reason": "its PHYS32_ENTRY note gives a 32-bit entry point at 0x100000",
                "remedy": null,
                "entry": "0x100000"
              },
              "elf_bits": 64,
              "segments": [
                {
                  "address": "0x100000",
                  "file_bytes": 1,
                  "memory_bytes": 1
                }
              ],
              "relocation": null,
              "notes": [
                {
                  "name": "GUEST_OS",
                  "type": 6,
                  "value": "linux",
                  "found_in": "PT_NOTE segment",
                  "offset": 177
                },
                {
                  "name": "PHYS32_ENTRY",
                  "type": 18,
                  "value": "0x100000",
                  "found_in": "PT_NOTE segment",
                  "offset": 201
                }
              ],
              "features": [],
              "unknown_features": []
            }
            """)
    }

    @Test("JSON text is escaped and empty containers stay on one line")
    func jsonWriter() {
        #expect(JSONValue.string("\u{1}\t\\é").text == "\"\\u0001\\t\\\\é\"")
        #expect(JSONValue.array([]).text == "[]")
        #expect(JSONValue.object([]).text == "{}")
        #expect(JSONValue.array([.integer(-1), .bool(false), .null]).text == "[\n  -1,\n  false,\n  null\n]")
    }
}
