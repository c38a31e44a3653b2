internal import CBzip2
internal import CLZMA
internal import CZlib
internal import CZstd

/// What one call of a library's decoder did.
struct DecoderStep {
    enum Status: Equatable { case goesOn, end, failure(String) }
    var consumed: Int
    var produced: Int
    var status: Status
}

/// Feeds a library's decoder until it reports the end of its stream.
///
/// - Parameter step: is given what is left of the input and an output buffer, and tells how much it used of both.
/// - Returns: the number of packed bytes the stream took.
/// - Throws: when the decoder reports damage, makes no progress (the input ends too early), or passes the sink's limit.
func drive(
    _ bytes: [UInt8], _ range: Range<Int>, into sink: inout OutputSink,
    step: (UnsafeBufferPointer<UInt8>, UnsafeMutableRawBufferPointer) -> DecoderStep
) throws(UnpackError) -> Int {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 64)
    defer { unsafe buffer.deallocate() }
    var consumed = 0
    while true {
        let rest = range.lowerBound + consumed..<range.upperBound
        let result = unsafe bytes[rest].withUnsafeBufferPointer { unsafe step($0, buffer) }
        consumed += result.consumed
        try unsafe sink.append(UnsafeRawBufferPointer(rebasing: buffer[..<result.produced]), offset: consumed)
        switch result.status {
        case .end: return consumed
        case .failure(let cause): throw UnpackError(offset: consumed, cause: cause)
        case .goesOn where result.consumed == 0 && result.produced == 0:
            throw UnpackError(offset: consumed, cause: "the packed data end too early")
        case .goesOn: continue
        }
    }
}

/// One gzip member (RFC 1952), checksum verified. Returns its packed length.
func unpackGzip(_ bytes: [UInt8], _ range: Range<Int>, into sink: inout OutputSink) throws(UnpackError) -> Int {
    var stream = unsafe z_stream()
    // 16 selects the gzip wrapper, 15 the largest window.
    guard unsafe inflateInit2_(&stream, 16 + 15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        throw UnpackError(offset: 0, cause: "zlib could not start (out of memory)")
    }
    defer { _ = unsafe inflateEnd(&stream) }
    return try unsafe drive(bytes, range, into: &sink) { input, output in
        let available = UInt32(clamping: input.count)
        unsafe stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
        unsafe stream.avail_in = available
        unsafe stream.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.avail_out = UInt32(output.count)
        let code = unsafe inflate(&stream, Z_NO_FLUSH)
        let status: DecoderStep.Status = switch code {
        case Z_STREAM_END: .end
        case Z_OK, Z_BUF_ERROR: .goesOn
        case Z_MEM_ERROR: .failure("zlib ran out of memory")
        default: .failure("the gzip data are damaged")
        }
        return unsafe DecoderStep(
            consumed: Int(available - stream.avail_in), produced: output.count - Int(stream.avail_out), status: status)
    }
}

/// One bzip2 stream, checksums verified.
func unpackBzip2(_ bytes: [UInt8], _ range: Range<Int>, into sink: inout OutputSink) throws(UnpackError) {
    var stream = unsafe bz_stream()
    guard unsafe BZ2_bzDecompressInit(&stream, 0, 0) == BZ_OK else {
        throw UnpackError(offset: 0, cause: "libbz2 could not start (out of memory)")
    }
    defer { _ = unsafe BZ2_bzDecompressEnd(&stream) }
    _ = try unsafe drive(bytes, range, into: &sink) { input, output in
        let available = UInt32(clamping: input.count)
        unsafe stream.next_in = UnsafeMutableRawPointer(mutating: input.baseAddress)?.assumingMemoryBound(to: CChar.self)
        unsafe stream.avail_in = available
        unsafe stream.next_out = output.baseAddress?.assumingMemoryBound(to: CChar.self)
        unsafe stream.avail_out = UInt32(output.count)
        let code = unsafe BZ2_bzDecompress(&stream)
        let status: DecoderStep.Status = switch code {
        case BZ_STREAM_END: .end
        case BZ_OK: .goesOn
        case BZ_MEM_ERROR: .failure("libbz2 ran out of memory")
        default: .failure("the bzip2 data are damaged")
        }
        return unsafe DecoderStep(
            consumed: Int(available - stream.avail_in), produced: output.count - Int(stream.avail_out), status: status)
    }
}

/// One xz stream or one old-style .lzma stream.
func unpackLZMA(
    _ compression: Compression, _ bytes: [UInt8], _ range: Range<Int>, into sink: inout OutputSink
) throws(UnpackError) {
    // The largest dictionary kernel builds ask for is 128 MiB.
    let memoryLimit: UInt64 = 192 << 20
    var stream = unsafe lzma_stream()
    let started = unsafe compression == .xz
        ? lzma_stream_decoder(&stream, memoryLimit, 0) : lzma_alone_decoder(&stream, memoryLimit)
    guard started == LZMA_OK else { throw UnpackError(offset: 0, cause: "liblzma could not start (out of memory)") }
    defer { unsafe lzma_end(&stream) }
    _ = try unsafe drive(bytes, range, into: &sink) { input, output in
        unsafe stream.next_in = input.baseAddress
        unsafe stream.avail_in = input.count
        unsafe stream.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.avail_out = output.count
        let code = unsafe lzma_code(&stream, LZMA_RUN)
        let status: DecoderStep.Status = switch code {
        case LZMA_STREAM_END: .end
        case LZMA_OK, LZMA_BUF_ERROR: .goesOn
        case LZMA_MEM_ERROR: .failure("liblzma ran out of memory")
        case LZMA_MEMLIMIT_ERROR: .failure("the \(compression) data ask for a dictionary of more than 128 MiB")
        default: .failure("the \(compression) data are damaged")
        }
        return unsafe DecoderStep(
            consumed: input.count - stream.avail_in, produced: output.count - stream.avail_out, status: status)
    }
}

/// One zstd frame.
func unpackZstd(_ bytes: [UInt8], _ range: Range<Int>, into sink: inout OutputSink) throws(UnpackError) {
    guard let context = unsafe ZSTD_createDStream() else {
        throw UnpackError(offset: 0, cause: "libzstd could not start (out of memory)")
    }
    defer { _ = unsafe ZSTD_freeDStream(context) }
    _ = try unsafe drive(bytes, range, into: &sink) { input, output in
        var source = unsafe ZSTD_inBuffer(src: input.baseAddress, size: input.count, pos: 0)
        var target = unsafe ZSTD_outBuffer(dst: output.baseAddress, size: output.count, pos: 0)
        let code = unsafe ZSTD_decompressStream(context, &target, &source)
        let status: DecoderStep.Status =
            ZSTD_isError(code) != 0 ? .failure("the zstd data are damaged") : code == 0 ? .end : .goesOn
        return unsafe DecoderStep(consumed: source.pos, produced: target.pos, status: status)
    }
}
