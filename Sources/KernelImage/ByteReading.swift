/// Checked little-endian and big-endian loads: nil instead of a trap when the bytes are not there.
extension [UInt8] {
    /// The bytes in `range`, or nil when any of them lies outside.
    func checked(_ range: Range<UInt64>) -> Range<Int>? {
        guard range.upperBound <= UInt64(count) else { return nil }
        return Int(range.lowerBound)..<Int(range.upperBound)
    }

    /// `length` bytes from `offset`, or nil when they overflow or lie outside.
    func checked(at offset: UInt64, length: UInt64) -> Range<Int>? {
        let (end, overflow) = offset.addingReportingOverflow(length)
        return overflow ? nil : checked(offset..<end)
    }

    func littleEndian<Word: FixedWidthInteger & UnsignedInteger>(_: Word.Type, at offset: Int) -> Word? {
        let size = MemoryLayout<Word>.size
        guard offset >= 0, offset <= count - size else { return nil }
        return (0..<size).reduce(Word(0)) { $0 | Word(self[offset + $1]) << ($1 * 8) }
    }

    func bigEndian<Word: FixedWidthInteger & UnsignedInteger>(_ type: Word.Type, at offset: Int) -> Word? {
        littleEndian(type, at: offset)?.byteSwapped
    }

    func begins(with prefix: [UInt8], at offset: Int = 0) -> Bool {
        guard offset >= 0, offset <= count - prefix.count else { return false }
        return self[offset..<offset + prefix.count].elementsEqual(prefix)
    }

    /// Text from `range` up to the first NUL; bytes outside printable ASCII become `?`, so that a hostile file cannot steer a terminal.
    func printable(_ range: Range<Int>) -> String {
        let text = self[range].prefix { $0 != 0 }
        return String(decoding: text.map { (0x20...0x7e).contains($0) ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
    }
}
