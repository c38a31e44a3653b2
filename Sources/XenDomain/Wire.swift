/// A structure of the interface, copied once from or to the guest; little-endian, at most 128 bytes.
struct Wire: Sendable {
    static let capacity = 128
    private var bytes = InlineArray<128, UInt8>(repeating: 0)
    let count: Int

    init(count: Int) {
        precondition(count <= Self.capacity, "no structure of the interface is larger")
        self.count = count
    }

    subscript(at: Int) -> UInt8 {
        get { bytes[at] }
        set { bytes[at] = newValue }
    }

    func get<T: FixedWidthInteger & UnsignedInteger>(_ at: Int, as: T.Type) -> T {
        var value: T = 0
        var index = T.bitWidth / 8 - 1
        while index >= 0 {
            value = value &<< 8 | T(truncatingIfNeeded: bytes[at + index])
            index -= 1
        }
        return value
    }

    func u16(_ at: Int) -> UInt16 { get(at, as: UInt16.self) }
    func u32(_ at: Int) -> UInt32 { get(at, as: UInt32.self) }
    func u64(_ at: Int) -> UInt64 { get(at, as: UInt64.self) }
    /// A `long`, handle or frame number of the caller's width.
    func word(_ at: Int, is64Bit: Bool) -> UInt64 { is64Bit ? u64(at) : UInt64(u32(at)) }

    mutating func set<T: FixedWidthInteger>(_ at: Int, _ value: T) {
        var index = 0
        while index < T.bitWidth / 8 {
            bytes[at + index] = UInt8(truncatingIfNeeded: value &>> T(index * 8))
            index += 1
        }
    }

    /// Runs `body` on the bytes in use.
    func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        unsafe withUnsafeBytes(of: bytes) { unsafe body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }

    mutating func withMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) -> R) -> R {
        let count = count
        return unsafe withUnsafeMutableBytes(of: &bytes) { unsafe body(UnsafeMutableRawBufferPointer(rebasing: $0[..<count])) }
    }
}
