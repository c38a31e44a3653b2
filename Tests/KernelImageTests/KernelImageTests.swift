@testable import KernelImage
import TestSupport
import Testing

@Suite("Kernel images") struct KernelImageTests {
    @Test("Every payload packing yields the same kernel", arguments: Compression.allCases)
    func payloads(compression: Compression) throws {
        for (name, size) in [("small", 620), ("large", 600_220)] {
            let file = ELFWriter.bzImage(payload: Fixture.payload(name, compression), version: "6.1.0-56 (x)")
            let image = try KernelImage.parse(file, fileName: "vmlinuz")
            let reference = try KernelImage.parse(
                ELFWriter.bzImage(payload: Fixture.payload(name, .gzip)), fileName: "vmlinuz")
            #expect(image.bytes.count == size)
            #expect(image.bytes == reference.bytes)
            #expect(image.pvhEntry == 0x10_0000)
            guard case .bzImage(let header, let found) = image.container else {
                Issue.record("not recognised as a bzImage")
                return
            }
            #expect(found == compression)
            #expect(header.kernelVersion == "6.1.0-56 (x)")
        }
    }

    @Test("The unpacked bytes are those that were packed")
    func unpackedBytes() throws {
        // Sizes and sums as make-payloads.py prints them.
        for (name, sum) in [("small", 52_770), ("large", 62_593_950)] {
            let image = try KernelImage.parse(ELFWriter.bzImage(payload: Fixture.payload(name, .lzo)), fileName: "vmlinuz")
            #expect(image.bytes.reduce(0) { $0 + Int($1) } == sum)
        }
    }

    @Test("A gzip around a whole bzImage or ELF file is undone")
    func outerGzip() throws {
        let elf = try KernelImage.parse(Fixture.payload("small", .gzip), fileName: "k.gz")
        #expect(elf.isOuterGzip)
        #expect(elf.container == .elf)
        #expect(elf.pvhEntry == 0x10_0000)
    }

    @Test("A payload that is not packed is loaded as it is")
    func plainPayload() throws {
        let image = try KernelImage.parse(ELFWriter.bzImage(payload: ELFWriter.pvhKernel().bytes()), fileName: "k")
        guard case .bzImage(_, nil) = image.container else {
            Issue.record("not recognised as a bzImage without packing")
            return
        }
        #expect(image.segments.count == 1)
    }

    @Test("Segments keep physical address, file bytes and memory size", arguments: [true, false])
    func segments(is64Bit: Bool) throws {
        var writer = ELFWriter.pvhKernel(bytes: [1, 2, 3], memorySize: 4096)
        writer.segments.append(.init(physicalAddress: 0x20_0000, bytes: [9], memorySize: 1))
        writer.is64Bit = is64Bit
        writer.machine = is64Bit ? 62 : 3
        let image = try KernelImage.parse(writer.bytes(), fileName: "vmlinux")
        #expect(image.is64Bit == is64Bit)
        #expect(image.segments.map(\.physicalAddress) == [0x10_0000, 0x20_0000])
        #expect(image.segments.map(\.memorySize) == [4096, 1])
        #expect(image.segments.map { Array(image.bytes[$0.file]) } == [[1, 2, 3], [9]])
        #expect(image.lowestAddress == 0x10_0000)
        #expect(image.endAddress == 0x20_0001)
    }

