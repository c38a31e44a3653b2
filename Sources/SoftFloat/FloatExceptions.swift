/// Floating-point exceptions, in the bit order of MXCSR and of the x87 status word (SDM vol. 1, 4.9.1).
public struct FloatExceptions: OptionSet, BitwiseCopyable, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let invalid = FloatExceptions(rawValue: 1 << 0)
    public static let denormal = FloatExceptions(rawValue: 1 << 1)
    public static let divideByZero = FloatExceptions(rawValue: 1 << 2)
    public static let overflow = FloatExceptions(rawValue: 1 << 3)
    public static let underflow = FloatExceptions(rawValue: 1 << 4)
    public static let inexact = FloatExceptions(rawValue: 1 << 5)
    /// The exceptions found before anything is computed: unmasked, they leave the destination as it was.
    public static let beforeComputation: FloatExceptions = [.invalid, .denormal, .divideByZero]
    public static let all = FloatExceptions(rawValue: 0x3f)
}

/// Rounding control by its encoding in MXCSR, the x87 control word and ROUNDSS (SDM vol. 1, table 4-8).
public enum RoundingMode: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    case nearestEven = 0, down, up, towardZero

    /// The mode in the low two bits of `field`.
    @inlinable
    public init(field: UInt32) {
        switch field & 3 {
        case 0: self = .nearestEven
        case 1: self = .down
        case 2: self = .up
        default: self = .towardZero
        }
    }
}
