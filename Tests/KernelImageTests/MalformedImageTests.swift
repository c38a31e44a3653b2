import TestSupport
import Testing

@testable import KernelImage

@Suite("Malformed images") struct MalformedImageTests {
    /// A 64-bit kernel with `bytes` put at `offset`.
    private static func patched(_ offset: Int, _ bytes: [UInt8], _ image: [UInt8] = ELFWriter.pvhKernel().bytes()) -> [UInt8] {
        var copy = image
        copy.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        return copy
    }

    struct Case: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var bytes: [UInt8]
        var offset: Int?
        var cause: String

        init(_ name: String, _ bytes: [UInt8], at offset: Int?, _ cause: String) {
            testDescription = name
            self.bytes = bytes
            self.offset = offset
            self.cause = cause
        }
    }

    static let cases: [Case] = [
        Case("empty", [], at: nil, "the file is empty"),
        Case("text", Array("hello world, this is no kernel".utf8), at: 0, "neither a bzImage nor an ELF file"),
        Case("script", Array("#!/bin/sh\n".utf8), at: 0, "this is a script"),
        Case("initramfs", Array("070701000000".utf8), at: 0, "this is an initramfs"),
        Case("packed initramfs", Fixture.payload("small", .zstd), at: 0, "packed with zstd, probably an initramfs"),
        Case(
            "gzip initramfs", [31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 51, 48, 55, 48, 55, 48, 4, 0, 229, 255, 46, 249, 6, 0, 0, 0], at: 0,
            "this is an initramfs"),
        Case("EFI", Array("MZ".utf8) + [UInt8](repeating: 0, count: 600), at: 0, "EFI-only image"),
        Case("EFI zboot", Array("MZ\0\0zimg".utf8) + [UInt8](repeating: 0, count: 600), at: 4, "EFI-only image"),
        Case("arm64", Array("MZ".utf8) + [UInt8](repeating: 0, count: 0x36) + Array("ARMd".utf8), at: 0x38, "a kernel for 64-bit ARM"),
        Case("boot sector", [UInt8](repeating: 0, count: 0x1fe) + [0x55, 0xaa], at: 0x1fe, "boot sector"),
        Case("qcow2", [0x51, 0x46, 0x49, 0xfb], at: 0, "qcow2"),
        Case("package", Array("!<arch>\ndebian-binary".utf8), at: 0, "a package"),
        Case("short ELF", Array(ELFWriter.pvhKernel().bytes().prefix(40)), at: 40, "inside the ELF header"),
        Case("ELF class", patched(4, [3]), at: 4, "class 3"),
        Case("big-endian ELF", patched(5, [2]), at: 5, "not little-endian"),
        Case("AArch64 ELF", patched(18, [183]), at: 18, "64-bit ARM"),
        Case("module", patched(16, [1]), at: 16, "kernel module"),
        Case("program headers outside", patched(32, [0, 0, 0, 0, 1]), at: 0, "program headers at byte 0x100000000 lie outside"),
        Case("tiny program headers", patched(54, [8]), at: 0, "claim 8 bytes each"),
        Case("segment outside", patched(64 + 32, [0xff, 0xff, 0, 0]), at: 64, "a segment takes 0xffff bytes"),
        Case("segment offset overflow", patched(64 + 8, [UInt8](repeating: 0xff, count: 8)), at: 64, "a segment takes"),
        Case("address overflow", patched(64 + 24, [UInt8](repeating: 0xff, count: 8)), at: 64, "past the end of the address space"),
        Case("note segment outside", patched(120 + 32, [0xff, 0xff, 0, 0]), at: 120, "a PT_NOTE segment of 0xffff bytes"),
        Case("note too long", patched(177 + 4, [0xff, 0, 0, 0]), at: 177, "a content of 255 bytes does not fit"),
        Case("note name too long", patched(177, [0xff, 0xff, 0xff, 0xff]), at: 177, "a name of 4294967295"),
        Case("old boot protocol", ELFWriter.bzImage(payload: [1, 2, 3, 4, 5], protocolVersion: 0x0205), at: 0x206, "boot protocol 2.05"),
        Case(
            "payload outside", patched(0x24c, [0xff, 0xff, 0xff], ELFWriter.bzImage(payload: [1, 2, 3, 4, 5])), at: 0x248,
            "the packed kernel should be"),
        Case("unknown packing", ELFWriter.bzImage(payload: [1, 2, 3, 4, 5]), at: 1040, "none of the known magic numbers"),
        Case(
            "packed text",
            ELFWriter.bzImage(payload: [0x02, 0x21, 0x4c, 0x18, 6, 0, 0, 0, 0x50, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0, 0, 0, 0]), at: 0,
            "not an ELF file"),
        Case("overlapping segments", overlapping(), at: 120, "the segments at 0x100000 and 0x100800 overlap"),
        Case(
            "note areas one over the other", repeatedNotes(segments: 600, count: 200, owner: "Foo\0"), at: nil,
            "the note areas together are larger than the file"),
        Case("too many notes", repeatedNotes(segments: 1, count: 300), at: nil, "the Xen notes are more than 256"),
        Case("overlong note", longNote(), at: nil, "one has more than 4096 bytes"),
        Case("relocation alignment", relocation(3), at: nil, "alignment of 0x3"),
        Case("wide entry", entry(UInt64(1) << 40), at: nil, "no 32-bit address"),
        Case("only notes", ELFWriter(segments: [.init(type: 4, physicalAddress: 0, bytes: [])]).bytes(), at: nil, "nothing to load"),
    ]

    private static func overlapping() -> [UInt8] {
        var writer = ELFWriter.pvhKernel(memorySize: 4096)
        writer.segments.append(.init(physicalAddress: 0x10_0800, bytes: [1]))
        return writer.bytes()
    }

    /// `segments` program headers that all name the same area of `count` notes.
    private static func repeatedNotes(segments: Int, count: Int, owner: String = "Xen\0") -> [UInt8] {
        var notes = ELFWriter.pvhKernel()
        notes.notes = Array(repeating: (18, ELFWriter.little(UInt32(0x10_0000))), count: count)
        var area = notes.noteBytes
        for start in stride(from: 12, to: area.count, by: 20) { area.replaceSubrange(start..<start + 4, with: Array(owner.utf8)) }
        var writer = ELFWriter.pvhKernel(bytes: area)
        writer.notes = []
        writer.segments += Array(repeating: .init(type: 4, physicalAddress: 0, bytes: []), count: segments)
        var image = writer.bytes()
        for index in 1...segments {
            let header = 64 + index * 56
            image.replaceSubrange(header + 8..<header + 16, with: image[64 + 8..<64 + 16])
            image.replaceSubrange(header + 32..<header + 40, with: ELFWriter.little(UInt64(area.count)))
        }
        return image
    }

    private static func longNote() -> [UInt8] {
        var writer = ELFWriter.pvhKernel()
        writer.notes.append((10, [UInt8](repeating: 0x7c, count: 5000)))
        return writer.bytes()
    }

    private static func relocation(_ alignment: UInt32) -> [UInt8] {
        var writer = ELFWriter.pvhKernel()
        writer.notes.append((19, ELFWriter.little(alignment)))
        return writer.bytes()
    }

    private static func entry(_ value: UInt64) -> [UInt8] {
        var writer = ELFWriter.pvhKernel()
        writer.notes = [(18, ELFWriter.little(value))]
        return writer.bytes()
    }

    @Test("Each fault has one line with file, offset and cause, and one with the remedy", arguments: cases)
    func fault(test: Case) throws {
        let error = try #require(throws: ImageError.self) { try KernelImage.parse(test.bytes, fileName: "bad.img") }
        #expect(error.cause.contains(test.cause), "\(error)")
        #expect(error.file.hasPrefix("bad.img"))
        if let offset = test.offset { #expect(error.offset == offset) }
        #expect(error.description.split(separator: "\n").count == 2)
        #expect(!error.remedy.isEmpty)
    }

    @Test("A segment larger in the file than in memory is refused")
    func fileSizeOverMemorySize() throws {
        var image = ELFWriter.pvhKernel(bytes: [1, 2, 3]).bytes()
        image[64 + 40] = 2
        let error = try #require(throws: ImageError.self) { try KernelImage.parse(image, fileName: "k") }
        #expect(error.cause.contains("more bytes in the file (0x3) than in memory (0x2)"))
    }

    @Test("A bomb is refused at 64 times its size and never below 16 MiB")
    func bomb() throws {
        #expect(Compression.outputLimit(inputCount: 1000) == 16 << 20)
        #expect(Compression.outputLimit(inputCount: 1 << 20) == 64 << 20)
        #expect(Compression.outputLimit(inputCount: .max) == 1 << 30)
        // 20 MB of zeros in 20 kB, as gzip -9 packs them.
        let error = try #require(throws: ImageError.self) { try KernelImage.parse(Fixture.read("zeros-20MB.gz"), fileName: "bomb") }
        #expect(error.cause.contains("more than 16 MiB"))
    }

    @Test("An image cut off anywhere is refused or read, never out of bounds", arguments: Compression.allCases)
    func truncation(compression: Compression) {
        let whole = ELFWriter.bzImage(payload: Fixture.payload("small", compression))
        for length in 0..<whole.count - 32 {
            #expect(throws: ImageError.self) { try KernelImage.parse(Array(whole.prefix(length)), fileName: "k") }
        }
    }

    @Test("A payload cut off inside is refused", arguments: Compression.allCases)
    func truncatedPayload(compression: Compression) {
        let payload = Fixture.payload("small", compression)
        // Behind the stream stand four bytes of size (in gzip they are part of it); lzop and xz end with markers before.
        for length in 5..<payload.count - 4 {
            #expect(throws: ImageError.self, "\(length)") {
                try KernelImage.parse(ELFWriter.bzImage(payload: Array(payload.prefix(length))), fileName: "k")
            }
        }
    }

    @Test("A plain ELF kernel cut off anywhere is refused or read, never out of bounds", arguments: [true, false])
    func truncatedELF(is64Bit: Bool) {
        var writer = ELFWriter.pvhKernel(bytes: [1, 2, 3, 4])
        writer.is64Bit = is64Bit
        writer.machine = is64Bit ? 62 : 3
        writer.notePlace = .section
        let whole = writer.bytes()
        for length in 0..<whole.count {
            #expect(throws: ImageError.self) { try KernelImage.parse(Array(whole.prefix(length)), fileName: "k") }
        }
    }

    @Test("Flipped bits never crash the reader and never lead outside of the image", arguments: Compression.allCases)
    func flippedBits(compression: Compression) {
        var random = SeededRandom(seed: UInt64(Compression.allCases.firstIndex(of: compression) ?? 0))
        let whole = ELFWriter.bzImage(payload: Fixture.payload("small", compression))
        for _ in 0..<1500 { checkFlipped(whole, 0x1f0..<whole.count, &random) }
    }

    @Test("Flipped bits in ELF headers and notes never lead outside of the image", arguments: [true, false])
    func flippedELF(is64Bit: Bool) {
        var random = SeededRandom(seed: is64Bit ? 64 : 32)
        var writer = ELFWriter.pvhKernel(bytes: [1, 2, 3, 4])
        writer.notes += [(10, ELFWriter.text("dom0|!hvm_pirqs")), (17, ELFWriter.little(UInt32(1))), (19, ELFWriter.little(UInt32(4096)))]
        writer.is64Bit = is64Bit
        writer.machine = is64Bit ? 62 : 3
        for place in [ELFWriter.NotePlace.segment, .section, .legacySection] {
            writer.notePlace = place
            writer.legacyText = "GUEST_OS=linux,FEATURES=dom0,VIRT_BASE=0x1"
            let whole = writer.bytes()
            for _ in 0..<4000 { checkFlipped(whole, 4..<whole.count, &random) }
        }
    }

    /// Flips one to four bits, reads the image, and touches everything a reader of the result would touch.
    private func checkFlipped(_ whole: [UInt8], _ range: Range<Int>, _ random: inout SeededRandom) {
        var copy = whole
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            copy[Int.random(in: range, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
        let report = ImageReport(copy, fileName: "k")
        #expect(!report.text.isEmpty && !report.json.text.isEmpty)
        for segment in report.image?.segments ?? [] {
            #expect(segment.file.upperBound <= report.image?.bytes.count ?? 0)
            #expect(UInt64(segment.file.count) <= segment.memorySize)
        }
    }
}
