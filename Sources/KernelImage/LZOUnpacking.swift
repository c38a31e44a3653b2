internal import CZlib

/// Flags in the header of an lzop file.
private enum LZOPFlag {
    static let adler32OfOutput: UInt32 = 0x1
    static let adler32OfInput: UInt32 = 0x2
    static let extraField: UInt32 = 0x40
    static let crc32OfOutput: UInt32 = 0x100
    static let crc32OfInput: UInt32 = 0x200
    static let filter: UInt32 = 0x800
    static let crc32OfHeader: UInt32 = 0x1000
}

/// A cursor over big-endian fields that never leaves its range.
private struct Cursor {
    let bytes: [UInt8]
    let range: Range<Int>
    var position: Int

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        self.range = range
        position = range.lowerBound
    }

    var offset: Int { position - range.lowerBound }

    mutating func next<Word: FixedWidthInteger & UnsignedInteger>(_: Word.Type) throws(UnpackError) -> Word {
        let start = try take(MemoryLayout<Word>.size)
        return bytes.bigEndian(Word.self, at: start.lowerBound) ?? 0
    }

    mutating func take(_ count: Int) throws(UnpackError) -> Range<Int> {
        guard count <= range.upperBound - position else {
            throw UnpackError(offset: offset, cause: "the packed data end too early")
        }
        defer { position += count }
        return position..<position + count
    }
}

/// An lzop file: header, then blocks of LZO1X data, checksums verified where the file carries them.
func unpackLZO(_ bytes: [UInt8], _ range: Range<Int>, into sink: inout OutputSink) throws(UnpackError) {
    var cursor = Cursor(bytes, range)
    let flags = try readLZOPHeader(&cursor)
    while true {
        let blockOffset = cursor.offset
        let unpackedLength = Int(try cursor.next(UInt32.self))
        if unpackedLength == 0 { return }
        let packedLength = Int(try cursor.next(UInt32.self))
        // lzop itself writes blocks of 256 KiB and reads at most 64 MiB.
        guard unpackedLength <= 64 << 20, packedLength <= unpackedLength else {
            throw UnpackError(offset: blockOffset, cause: "an lzo block claims \(packedLength) packed and \(unpackedLength) unpacked bytes")
        }
        let adler = flags & LZOPFlag.adler32OfOutput != 0 ? try cursor.next(UInt32.self) : nil
        let crc = flags & LZOPFlag.crc32OfOutput != 0 ? try cursor.next(UInt32.self) : nil
        if packedLength < unpackedLength {
            if flags & LZOPFlag.adler32OfInput != 0 { _ = try cursor.next(UInt32.self) }
            if flags & LZOPFlag.crc32OfInput != 0 { _ = try cursor.next(UInt32.self) }
        }
        let block = try cursor.take(packedLength)
        // Every LZO1X instruction yields less than 256 bytes per input byte: no honest block claims more.
        guard unpackedLength / 256 <= packedLength else {
            throw UnpackError(offset: blockOffset, cause: "an lzo block claims more output than its input can hold")
        }
        let isStored = packedLength == unpackedLength
        guard let output = isStored ? Array(bytes[block]) : lzo1xUnpack(bytes, block, outputCount: unpackedLength) else {
            throw UnpackError(offset: blockOffset, cause: "the lzo data are damaged")
        }
        guard checksumsHold(output, 0..<output.count, adler: adler, crc: crc) else {
            throw UnpackError(offset: blockOffset, cause: "the checksum of an lzo block is wrong")
        }
        try sink.append(output, offset: blockOffset)
    }
}

/// Returns the flags word.
private func readLZOPHeader(_ cursor: inout Cursor) throws(UnpackError) -> UInt32 {
    guard cursor.bytes.begins(with: [0x89, 0x4c, 0x5a, 0x4f, 0x00, 0x0d, 0x0a, 0x1a, 0x0a], at: cursor.range.lowerBound) else {
        throw UnpackError(offset: 0, cause: "the lzop header is damaged")
    }
    _ = try cursor.take(9)
    let start = cursor.position
    let version = try cursor.next(UInt16.self)
    _ = try cursor.next(UInt16.self)  // library version
    let isModern = version >= 0x0940
    if isModern { _ = try cursor.next(UInt16.self) }  // version needed
    let methodOffset = cursor.offset
    let method = try cursor.next(UInt8.self)
    guard (1...3).contains(method) else {
        throw UnpackError(offset: methodOffset, cause: "lzop method \(method) is not LZO1X")
    }
    if isModern { _ = try cursor.next(UInt8.self) }  // level
    let flags = try cursor.next(UInt32.self)
    if flags & LZOPFlag.filter != 0 {
        throw UnpackError(offset: cursor.offset, cause: "the lzop file uses a filter, which kernels never do")
    }
    _ = try cursor.take(isModern ? 12 : 8)  // mode, modification time
    _ = try cursor.take(Int(try cursor.next(UInt8.self)))  // name
    let header = start..<cursor.position
    let expected = try cursor.next(UInt32.self)
    let usesCRC = flags & LZOPFlag.crc32OfHeader != 0
    let holds = checksumsHold(cursor.bytes, header, adler: usesCRC ? nil : expected, crc: usesCRC ? expected : nil)
    guard holds else { throw UnpackError(offset: cursor.offset - 4, cause: "the checksum of the lzop header is wrong") }
    if flags & LZOPFlag.extraField != 0 { _ = try cursor.take(Int(try cursor.next(UInt32.self)) + 4) }
    return flags
}

/// Whether the bytes in `range` have the checksums given.
private func checksumsHold(_ bytes: [UInt8], _ range: Range<Int>, adler: UInt32?, crc: UInt32?) -> Bool {
    unsafe bytes[range].withUnsafeBufferPointer { data in
        let length = UInt32(clamping: data.count)
        if let adler, unsafe adler32(1, data.baseAddress, length) != UInt(adler) { return false }
        if let crc, unsafe crc32(0, data.baseAddress, length) != UInt(crc) { return false }
        return true
    }
}
