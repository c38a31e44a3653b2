/// Reads the bytes of one instruction in order. Past the end it yields zero and goes on counting, so that the decoder
/// asks once, at its end, whether the bytes sufficed.
@safe struct ByteCursor {
    private let start: UnsafeRawPointer
    let count: Int
    private(set) var position = 0

    /// - Parameter bytes: must outlive the cursor; more than 15 are not looked at.
    @inline(__always)
    @unsafe init(_ bytes: UnsafeRawBufferPointer) {
        // An empty buffer may have no address; any address does when no byte is read.
        unsafe start = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped
        count = min(bytes.count, 15)
    }

    /// The next byte, not consumed.
    var peek: UInt8 { position < count ? unsafe start.load(fromByteOffset: position, as: UInt8.self) : 0 }

    var isPastEnd: Bool { position > count }

    @inline(__always)
    mutating func next<Word: FixedWidthInteger & BitwiseCopyable>(_: Word.Type) -> Word {
        let here = position
        position = here &+ MemoryLayout<Word>.size
        guard position <= count else { return 0 }
        return unsafe start.loadUnaligned(fromByteOffset: here, as: Word.self)
    }

    @inline(__always)
    mutating func nextSigned<Word: FixedWidthInteger & BitwiseCopyable>(_: Word.Type) -> Int64 {
        Int64(truncatingIfNeeded: next(Word.self))
    }
}
