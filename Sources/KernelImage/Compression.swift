/// The packing methods the Linux kernel build offers for its payload.
public enum Compression: String, Sendable, CaseIterable {
    case gzip, bzip2, lzma, xz, lzo, lz4, zstd

    /// The bytes a stream of this kind begins with.
    public var magic: [UInt8] {
        switch self {
        case .gzip: [0x1f, 0x8b]
        case .bzip2: [0x42, 0x5a, 0x68]
        case .lzma: [0x5d, 0x00, 0x00]
        case .xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]
        case .lzo: [0x89, 0x4c, 0x5a, 0x4f]
        case .lz4: [0x02, 0x21, 0x4c, 0x18]
        case .zstd: [0x28, 0xb5, 0x2f, 0xfd]
        }
    }

    /// The method whose magic stands at `offset`, if any.
    init?(magicIn bytes: [UInt8], at offset: Int = 0) {
        guard let found = Self.allCases.first(where: { bytes.begins(with: $0.magic, at: offset) }) else { return nil }
        self = found
    }

    /// The most output accepted for `inputCount` packed bytes: 64 times the input, at least 16 MiB, at most 1 GiB.
    ///
    /// Kernels pack to between a third and an eighth; anything far beyond is a decompression bomb.
    static func outputLimit(inputCount: Int) -> Int {
        min(1 << 30, max(16 << 20, min(inputCount, 1 << 30) * 64))
    }
}

/// What went wrong while unpacking, `offset` counted from the first packed byte.
struct UnpackError: Error, Equatable {
    var offset: Int
    var cause: String
}

/// Unpacks the stream that begins at `range.lowerBound` of `bytes`; bytes after its end are ignored.
///
/// The kernel build appends the unpacked size to every format but gzip: it serves as a hint for the first reservation, never as a truth.
/// Memory grows with what is really produced and ends at `Compression.outputLimit`.
func unpack(_ compression: Compression, _ bytes: [UInt8], in range: Range<Int>) throws(UnpackError) -> [UInt8] {
    let limit = Compression.outputLimit(inputCount: range.count)
    let sizeHint = bytes.littleEndian(UInt32.self, at: range.upperBound - 4).map(Int.init) ?? 0
    var sink = OutputSink(limit: limit, reserving: sizeHint <= limit ? sizeHint : 0)
    switch compression {
    case .gzip: _ = try unpackGzip(bytes, range, into: &sink)
    case .bzip2: try unpackBzip2(bytes, range, into: &sink)
    case .lzma, .xz: try unpackLZMA(compression, bytes, range, into: &sink)
    case .zstd: try unpackZstd(bytes, range, into: &sink)
    case .lz4: try unpackLZ4(bytes, range, into: &sink)
    case .lzo: try unpackLZO(bytes, range, into: &sink)
    }
    return sink.bytes
}

/// Collects unpacked bytes and refuses more than its limit.
struct OutputSink {
    private(set) var bytes: [UInt8] = []
    let limit: Int

    init(limit: Int, reserving hint: Int) {
        self.limit = limit
        // Reserved address space costs nothing until it is written.
        bytes.reserveCapacity(min(hint, limit))
    }

    /// - Throws: `UnpackError` at `offset` when the limit would be passed; what was collected stays.
    mutating func append(_ new: UnsafeRawBufferPointer, offset: Int) throws(UnpackError) {
        try admit(new.count, offset: offset)
        unsafe bytes.append(contentsOf: new)
    }

    mutating func append(_ new: [UInt8], offset: Int) throws(UnpackError) {
        try admit(new.count, offset: offset)
        bytes.append(contentsOf: new)
    }

    private func admit(_ count: Int, offset: Int) throws(UnpackError) {
        guard count <= limit - bytes.count else {
            throw UnpackError(offset: offset, cause: "it unpacks to more than \(limit >> 20) MiB, out of all proportion to its size")
        }
    }
}
