/// Writes small ELF kernels and bzImages for tests, sound by default and wrong where a test wants them wrong.
public struct ELFWriter: Sendable {
    public struct Segment: Sendable {
        public var type: UInt32 = 1
        public var physicalAddress: UInt64
        public var bytes: [UInt8]
        public var memorySize: UInt64

        public init(type: UInt32 = 1, physicalAddress: UInt64, bytes: [UInt8], memorySize: UInt64? = nil) {
            self.type = type
            self.physicalAddress = physicalAddress
            self.bytes = bytes
            self.memorySize = memorySize ?? UInt64(bytes.count)
        }
    }

    public enum NotePlace: Sendable { case segment, section, legacySection }

    public var is64Bit = true
    public var machine: UInt16 = 62
    public var type: UInt16 = 2
    public var segments: [Segment]
    /// Note type and content.
    public var notes: [(type: UInt32, content: [UInt8])] = []
    public var notePlace = NotePlace.segment
    /// What the legacy section holds.
    public var legacyText = ""

    public init(segments: [Segment]) { self.segments = segments }

    /// A kernel at 1 MiB with the entry note a PVH guest needs.
    public static func pvhKernel(bytes: [UInt8] = [0xf4], memorySize: UInt64? = nil, entry: UInt32 = 0x10_0000) -> ELFWriter {
        var writer = ELFWriter(segments: [Segment(physicalAddress: 0x10_0000, bytes: bytes, memorySize: memorySize)])
        writer.notes = [(18, little(entry))]
        return writer
    }

    public static func little(_ value: some FixedWidthInteger & UnsignedInteger) -> [UInt8] {
        (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }

    public static func text(_ text: String) -> [UInt8] { Array(text.utf8) + [0] }

    /// The note area as it stands in a file.
    public var noteBytes: [UInt8] {
        var out: [UInt8] = []
        for note in notes {
            for word in [4, UInt32(note.content.count), note.type] { out += Self.little(word) }
            out += Array("Xen\0".utf8)
            out += note.content
            out += [UInt8](repeating: 0, count: -note.content.count & 3)
        }
        return out
    }

    /// The file: header, program headers, contents, section headers.
    public func bytes() -> [UInt8] {
        var all = segments
        if notePlace == .segment, !notes.isEmpty { all.append(Segment(type: 4, physicalAddress: 0, bytes: noteBytes)) }
        let headerSize = is64Bit ? 64 : 52
        let programSize = is64Bit ? 56 : 32
        var content: [UInt8] = []
        var programs: [UInt8] = []
        let base = headerSize + all.count * programSize
        for segment in all {
            programs += programHeader(segment, offset: UInt64(base + content.count))
            content += segment.bytes
        }
        let names = Array("\0.notes\0__xen_guest\0.shstrtab\0".utf8)
        let sectionContent = notePlace == .legacySection ? Array(legacyText.utf8) + [0] : notePlace == .section ? noteBytes : []
        let sectionOffset = UInt64(base + content.count)
        content += sectionContent + names
        let tableOffset = UInt64(base + content.count)
        var sections = sectionHeader(name: 0, type: 0, offset: 0, size: 0)
        sections += sectionHeader(
            name: notePlace == .legacySection ? 8 : 1, type: notePlace == .section ? 7 : 1, offset: sectionOffset,
            size: UInt64(sectionContent.count))
        sections += sectionHeader(name: 20, type: 3, offset: sectionOffset + UInt64(sectionContent.count), size: UInt64(names.count))
        return fileHeader(programCount: all.count, sectionTable: tableOffset) + programs + content + sections
    }

    private func word(_ value: UInt64) -> [UInt8] { is64Bit ? Self.little(value) : Self.little(UInt32(truncatingIfNeeded: value)) }

    private func fileHeader(programCount: Int, sectionTable: UInt64) -> [UInt8] {
        let headerSize: UInt16 = is64Bit ? 64 : 52
        var out: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, is64Bit ? 2 : 1, 1, 1] + [UInt8](repeating: 0, count: 9)
        for half in [type, machine, 1, 0] { out += Self.little(half) }
        for place in [0x10_0000, UInt64(headerSize), sectionTable] { out += word(place) }
        out += Self.little(UInt32(0))
        for half in [headerSize, is64Bit ? 56 : 32, UInt16(programCount), is64Bit ? 64 : 40, 3, 2] { out += Self.little(half) }
        return out
    }

    private func programHeader(_ segment: Segment, offset: UInt64) -> [UInt8] {
        let sizes = word(UInt64(segment.bytes.count)) + word(segment.memorySize)
        let places = word(offset) + word(segment.physicalAddress) + word(segment.physicalAddress)
        let flags = Self.little(UInt32(7))
        let alignment = word(segment.type == 4 ? 4 : 4096)
        return is64Bit
            ? Self.little(segment.type) + flags + places + sizes + alignment
            : Self.little(segment.type) + places + sizes + flags + alignment
    }

    private func sectionHeader(name: UInt32, type: UInt32, offset: UInt64, size: UInt64) -> [UInt8] {
        var out = Self.little(name) + Self.little(type)
        for field in [0, 0, offset, size] { out += word(field) }
        out += Self.little(UInt64(0))
        return out + word(4) + word(0)
    }

    /// Puts a packed kernel into a bzImage of two setup sectors.
    public static func bzImage(payload: [UInt8], version: String = "6.1.0-test", protocolVersion: UInt16 = 0x020f) -> [UInt8] {
        var setup = [UInt8](repeating: 0, count: 1024)
        func put(_ bytes: [UInt8], _ offset: Int) { setup.replaceSubrange(offset..<offset + bytes.count, with: bytes) }
        put([1], 0x1f1)
        put([0x55, 0xaa], 0x1fe)
        put(Array("HdrS".utf8), 0x202)
        put(little(protocolVersion), 0x206)
        put(little(UInt16(0x100)), 0x20e)
        put(little(UInt32(16)), 0x248)
        put(little(UInt32(payload.count)), 0x24c)
        put(text(version), 0x300)
        return setup + [UInt8](repeating: 0xcc, count: 16) + payload + [UInt8](repeating: 0, count: 32)
    }
}
