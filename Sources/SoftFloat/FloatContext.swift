/// How one instruction computes, and what it raised: control bits in, exception flags out.
///
/// `raised` starts empty, so that afterwards it holds what this instruction did, not what stuck from earlier ones.
public struct FloatContext: BitwiseCopyable, Sendable {
    public var rounding: RoundingMode
    /// Significand bits x87 add, subtract, multiply, divide and square root round to: 24, 53 or 64.
    public var precision: Int32
    public var denormalsAreZero: Bool
    public var flushToZero: Bool
    /// Exceptions that get the default response. Unmasked ones change what is computed (SDM vol. 1, 4.9.1).
    public var masked: FloatExceptions
    public var raised: FloatExceptions = []
    /// The last rounding moved the result away from zero: the x87 C1 flag.
    public var roundedUp = false

    @inlinable
    public init(rounding: RoundingMode = .nearestEven, masked: FloatExceptions = .all) {
        self.rounding = rounding
        self.masked = masked
        precision = 64
        denormalsAreZero = false
        flushToZero = false
    }

    /// The control bits of MXCSR (SDM vol. 1, 10.2.3).
    @inlinable
    public init(mxcsr: UInt32) {
        rounding = RoundingMode(field: mxcsr &>> 13)
        masked = FloatExceptions(rawValue: UInt8(truncatingIfNeeded: mxcsr &>> 7) & 0x3f)
        precision = 64
        denormalsAreZero = mxcsr & 0x40 != 0
        flushToZero = mxcsr & 0x8000 != 0
    }

    /// The x87 control word (SDM vol. 1, 8.1.5). The reserved precision 01 works like 64 bits.
    @inlinable
    public init(controlWord: UInt16) {
        rounding = RoundingMode(field: UInt32(truncatingIfNeeded: controlWord) &>> 10)
        masked = FloatExceptions(rawValue: UInt8(truncatingIfNeeded: controlWord) & 0x3f)
        switch controlWord & 0x300 {
        case 0: precision = 24
        case 0x200: precision = 53
        default: precision = 64
        }
        denormalsAreZero = false
        flushToZero = false
    }

    @inlinable
    public mutating func raise(_ exceptions: FloatExceptions) { raised.formUnion(exceptions) }

    /// What this instruction raised and the guest did not mask.
    @inlinable
    public var unmasked: FloatExceptions { raised.subtracting(masked) }

    /// An unmasked exception was found before computing: the instruction stops, its destination stays.
    @inlinable
    public var stopsBeforeComputation: Bool { !unmasked.isDisjoint(with: .beforeComputation) }
}
