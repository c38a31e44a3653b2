/// A kernel ready to be placed: its ELF bytes, which ranges of them go where, and what its Xen notes say.
///
/// The bytes are held once; segments are ranges into them. Nothing here has been placed, relocated or run.
public struct KernelImage: Sendable {
    /// How the file carried the ELF image.
    public enum Container: Equatable, Sendable {
        case elf
        /// A bzImage and the packing of its payload; nil when the payload is a plain ELF image.
        case bzImage(SetupHeader, Compression?)
    }

    /// A piece of the image that has to be in memory.
    public struct Segment: Equatable, Sendable {
        /// Guest-physical address of the first byte.
        public var physicalAddress: UInt64
        /// What to copy, as a range of `KernelImage.bytes`.
        public var file: Range<Int>
        /// Size in memory in bytes; what exceeds `file` is zero. `physicalAddress + memorySize` does not overflow.
        public var memorySize: UInt64
        /// Byte offset of the program header, for messages.
        public var headerOffset: Int
    }

    /// PHYS32_RELOC: the kernel may be placed elsewhere within these bounds.
    public struct Relocation: Equatable, Sendable {
        /// In bytes, a power of two.
        public var alignment: UInt64
        public var minimumAddress: UInt64
        /// Address of the last byte the kernel may occupy.
        public var maximumAddress: UInt64
    }

    /// The name the operator gave.
    public let fileName: String
    /// Whether the whole file was packed with gzip.
    public let isOuterGzip: Bool
    public let container: Container
    /// The ELF image: the file itself, or what its payload unpacked to.
    public let bytes: [UInt8]
    public let is64Bit: Bool
    /// e_entry: where a PV kernel or a boot loader would start. Not used for PVH.
    public let elfEntry: UInt64
    /// In the order of the program headers; never empty.
    public let segments: [Segment]
    /// In the order of the file, Xen's only.
    public let notes: [XenNote]
    public let features: XenFeatures
    /// PHYS32_ENTRY, the 32-bit physical address a PVH guest starts at; nil when the kernel cannot start this way.
    public let pvhEntry: UInt32?
    public let relocation: Relocation?

    /// Lowest physical address any segment needs.
    public var lowestAddress: UInt64 { segments.map(\.physicalAddress).min() ?? 0 }
    /// One past the highest physical address any segment needs.
    public var endAddress: UInt64 { segments.map { $0.physicalAddress + $0.memorySize }.max() ?? 0 }

    /// The first note of a kind.
    public func note(_ kind: XenNote.Kind) -> XenNote? { notes.first { $0.kind == kind } }

    /// Reads a kernel file: bzImage with any payload packing, ELF64 or ELF32, each also inside a gzip of the whole file.
    ///
    /// A kernel without PVH entry is no error here: `pvhEntry` is nil and `ImageReport` explains.
    ///
    /// - Parameters:
    ///   - bytes: The whole file. Not kept when it is packed.
    ///   - fileName: For messages only; nothing is opened.
    /// - Throws: `ImageError` with file, offset, cause and remedy. Nothing is kept.
    public static func parse(_ bytes: [UInt8], fileName: String) throws(ImageError) -> KernelImage {
        guard bytes.begins(with: Compression.gzip.magic) else {
            return try parseContainer(bytes, file: fileName, fileName: fileName, isOuterGzip: false)
        }
        let inner = try unpackPayload(.gzip, bytes, 0..<bytes.count, file: fileName)
        return try parseContainer(inner, file: "\(fileName) (inside its gzip)", fileName: fileName, isOuterGzip: true)
    }

    private static func parseContainer(
        _ bytes: [UInt8], file: String, fileName: String, isOuterGzip: Bool
    ) throws(ImageError) -> KernelImage {
        guard !bytes.isEmpty else {
            throw ImageError(file: file, cause: "the file is empty", remedy: "Give a kernel (vmlinuz, bzImage or vmlinux) as kernel=")
        }
        if bytes.begins(with: SetupHeader.magic, at: SetupHeader.magicOffset) {
            let header = try SetupHeader(bytes, file: file)
            return try parseBzImage(bytes, header, file: file, fileName: fileName, isOuterGzip: isOuterGzip)
        }
        if bytes.begins(with: ELF.magic) {
            return try KernelImage(elf: bytes, file: file, fileName: fileName, isOuterGzip: isOuterGzip, container: .elf)
        }
        throw foreignFileError(bytes, file: file)
    }

    private static func parseBzImage(
        _ bytes: [UInt8], _ header: SetupHeader, file: String, fileName: String, isOuterGzip: Bool
    ) throws(ImageError) -> KernelImage {
        let start = header.payload.lowerBound
        if let compression = Compression(magicIn: bytes, at: start) {
            let kernel = try unpackPayload(compression, bytes, header.payload, file: file)
            return try KernelImage(
                elf: kernel, file: "\(file) (unpacked \(compression) payload)", fileName: fileName, isOuterGzip: isOuterGzip,
                container: .bzImage(header, compression))
        }
        guard bytes.begins(with: ELF.magic, at: start) else {
            throw ImageError(
                file: file, offset: start, cause: "the packed kernel begins with none of the known magic numbers (\(Compression.allCases.map(\.rawValue).joined(separator: ", ")))",
                remedy: damagedRemedy)
        }
        return try KernelImage(
            elf: Array(bytes[header.payload]), file: "\(file) (payload)", fileName: fileName, isOuterGzip: isOuterGzip,
            container: .bzImage(header, nil))
    }

    private static func unpackPayload(
        _ compression: Compression, _ bytes: [UInt8], _ range: Range<Int>, file: String
    ) throws(ImageError) -> [UInt8] {
        do {
            return try unpack(compression, bytes, in: range)
        } catch {
            throw ImageError(
                file: file, offset: range.lowerBound + error.offset, cause: "unpacking the \(compression) data failed: \(error.cause)",
                remedy: damagedRemedy)
        }
    }

    private static func foreignFileError(_ bytes: [UInt8], file: String) -> ImageError {
        if let foreign = ForeignFile.recognise(bytes) {
            return ImageError(file: file, offset: foreign.offset, cause: "this is \(foreign.description)", remedy: foreign.remedy)
        }
        if let compression = Compression(magicIn: bytes) {
            return ImageError(
                file: file, offset: 0, cause: "this is a file packed with \(compression), probably an initramfs, not a kernel",
                remedy: "Give an initramfs as ramdisk=; unpack a kernel first, only gzip around a whole kernel is undone")
        }
        return ImageError(
            file: file, offset: 0, cause: "this is neither a bzImage nor an ELF file",
            remedy: "Give a kernel (vmlinuz, bzImage or vmlinux) as kernel=")
    }

    private init(
        elf bytes: [UInt8], file: String, fileName: String, isOuterGzip: Bool, container: Container
    ) throws(ImageError) {
        guard bytes.begins(with: ELF.magic) else {
            throw ImageError(file: file, offset: 0, cause: "what was unpacked is not an ELF file", remedy: damagedRemedy)
        }
        let elf = try ELF(bytes, file: file)
        self.fileName = fileName
        self.isOuterGzip = isOuterGzip
        self.container = container
        self.bytes = bytes
        is64Bit = elf.is64Bit
        elfEntry = elf.entry
        segments = try loadableSegments(elf, bytes, file: file)
        notes = try findXenNotes(elf, bytes, file: file)
        features = XenFeatures(notes: notes)
        pvhEntry = try physicalEntry(notes, file: file)
        relocation = try relocationBounds(notes, elf, file: file)
    }
}
