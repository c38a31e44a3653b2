import KernelImage
import TestSupport
import Testing
import X86

@testable import DomainBuilder

/// A kernel that is linked somewhere and may be moved, and where it ends up.
struct RelocationCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Where it is linked; the entry lies 0x850 above.
    var linked: UInt64
    /// The words of the PHYS32_RELOC note: alignment, lowest address, address of the last byte.
    var note: [UInt32]
    var memoryKiB: UInt64 = 64 << 10
    /// Whether it is a Linux that wants its RSDP below 1 MiB.
    var isOldLinux = false
    var place: UInt64
}

@Suite("Kernels that may be moved") struct RelocationTests {
    static let size: UInt64 = 0x40_0000

    private static func kernel(_ linked: UInt64, note: [UInt32]?, isOldLinux: Bool = false) throws -> KernelImage {
        var writer = ELFWriter(segments: [
            .init(physicalAddress: linked, bytes: [UInt8](repeating: 0x90, count: 0x1000)),
            .init(physicalAddress: linked + 0x1000, bytes: [0xf4], memorySize: size - 0x1000),
        ])
        writer.notes = [(18, ELFWriter.little(UInt32(linked + 0x850)))]
        if isOldLinux { writer.notes.append((6, ELFWriter.text("linux"))) }
        if let note { writer.notes.append((19, note.flatMap { ELFWriter.little($0) })) }
        return try KernelImage.parse(writer.bytes(), fileName: "vmlinux")
    }

    static let cases: [RelocationCase] = [
        RelocationCase(testDescription: "it fits: it stays", linked: 0x100_0000, note: [], place: 0x100_0000),
        RelocationCase(
            testDescription: "it fits outside of its bounds: it stays", linked: 0x100_0000, note: [0x20_0000, 0x200_0000], place: 0x100_0000
        ),
        RelocationCase(testDescription: "beyond RAM, aligned as the segments", linked: 0x1000_0000, note: [], place: 0x10_0000),
        RelocationCase(testDescription: "partly beyond RAM", linked: 0x3e0_0000, note: [], place: 0x10_0000),
        RelocationCase(testDescription: "alignment", linked: 0x1000_0000, note: [0x100_0000], place: 0x100_0000),
        RelocationCase(testDescription: "small alignment", linked: 0x1000_0000, note: [0x1000], place: 0x10_0000),
        RelocationCase(testDescription: "lowest address", linked: 0x1000_0000, note: [0x20_0000, 0x180_1000], place: 0x1a0_0000),
        RelocationCase(
            testDescription: "it just ends at its last byte", linked: 0x1000_0000, note: [0x20_0000, 0, 0x5f_ffff], place: 0x20_0000),
        RelocationCase(testDescription: "in the hole", linked: 0xfc00_0000, note: [], memoryKiB: 8 << 20, place: 0x10_0000),
        RelocationCase(
            testDescription: "over the RSDP", linked: 0x8_0000, note: [0x10_0000], isOldLinux: true, place: 0x10_0000),
    ]

    @Test("A kernel is moved where it cannot stand where it was linked for", arguments: cases)
    func places(item: RelocationCase) throws {
        let kernel = try Self.kernel(item.linked, note: item.note, isOldLinux: item.isOldLinux)
        let image = try DomainBuilder.build(BuildRequest(kernel: kernel, memoryKiB: item.memoryKiB))
        #expect(image.entryState.rip == item.place + 0x850)
        #expect(image.memory(item.place + 0xfff, 3) == [0x90, 0xf4, 0])
        #expect(image.chunks[0].address == item.place)
        #expect(image.startInfoAddress == item.place + Self.size)
    }

    /// The note, and what of it leaves no place.
    static let refusals: [(note: [UInt32]?, memoryKiB: UInt64)] = [
        (nil, 64 << 10), ([0x20_0000, 0, 0x5f_fffe], 64 << 10), ([0x400_0000], 64 << 10), ([0x20_0000, 0xffff_f000], 64 << 10),
        ([], 4 << 10), ([0x20_0000, 0x300_0000, 0x10_0000], 64 << 10),
    ]

    @Test("Without a place for it the kernel is refused as one that does not fit", arguments: refusals)
    func refusal(test: (note: [UInt32]?, memoryKiB: UInt64)) throws {
        let kernel = try Self.kernel(0x1000_0000, note: test.note)
        let error = try #require(throws: BuildError.self) {
            try DomainBuilder.build(BuildRequest(kernel: kernel, memoryKiB: test.memoryKiB))
        }
        #expect(error.cause.contains("the kernel vmlinux ends at 0x10400000"), "\(error)")
        #expect(error.remedy.contains("Set memory="))
    }
}
