import Glibc
import KernelImage
import TestSupport

/// Reads files of the Fixtures folder beside this one.
enum Fixture {
    static let suffixes: [Compression: String] = [
        .gzip: "gz", .bzip2: "bz2", .lzma: "lzma", .xz: "xz", .lzo: "lzo", .lz4: "lz4", .zstd: "zst",
    ]

    static func payload(_ name: String, _ compression: Compression) -> [UInt8] {
        read("\(name).\(suffixes[compression] ?? "")")
    }

    static func read(_ name: String, beside file: StaticString = #filePath) -> [UInt8] {
        let folder = String(describing: file).split(separator: "/").dropLast().joined(separator: "/")
        let path = "/\(folder)/Fixtures/\(name)"
        guard let stream = unsafe fopen(path, "rb") else { fatalError("fixture \(path) is missing") }
        defer { _ = unsafe fclose(stream) }
        unsafe fseek(stream, 0, SEEK_END)
        let size = unsafe ftell(stream)
        unsafe rewind(stream)
        return unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            count = unsafe fread(buffer.baseAddress, 1, size, stream)
        }
    }
}

/// A small seeded generator (SplitMix64), so that every run sees the same bytes.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
