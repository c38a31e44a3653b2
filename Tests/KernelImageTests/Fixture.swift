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
        TestFiles.fixture(name, beside: String(describing: file))
    }
}