    @Test("Notes are found in segments and in sections", arguments: [ELFWriter.NotePlace.segment, .section], [true, false])
    func notes(place: ELFWriter.NotePlace, is64Bit: Bool) throws {
        var writer = ELFWriter.pvhKernel()
        writer.is64Bit = is64Bit
        writer.machine = is64Bit ? 62 : 3
        writer.notePlace = place
        writer.notes = [
            (6, ELFWriter.text("linux")), (10, ELFWriter.text("!writable_page_tables|pae_pgdir_above_4gb|bogus")),
            (17, ELFWriter.little(UInt32(0x8801))), (3, ELFWriter.little(UInt64(0xffff_ffff_8000_0000))),
            (18, ELFWriter.little(UInt32(0x10_0000))), (19, [0x20_0000, 0x100_0000, 0xffff_ffff].flatMap { ELFWriter.little(UInt32($0)) }),
            (77, [1]),
        ]
        let image = try KernelImage.parse(writer.bytes(), fileName: "vmlinux")
        #expect(image.notes.map(\.name) == ["GUEST_OS", "FEATURES", "SUPPORTED_FEATURES", "VIRT_BASE", "PHYS32_ENTRY", "PHYS32_RELOC", "unknown (77)"])
        #expect(image.notes.allSatisfy { $0.place == (place == .segment ? .segment : .section) })
        #expect(image.note(.guestOS)?.text == "linux")
        #expect(image.note(.virtBase)?.number == 0xffff_ffff_8000_0000)
        #expect(image.pvhEntry == 0x10_0000)
        #expect(image.relocation == .init(alignment: 0x20_0000, minimumAddress: 0x100_0000, maximumAddress: 0xffff_ffff))
        #expect(image.features.names == ["!writable_page_tables", "pae_pgdir_above_4gb", "dom0", "linux_rsdp_unrestricted"])
        #expect(image.features.unknownNames == ["bogus"])
    }

    @Test("Sections are looked at only when no segment has a Xen note")
    func segmentsFirst() throws {
        var writer = ELFWriter.pvhKernel()
        writer.notePlace = .section
        writer.segments.append(.init(type: 4, physicalAddress: 0, bytes: ELFWriter.pvhKernel(entry: 0x10_0004).noteBytes))
        let image = try KernelImage.parse(writer.bytes(), fileName: "vmlinux")
        #expect(image.notes.map(\.place) == [.segment])
        #expect(image.pvhEntry == 0x10_0004)
    }

    @Test("The legacy section is read when there are no notes")
    func legacySection() throws {
        var writer = ELFWriter(segments: [.init(physicalAddress: 0x10_0000, bytes: [0xf4])])
        writer.notePlace = .legacySection
        writer.legacyText = "GUEST_OS=linux,GUEST_VER=2.6,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,PAE=yes[extended-cr3],LOADER=generic"
        let image = try KernelImage.parse(writer.bytes(), fileName: "vmlinux")
        #expect(image.notes.map(\.name) == ["GUEST_OS", "GUEST_VERSION", "XEN_VERSION", "VIRT_BASE", "PAE_MODE", "LOADER"])
        #expect(image.note(.virtBase)?.number == 0xc000_0000)
        #expect(image.note(.guestOS)?.place == .legacySection)
        #expect(image.pvhEntry == nil)
    }

    @Test("PHYS32_RELOC without numbers has the documented defaults")
    func relocationDefaults() throws {
        var writer = ELFWriter.pvhKernel()
        writer.notes.append((19, []))
        let image = try KernelImage.parse(writer.bytes(), fileName: "vmlinux")
        #expect(image.relocation == .init(alignment: 4096, minimumAddress: 0, maximumAddress: 0xffff_ffff))
    }

    @Test("A gzip ramdisk is unpacked, also out of several members, and anything else is left alone")
    func ramdisk() throws {
        let packed = Fixture.payload("small", .gzip)
        let once = try #require(Ramdisk.unpacked(packed, limit: 1 << 20))
        #expect(once.count == 620)
        #expect(Ramdisk.unpacked(packed + packed + [0, 0, 0], limit: 1 << 20) == once + once)
        #expect(Ramdisk.unpacked(packed + [1], limit: 1 << 20) == nil)
        #expect(Ramdisk.unpacked(packed.dropLast(), limit: 1 << 20) == nil)
        #expect(Ramdisk.unpacked(packed, limit: 619) == nil)
        #expect(Ramdisk.unpacked(Array("070701".utf8), limit: 1 << 20) == nil)
    }
}

extension Ramdisk {
    static func unpacked(_ bytes: ArraySlice<UInt8>, limit: Int) -> [UInt8]? { unpacked(Array(bytes), limit: limit) }
}
