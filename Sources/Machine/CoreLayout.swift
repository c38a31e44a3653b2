import GuestMemory

/// Where the parts of an ELF core stand, and everything around the pages themselves.
struct CoreLayout {
    let notes: [UInt8]
    let registers: [UInt8]
    let frameNumbers: [UInt8]
    let pageCount: Int

    private static let headerSize = 64
    private static let sectionCount = 6
    private static let names: [UInt8] = Array("\0.note.Xen\0.xen_prstatus\0.xen_pfn\0.xen_pages\0.shstrtab\0".utf8)

    private var notesOffset: Int { Self.headerSize + Self.sectionCount * Self.headerSize }
    private var registersOffset: Int { aligned(notesOffset + notes.count, 8) }
    private var framesOffset: Int { registersOffset + registers.count }
    /// Where `.xen_pages` begins.
    var pagesOffset: Int { aligned(framesOffset + frameNumbers.count, GuestMemory.pageSize) }
    private var namesOffset: Int { pagesOffset + pageCount * GuestMemory.pageSize }

    /// What stands before the pages (up to their alignment, which the file's holes fill) and behind them.
    var bytes: (head: [UInt8], tail: [UInt8]) {
        var head = header + sections + notes
        head += [UInt8](repeating: 0, count: registersOffset - head.count) + registers + frameNumbers
        return (head, Self.names)
    }

    /// ELF64, little-endian, ET_CORE, EM_X86_64, no program headers.
    private var header: [UInt8] {
        [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1] + [UInt8](repeating: 0, count: 9) + Self.little(UInt16(4)) + Self.little(UInt16(62))
            + Self.little(UInt32(1)) + Self.little(UInt64(0)) + Self.little(UInt64(0)) + Self.little(UInt64(Self.headerSize))
            + Self.little(UInt32(0)) + Self.little(UInt16(Self.headerSize)) + Self.little(UInt16(0)) + Self.little(UInt16(0))
            + Self.little(UInt16(64)) + Self.little(UInt16(Self.sectionCount)) + Self.little(UInt16(Self.sectionCount - 1))
    }

    private var sections: [UInt8] {
        [UInt8](repeating: 0, count: 64)
            + section(".note.Xen", type: 7, notesOffset, notes.count, alignment: 4, entry: 0)
            + section(".xen_prstatus", type: 1, registersOffset, registers.count, alignment: 8, entry: CoreRegisters.contextSize)
            + section(".xen_pfn", type: 1, framesOffset, frameNumbers.count, alignment: 8, entry: 8)
            + section(
                ".xen_pages", type: 1, pagesOffset, pageCount * GuestMemory.pageSize, alignment: GuestMemory.pageSize,
                entry: GuestMemory.pageSize)
            + section(".shstrtab", type: 3, namesOffset, Self.names.count, alignment: 1, entry: 0)
    }

    private func section(_ name: String, type: UInt32, _ offset: Int, _ size: Int, alignment: Int, entry: Int) -> [UInt8] {
        Self.little(UInt32(Self.position(of: name))) + Self.little(type) + Self.little(UInt64(0)) + Self.little(UInt64(0))
            + Self.little(UInt64(offset)) + Self.little(UInt64(size)) + Self.little(UInt32(0)) + Self.little(UInt32(0))
            + Self.little(UInt64(alignment)) + Self.little(UInt64(entry))
    }

    private static func position(of name: String) -> Int {
        let wanted = Array(name.utf8) + [0]
        return names.indices.first { names[$0...].starts(with: wanted) } ?? 0
    }

    private func aligned(_ value: Int, _ alignment: Int) -> Int { (value + alignment - 1) / alignment * alignment }

    static func little<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) -> [UInt8] {
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe Array($0) }
    }
}
