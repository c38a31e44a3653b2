/// The headers of an x86 ELF file (System V gABI, chapters 4 and 5), both classes widened to 64 bits. Every range lies inside the file.
struct ELF {
    struct ProgramHeader {
        var type: UInt32
        /// Where the header itself stands, for messages.
        var headerOffset: Int
        var fileOffset: UInt64
        var physicalAddress: UInt64
        var fileSize: UInt64
        var memorySize: UInt64
        var alignment: UInt64
    }

    struct SectionHeader {
        var nameIndex: UInt32
        var type: UInt32
        var headerOffset: Int
        var fileOffset: UInt64
        var size: UInt64
        var alignment: UInt64
    }

    static let magic: [UInt8] = [0x7f, 0x45, 0x4c, 0x46]
    /// p_type
    static let load: UInt32 = 1
    static let note: UInt32 = 4
    /// sh_type
    static let noteSection: UInt32 = 7
    static let stringTable: UInt32 = 3
    static let noBits: UInt32 = 8

    let is64Bit: Bool
    let entry: UInt64
    let programHeaders: [ProgramHeader]
    let sectionHeaders: [SectionHeader]
    let sectionNamesIndex: Int

    /// - Throws: `ImageError` naming the first header that contradicts the file.
    init(_ bytes: [UInt8], file: String) throws(ImageError) {
        let reader = HeaderReader(bytes: bytes, file: file)
        guard bytes.count >= 52 else {
            throw reader.error(bytes.count, "the file ends inside the ELF header")
        }
        guard bytes[4] == 1 || bytes[4] == 2 else { throw reader.error(4, "ELF class \(bytes[4]) is neither 32-bit nor 64-bit") }
        let wide = bytes[4] == 2
        try Self.checkKind(reader)
        guard !wide || bytes.count >= 64 else { throw reader.error(bytes.count, "the file ends inside the ELF header") }
        is64Bit = wide
        entry = try reader.word(24, wide)
        programHeaders = try Self.readProgramHeaders(reader, wide)
        sectionHeaders = try Self.readSectionHeaders(reader, wide)
        sectionNamesIndex = Int(try reader.u16(wide ? 62 : 50))
    }

    private static func checkKind(_ reader: HeaderReader) throws(ImageError) {
        guard reader.bytes[5] == 1 else { throw reader.error(5, "the ELF file is not little-endian", "Use a kernel built for x86") }
        let machine = try reader.u16(18)
        guard machine == 3 || machine == 62 else {
            throw reader.error(18, "the ELF file is for \(machineName(machine)), not for x86", "Use a kernel built for x86-64 (or 32-bit x86)")
        }
        let type = try reader.u16(16)
        guard type == 2 || type == 3 else {
            let kind = type == 1 ? "a relocatable object or kernel module" : type == 4 ? "a core dump" : "of unknown type \(type)"
            throw reader.error(16, "the ELF file is \(kind), not an executable", "Give the kernel itself (vmlinuz, bzImage or vmlinux)")
        }
    }

    private static func machineName(_ machine: UInt16) -> String {
        switch machine {
        case 8: "MIPS"
        case 20, 21: "PowerPC"
        case 22: "S/390"
        case 40: "32-bit ARM"
        case 50: "Itanium"
        case 183: "64-bit ARM (AArch64)"
        case 243: "RISC-V"
        case 258: "LoongArch"
        default: "machine \(machine)"
        }
    }

    private static func readProgramHeaders(_ reader: HeaderReader, _ wide: Bool) throws(ImageError) -> [ProgramHeader] {
        let table = try reader.table(
            "program headers", offset: reader.word(wide ? 32 : 28, wide), entrySize: reader.u16(wide ? 54 : 42),
            count: reader.u16(wide ? 56 : 44), minimum: wide ? 56 : 32)
        var headers: [ProgramHeader] = []
        for at in table {
            headers.append(
                ProgramHeader(
                    type: try reader.u32(at), headerOffset: at,
                    fileOffset: try reader.word(at + (wide ? 8 : 4), wide),
                    physicalAddress: try reader.word(at + (wide ? 24 : 12), wide),
                    fileSize: try reader.word(at + (wide ? 32 : 16), wide),
                    memorySize: try reader.word(at + (wide ? 40 : 20), wide),
                    alignment: try reader.word(at + (wide ? 48 : 28), wide)))
        }
        return headers
    }

    private static func readSectionHeaders(_ reader: HeaderReader, _ wide: Bool) throws(ImageError) -> [SectionHeader] {
        let table = try reader.table(
            "section headers", offset: reader.word(wide ? 40 : 32, wide), entrySize: reader.u16(wide ? 58 : 46),
            count: reader.u16(wide ? 60 : 48), minimum: wide ? 64 : 40)
        var headers: [SectionHeader] = []
        for at in table {
            headers.append(
                SectionHeader(
                    nameIndex: try reader.u32(at), type: try reader.u32(at + 4), headerOffset: at,
                    fileOffset: try reader.word(at + (wide ? 24 : 16), wide),
                    size: try reader.word(at + (wide ? 32 : 20), wide),
                    alignment: try reader.word(at + (wide ? 48 : 32), wide)))
        }
        return headers
    }

    /// The name of a section, or nil when the string table does not hold it.
    func name(of section: SectionHeader, in bytes: [UInt8]) -> String? {
        guard sectionHeaders.indices.contains(sectionNamesIndex) else { return nil }
        let names = sectionHeaders[sectionNamesIndex]
        guard names.type == Self.stringTable, UInt64(section.nameIndex) < names.size,
            let table = bytes.checked(at: names.fileOffset, length: names.size)
        else { return nil }
        let start = table.lowerBound + Int(section.nameIndex)
        return bytes.printable(start..<min(table.upperBound, start + 64))
    }
}

/// Loads of header fields that turn a missing byte into an `ImageError`.
private struct HeaderReader {
    let bytes: [UInt8]
    let file: String

    func error(_ offset: Int, _ cause: String, _ remedy: String = damagedRemedy) -> ImageError {
        ImageError(file: file, offset: offset, cause: cause, remedy: remedy)
    }

    private func load<Word: FixedWidthInteger & UnsignedInteger>(_ type: Word.Type, _ offset: Int) throws(ImageError) -> Word {
        guard let value = bytes.littleEndian(type, at: offset) else { throw error(offset, "the file ends inside a header") }
        return value
    }

    func u16(_ offset: Int) throws(ImageError) -> UInt16 { try load(UInt16.self, offset) }
    func u32(_ offset: Int) throws(ImageError) -> UInt32 { try load(UInt32.self, offset) }

    /// An address-sized field.
    func word(_ offset: Int, _ wide: Bool) throws(ImageError) -> UInt64 {
        wide ? try load(UInt64.self, offset) : UInt64(try load(UInt32.self, offset))
    }

    /// Offsets of the entries of a header table that lies wholly inside the file.
    func table(_ what: String, offset: UInt64, entrySize: UInt16, count: UInt16, minimum: Int) throws(ImageError) -> StrideTo<Int> {
        guard count > 0, offset != 0 else { return stride(from: 0, to: 0, by: 1) }
        guard entrySize >= minimum else { throw error(0, "the \(what) claim \(entrySize) bytes each, fewer than the \(minimum) they need") }
        guard let range = bytes.checked(at: offset, length: UInt64(entrySize) * UInt64(count)) else {
            throw error(0, "the \(count) \(what) at byte \(hex(offset)) lie outside of the file, which has \(bytes.count) bytes")
        }
        return stride(from: range.lowerBound, to: range.upperBound, by: Int(entrySize))
    }
}
