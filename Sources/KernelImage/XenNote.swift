/// One Xen ELF note (Xen public header `elfnote.h`) and where it was found.
public struct XenNote: Equatable, Sendable {
    /// The note types Xen defines.
    public enum Kind: UInt32, Sendable, CaseIterable {
        case info = 0, entry, hypercallPage, virtBase, paddrOffset, xenVersion, guestOS, guestVersion, loader, paeMode, features
        case bsdSymtab, hvStartLow, l1MFNValid, suspendCancel, initP2M, modStartPFN, supportedFeatures, phys32Entry, phys32Reloc

        /// The name in Xen's public header, without its prefix.
        public var name: String { Self.names[Int(rawValue)] }

        /// Whether the descriptor is text; all others are numbers.
        public var isText: Bool { [.xenVersion, .guestOS, .guestVersion, .loader, .paeMode, .features, .bsdSymtab].contains(self) }

        private static let names = [
            "INFO", "ENTRY", "HYPERCALL_PAGE", "VIRT_BASE", "PADDR_OFFSET", "XEN_VERSION", "GUEST_OS", "GUEST_VERSION", "LOADER",
            "PAE_MODE", "FEATURES", "BSD_SYMTAB", "HV_START_LOW", "L1_MFN_VALID", "SUSPEND_CANCEL", "INIT_P2M", "MOD_START_PFN",
            "SUPPORTED_FEATURES", "PHYS32_ENTRY", "PHYS32_RELOC",
        ]
    }

    /// Where in the image a note stood.
    public enum Place: String, Sendable {
        case segment = "PT_NOTE segment"
        case section = "SHT_NOTE section"
        case legacySection = "__xen_guest section"
    }

    public enum Value: Equatable, Sendable {
        case text(String)
        /// Numbers in the width the descriptor has: one for most notes, up to three for PHYS32_RELOC.
        case numbers([UInt64])
    }

    /// The note type as the file has it; `kind` is nil when Xen defines no such type.
    public var type: UInt32
    public var value: Value
    public var place: Place
    /// Byte offset of the note in the ELF file.
    public var offset: Int

    public var kind: Kind? { Kind(rawValue: type) }

    /// The public name, or `unknown (nr)`.
    public var name: String { kind?.name ?? "unknown (\(type))" }

    /// The first number; nil for text.
    public var number: UInt64? {
        if case .numbers(let numbers) = value { numbers.first } else { nil }
    }

    /// The text; nil for numbers.
    public var text: String? {
        if case .text(let text) = value { text } else { nil }
    }
}

/// Finds the Xen notes of an ELF file: in note segments, else in note sections, else in the legacy section.
func findXenNotes(_ elf: ELF, _ bytes: [UInt8], file: String) throws(ImageError) -> [XenNote] {
    var notes: [XenNote] = []
    for header in elf.programHeaders where header.type == ELF.note && header.fileOffset != 0 {
        guard let range = bytes.checked(at: header.fileOffset, length: header.fileSize) else {
            throw ImageError(
                file: file, offset: header.headerOffset,
                cause: "a note segment of \(hex(header.fileSize)) bytes at \(hex(header.fileOffset)) lies outside of the file",
                remedy: damagedRemedy)
        }
        notes += try parseNotes(bytes, range, alignment: header.alignment, place: .segment, file: file)
    }
    if !notes.isEmpty { return notes }
    for header in elf.sectionHeaders where header.type == ELF.noteSection {
        guard let range = bytes.checked(at: header.fileOffset, length: header.size) else {
            throw ImageError(
                file: file, offset: header.headerOffset,
                cause: "a note section of \(hex(header.size)) bytes at \(hex(header.fileOffset)) lies outside of the file",
                remedy: damagedRemedy)
        }
        notes += try parseNotes(bytes, range, alignment: header.alignment, place: .section, file: file)
    }
    return notes.isEmpty ? legacyNotes(elf, bytes) : notes
}

/// Walks one note area; notes of other owners are passed over.
private func parseNotes(
    _ bytes: [UInt8], _ range: Range<Int>, alignment: UInt64, place: XenNote.Place, file: String
) throws(ImageError) -> [XenNote] {
    let mask = alignment == 8 ? 7 : 3
    var notes: [XenNote] = []
    var at = range.lowerBound
    while at <= range.upperBound - 12,
        let nameSize = bytes.littleEndian(UInt32.self, at: at), let size = bytes.littleEndian(UInt32.self, at: at + 4),
        let type = bytes.littleEndian(UInt32.self, at: at + 8)
    {
        let descriptor = at + (12 + Int(nameSize) + mask) & ~mask
        guard descriptor <= range.upperBound, Int(size) <= range.upperBound - descriptor else {
            throw ImageError(
                file: file, offset: at,
                cause: "a note with a name of \(nameSize) and a content of \(size) bytes does not fit its \(place.rawValue)",
                remedy: damagedRemedy)
        }
        if bytes.begins(with: Array("Xen\0".utf8), at: at + 12), nameSize == 4 {
            notes.append(
                XenNote(type: type, value: noteValue(bytes, descriptor..<descriptor + Int(size), type), place: place, offset: at))
        }
        at = descriptor + (Int(size) + mask) & ~mask
    }
    return notes
}

private func noteValue(_ bytes: [UInt8], _ range: Range<Int>, _ type: UInt32) -> XenNote.Value {
    let kind = XenNote.Kind(rawValue: type)
    if kind?.isText == true { return .text(bytes.printable(range)) }
    if kind == .phys32Reloc || kind == .supportedFeatures || range.count % 8 != 0 {
        return .numbers(stride(from: range.lowerBound, to: range.upperBound - 3, by: 4).compactMap {
            bytes.littleEndian(UInt32.self, at: $0).map(UInt64.init)
        })
    }
    return .numbers(stride(from: range.lowerBound, to: range.upperBound, by: 8).compactMap { bytes.littleEndian(UInt64.self, at: $0) })
}

/// `KEY=VALUE,KEY=VALUE…` as Xen 3.0 kernels carried it.
private func legacyNotes(_ elf: ELF, _ bytes: [UInt8]) -> [XenNote] {
    let kinds: [String: XenNote.Kind] = [
        "GUEST_OS": .guestOS, "GUEST_VER": .guestVersion, "XEN_VER": .xenVersion, "VIRT_BASE": .virtBase, "VIRT_ENTRY": .entry,
        "ELF_PADDR_OFFSET": .paddrOffset, "HYPERCALL_PAGE": .hypercallPage, "FEATURES": .features, "LOADER": .loader, "PAE": .paeMode,
        "BSD_SYMTAB": .bsdSymtab,
    ]
    guard let section = elf.sectionHeaders.first(where: { elf.name(of: $0, in: bytes) == "__xen_guest" }),
        section.type != ELF.noBits, let range = bytes.checked(at: section.fileOffset, length: min(section.size, 4096))
    else { return [] }
    return bytes.printable(range).split(separator: ",").compactMap { item in
        let pair = item.split(separator: "=", maxSplits: 1).map(String.init)
        guard let key = pair.first, let kind = kinds[key] else { return nil }
        let text = pair.count > 1 ? pair[1] : "yes"
        let digits = text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
        let value: XenNote.Value = kind.isText ? .text(text) : .numbers(digits.map { [$0] } ?? [])
        return XenNote(type: kind.rawValue, value: value, place: .legacySection, offset: range.lowerBound)
    }
}
