import Glibc

/// A core of a guest, read by the format's description alone (Xen `docs/misc/dump-core-format.txt`, ELF-64 specification): what a debugger
/// would have to make of the file.
public struct CoreFile {
    public enum Failure: Error, Equatable {
        case unreadable(String)
        case malformed(String)
    }

    public struct Section: Equatable, Sendable {
        public var type: UInt32
        public var offset: Int
        public var size: Int
        public var entrySize: Int
    }

    /// A record of `.note.Xen`.
    public struct Note: Equatable, Sendable {
        public var name: String
        public var type: UInt32
        public var content: [UInt8]
    }

    /// Bytes of `vcpu_guest_context` of a 64-bit guest.
    public static let contextSize = 5168

    public let bytes: [UInt8]
    public let sections: [String: Section]
    public let notes: [Note]
    /// Where in the file the page of each frame stands.
    private let pages: [UInt64: Int]

    public init(_ path: String) throws(Failure) {
        guard let bytes = Self.read(path) else { throw .unreadable(path) }
        guard bytes.count > 64, Array(bytes[..<7]) == [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] else { throw .malformed("no ELF-64 file") }
        guard Self.number(bytes, 16, 2) == 4, Self.number(bytes, 18, 2) == 62 else { throw .malformed("no core of x86-64") }
        self.bytes = bytes
        sections = try Self.sections(bytes)
        guard let notes = sections[".note.Xen"], notes.type == 7 else { throw .malformed("no .note.Xen") }
        self.notes = try Self.notes(bytes, notes)
        pages = try Self.pages(bytes, sections)
    }

    public var pageCount: Int { pages.count }

    public func page(_ frame: UInt64) -> ArraySlice<UInt8>? { pages[frame].map { bytes[$0..<$0 + 4096] } }

    /// Registers of a vCPU, as `vcpu_guest_context`.
    public func context(_ vcpu: Int) -> ArraySlice<UInt8> {
        let start = (sections[".xen_prstatus"]?.offset ?? 0) + vcpu * Self.contextSize
        return bytes[start..<start + Self.contextSize]
    }

    /// A control register of a vCPU.
    public func control(_ number: Int, vcpu: Int) -> UInt64 {
        let context = context(vcpu)
        return Self.number(Array(context[context.startIndex + 4984..<context.startIndex + 5048]), number * 8, 8)
    }

    // MARK: - the guest's own address space

    /// The physical address behind a linear one, by the four levels of page tables a vCPU uses.
    public func physical(_ address: UInt64, vcpu: Int) -> UInt64? {
        var table = control(3, vcpu: vcpu) & 0x000f_ffff_ffff_f000
        for level in stride(from: UInt64(39), through: 12, by: -9) {
            guard let page = page(table >> 12) else { return nil }
            let at = page.startIndex + Int(address >> level & 511) * 8
            let entry = Self.number(Array(page[at..<at + 8]), 0, 8)
            guard entry & 1 != 0 else { return nil }
            let mask = (UInt64(1) << level) - 1
            if level == 12 || (level < 39 && entry & 1 << 7 != 0) { return entry & 0x000f_ffff_ffff_f000 & ~mask | address & mask }
            table = entry & 0x000f_ffff_ffff_f000
        }
        return nil
    }

    /// `count` bytes at a linear address; nil where one is not mapped or not in the core.
    public func linear(_ address: UInt64, _ count: Int, vcpu: Int = 0) -> [UInt8]? {
        var result: [UInt8] = []
        while result.count < count {
            let at = address &+ UInt64(result.count)
            guard let physical = physical(at, vcpu: vcpu), let page = page(physical >> 12) else { return nil }
            let offset = page.startIndex + Int(physical & 0xfff)
            result += page[offset..<min(page.endIndex, offset + count - result.count)]
        }
        return result
    }

    // MARK: - parts of the file

    private static func sections(_ bytes: [UInt8]) throws(Failure) -> [String: Section] {
        let (start, count, names) = (Int(number(bytes, 40, 8)), Int(number(bytes, 60, 2)), Int(number(bytes, 62, 2)))
        guard names < count, start + count * 64 <= bytes.count else { throw .malformed("section headers beyond the end") }
        let text = Int(number(bytes, start + names * 64 + 24, 8))
        var result: [String: Section] = [:]
        for index in 1..<count {
            let at = start + index * 64
            let section = Section(
                type: UInt32(number(bytes, at + 4, 4)), offset: Int(number(bytes, at + 24, 8)), size: Int(number(bytes, at + 32, 8)),
                entrySize: Int(number(bytes, at + 56, 8)))
            guard section.offset + section.size <= bytes.count else { throw .malformed("section \(index) beyond the end") }
            let name = bytes[(text + Int(number(bytes, at, 4)))...].prefix { $0 != 0 }
            result[String(decoding: name, as: UTF8.self)] = section
        }
        return result
    }

    private static func notes(_ bytes: [UInt8], _ section: Section) throws(Failure) -> [Note] {
        var notes: [Note] = []
        var at = section.offset
        while at + 12 <= section.offset + section.size {
            let (nameSize, size) = (Int(number(bytes, at, 4)), Int(number(bytes, at + 4, 4)))
            let content = at + 12 + (nameSize + 3) / 4 * 4
            guard content + size <= section.offset + section.size else { throw .malformed("a note beyond its section") }
            notes.append(
                Note(
                    name: String(decoding: bytes[at + 12..<at + 12 + max(0, nameSize - 1)], as: UTF8.self),
                    type: UInt32(number(bytes, at + 8, 4)), content: Array(bytes[content..<content + size])))
            at = content + (size + 3) / 4 * 4
        }
        return notes
    }

    private static func pages(_ bytes: [UInt8], _ sections: [String: Section]) throws(Failure) -> [UInt64: Int] {
        guard let frames = sections[".xen_pfn"], let pages = sections[".xen_pages"] else { throw .malformed("no .xen_pfn or .xen_pages") }
        guard frames.size / 8 == pages.size / 4096, pages.offset % 4096 == 0 else { throw .malformed(".xen_pfn and .xen_pages differ") }
        var result: [UInt64: Int] = [:]
        for index in 0..<frames.size / 8 { result[number(bytes, frames.offset + index * 8, 8)] = pages.offset + index * 4096 }
        guard result.count == frames.size / 8 else { throw .malformed("a frame stands twice in .xen_pfn") }
        return result
    }

    /// A little-endian number.
    public static func number(_ bytes: [UInt8], _ at: Int, _ count: Int) -> UInt64 {
        (0..<count).reduce(0) { $0 | UInt64(bytes[at + $1]) << UInt64($1 * 8) }
    }

    private static func read(_ path: String) -> [UInt8]? {
        let number = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { return nil }
        defer { close(number) }
        let size = Int(lseek(number, 0, SEEK_END))
        guard size >= 0 else { return nil }
        return unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let result = unsafe pread(number, buffer.baseAddress! + count, size - count, count)
                guard result > 0 else { break }
                count += result
            }
        }
    }
}
