/// Sixteen bytes as the vector instructions see them; the views are the lanes, lowest first.
typealias Vector = SIMD2<UInt64>

extension SIMD2<UInt64> {
    /// The same bits as other lanes.
    @inline(__always)
    func lanes<V: SIMD & BitwiseCopyable>(as: V.Type) -> V { unsafe unsafeBitCast(self, to: V.self) }

    @inline(__always)
    init<V: SIMD & BitwiseCopyable>(lanes: V) { self = unsafe unsafeBitCast(lanes, to: Self.self) }

    @inline(__always) var bytes: SIMD16<UInt8> { lanes(as: SIMD16<UInt8>.self) }
    @inline(__always) var words: SIMD8<UInt16> { lanes(as: SIMD8<UInt16>.self) }
    @inline(__always) var longs: SIMD4<UInt32> { lanes(as: SIMD4<UInt32>.self) }
    @inline(__always) var signedBytes: SIMD16<Int8> { lanes(as: SIMD16<Int8>.self) }
    @inline(__always) var signedWords: SIMD8<Int16> { lanes(as: SIMD8<Int16>.self) }
    @inline(__always) var signedLongs: SIMD4<Int32> { lanes(as: SIMD4<Int32>.self) }
    @inline(__always) var signedQuads: SIMD2<Int64> { lanes(as: SIMD2<Int64>.self) }
    @inline(__always) var floats: SIMD4<Float> { lanes(as: SIMD4<Float>.self) }
    @inline(__always) var doubles: SIMD2<Double> { lanes(as: SIMD2<Double>.self) }

    /// Shifted towards lane 0 by whole bytes, zeros coming in; everything gone from 16 on.
    @inline(__always)
    func shiftedDown(bytes count: Int) -> Self {
        Vector.window((self, .zero, .zero), Swift.min(count, 16))
    }

    /// Shifted away from lane 0 by whole bytes.
    @inline(__always)
    func shiftedUp(bytes count: Int) -> Self {
        Vector.window((.zero, self, .zero), 16 &- Swift.min(count, 16))
    }

    /// Sixteen of the 48 bytes, from `offset` (0...32) on.
    @inline(__always)
    static func window(_ row: (Self, Self, Self), _ offset: Int) -> Self {
        unsafe withUnsafeBytes(of: row) { unsafe $0.loadUnaligned(fromByteOffset: offset, as: Self.self) }
    }

    /// Bit n is the top bit of byte n.
    @inline(__always)
    var byteSigns: UInt32 { Vector.signs(x) | Vector.signs(y) &<< 8 }

    /// Gathers the eight top bits: every product of the multiplication lands in a place of its own.
    @inline(__always)
    private static func signs(_ value: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: ((value & 0x8080_8080_8080_8080) &>> 7 &* 0x0102_0408_1020_4080) &>> 56)
    }
}
