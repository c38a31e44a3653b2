internal import CLZ4

/// The "legacy" LZ4 frame of `lz4 -l`: magic, then blocks of a 32-bit packed length and LZ4 data that unpack to at most 8 MiB each.
func unpackLZ4(_ bytes: [UInt8], _ range: Range<Int>, into sink: inout OutputSink) throws(UnpackError) {
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 8 << 20, alignment: 64)
    defer { unsafe block.deallocate() }
    var position = range.lowerBound + Compression.lz4.magic.count
    repeat {
        let start = position - range.lowerBound
        guard position <= range.upperBound - 4, let length = bytes.littleEndian(UInt32.self, at: position) else {
            throw UnpackError(offset: start, cause: "the packed data end too early")
        }
        position += 4
        guard length > 0, Int(length) <= range.upperBound - position else {
            throw UnpackError(offset: start, cause: "an lz4 block claims \(length) bytes where \(range.upperBound - position) are left")
        }
        let produced = unsafe bytes.withUnsafeBytes {
            unsafe LZ4_decompress_safe(
                $0.baseAddress?.advanced(by: position).assumingMemoryBound(to: CChar.self),
                block.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(clamping: length), Int32(block.count))
        }
        guard produced >= 0 else { throw UnpackError(offset: start, cause: "the lz4 data are damaged") }
        try unsafe sink.append(UnsafeRawBufferPointer(rebasing: block[..<Int(produced)]), offset: start)
        position += Int(length)
        // What is left at the end is nothing, or the four bytes of unpacked size the kernel build appends.
    } while range.upperBound - position > 4
}
