import DomainBuilder
import KernelImage
import TestSupport

/// Kernels and memory for builder tests.
enum Builds {
    /// The probe kernel of the captures: 1 MiB to 0x10b828, entry at 1 MiB.
    static func probe(notes: [(type: UInt32, content: [UInt8])] = []) throws -> KernelImage {
        var writer = ELFWriter.pvhKernel(bytes: [UInt8](repeating: 0x90, count: 0x24d2), memorySize: 0xb828)
        writer.notes += notes
        return try KernelImage.parse(writer.bytes(), fileName: "pvhprobe")
    }

    /// A kernel with the addresses and notes of Debian's 6.1 cloud kernel and next to no bytes.
    static func linux() throws -> KernelImage {
        var writer = ELFWriter(segments: [
            .init(physicalAddress: 0x100_0000, bytes: [0xf4], memorySize: 0x182_6634),
            .init(physicalAddress: 0x304_e000, bytes: [0xf4], memorySize: 0xdb_2000),
        ])
        writer.notes = [
            (6, ELFWriter.text("linux")), (17, ELFWriter.little(UInt32(0x8801))), (16, ELFWriter.little(UInt64(1))),
            (18, ELFWriter.little(UInt32(0x100_0850))),
        ]
        return try KernelImage.parse(writer.bytes(), fileName: "vmlinuz")
    }
}

extension BootImage {
    /// Guest memory as the chunks leave it; what no chunk wrote is zero.
    func memory(_ address: UInt64, _ count: Int) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: count)
        for chunk in chunks {
            let start = max(chunk.address, address)
            let end = min(chunk.address + chunk.byteCount, address + UInt64(count))
            guard start < end else { continue }
            for at in start..<end {
                switch chunk.content {
                case .bytes(let bytes): out[Int(at - address)] = bytes[bytes.startIndex + Int(at - chunk.address)]
                case .zeros: out[Int(at - address)] = 0
                }
            }
        }
        return out
    }
}
