/// Little-endian stores into a growing or a fixed array.
extension [UInt8] {
    mutating func append(littleEndian value: some FixedWidthInteger & UnsignedInteger) {
        for shift in stride(from: 0, to: value.bitWidth, by: 8) { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func store(_ value: some FixedWidthInteger & UnsignedInteger, at offset: Int) {
        for index in 0..<value.bitWidth / 8 { self[offset + index] = UInt8(truncatingIfNeeded: value >> (index * 8)) }
    }

    mutating func store(_ text: String, at offset: Int) {
        for (index, byte) in text.utf8.enumerated() { self[offset + index] = byte }
    }

    /// The byte that makes the sum of `range` zero modulo 256, when the byte itself is zero now.
    func checksum(_ range: Range<Int>) -> UInt8 {
        0 &- self[range].reduce(0, &+)
    }
}
