/// A set of the 256 interrupt vectors, as the IRR, ISR and TMR hold them.
public struct VectorSet: Sendable {
    private var words = InlineArray<4, UInt64>(repeating: 0)

    public init() {}

    public func contains(_ vector: UInt8) -> Bool { words[Int(vector &>> 6)] &>> UInt64(vector & 63) & 1 != 0 }
    public mutating func insert(_ vector: UInt8) { words[Int(vector &>> 6)] |= 1 &<< UInt64(vector & 63) }
    public mutating func remove(_ vector: UInt8) { words[Int(vector &>> 6)] &= ~(1 &<< UInt64(vector & 63)) }

    /// The highest member, which has the highest priority.
    public var highest: UInt8? {
        var index = 3
        while index >= 0 {
            let word = words[index]
            if word != 0 { return UInt8(truncatingIfNeeded: index &* 64 &+ 63 &- word.leadingZeroBitCount) }
            index &-= 1
        }
        return nil
    }

    /// Register `index` (0 ... 7) of the eight 32-bit registers that show the set.
    public func register(_ index: Int) -> UInt32 {
        let word = words[(index &>> 1) & 3]
        return UInt32(truncatingIfNeeded: index & 1 == 0 ? word : word &>> 32)
    }
}
