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
    var inSegments = NoteReader(bytes: bytes, file: file, place: .segment)
    for header in elf.programHeaders where header.type == ELF.note && header.fileOffset != 0 {
        try inSegments.read(header.fileOffset, header.fileSize, alignment: header.alignment, headerOffset: header.headerOffset)
    }
    if !inSegments.notes.isEmpty { return inSegments.notes }
    var inSections = NoteReader(bytes: bytes, file: file, place: .section)
    for header in elf.sectionHeaders where header.type == ELF.noteSection {
        try inSections.read(header.fileOffset, header.size, alignment: header.alignment, headerOffset: header.headerOffset)
    }
    return inSections.notes.isEmpty ? legacyNotes(elf, bytes) : inSections.notes
}

/// Walks note areas and keeps Xen's. Its work and memory stay in proportion to the file, however many headers name the same area.
private struct NoteReader {
    /// Far beyond any kernel: Linux has 16 notes, the longest of 60 bytes.
    private static let mostNotes = 256
    private static let mostContent = 4096

    let bytes: [UInt8]
    let file: String
    let place: XenNote.Place
    private(set) var notes: [XenNote] = []
    private var walked: UInt64 = 0

    init(bytes: [UInt8], file: String, place: XenNote.Place) {
        self.bytes = bytes
        self.file = file
        self.place = place
    }

    private func error(_ offset: Int, _ cause: String) -> ImageError {
        ImageError(file: file, offset: offset, cause: cause, remedy: damagedRemedy)
    }

    /// Reads one area of notes.
    mutating func read(_ offset: UInt64, _ size: UInt64, alignment: UInt64, headerOffset: Int) throws(ImageError) {
        guard let range = bytes.checked(at: offset, length: size) else {
            throw error(headerOffset, "a \(place.rawValue) of \(hex(size)) bytes at \(hex(offset)) lies outside of the file")
        }
        walked += size
        guard walked <= UInt64(bytes.count) else { throw error(headerOffset, "the note areas together are larger than the file") }
        let mask = alignment == 8 ? 7 : 3
        var at = range.lowerBound
        while at <= range.upperBound - 12 { at = try readNote(at, end: range.upperBound, mask: mask) }
    }

    /// - Returns: where the next note begins.
    private mutating func readNote(_ at: Int, end: Int, mask: Int) throws(ImageError) -> Int {
        let nameSize = Int(bytes.littleEndian(UInt32.self, at: at) ?? 0)
        let size = Int(bytes.littleEndian(UInt32.self, at: at + 4) ?? 0)
        let type = bytes.littleEndian(UInt32.self, at: at + 8) ?? 0
        let descriptor = at + (12 + nameSize + mask) & ~mask
        guard descriptor <= end, size <= end - descriptor else {
            throw error(at, "a note with a name of \(nameSize) and a content of \(size) bytes does not fit its \(place.rawValue)")
        }
        if nameSize == 4, bytes.begins(with: Array("Xen\0".utf8), at: at + 12) {
            guard size <= Self.mostContent, notes.count < Self.mostNotes else {
                throw error(at, "the Xen notes are more than \(Self.mostNotes), or one has more than \(Self.mostContent) bytes")
            }
            let value = noteValue(bytes, descriptor..<descriptor + size, type)
            notes.append(XenNote(type: type, value: value, place: place, offset: at))
        }
        return descriptor + (size + mask) & ~mask
    }
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
