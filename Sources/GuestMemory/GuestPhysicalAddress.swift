/// A guest-physical address, in bytes.
public struct GuestPhysicalAddress: BitwiseCopyable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64

    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable public init(_ frame: GuestFrameNumber) { rawValue = frame.rawValue &<< 12 }

    @inlinable public var frame: GuestFrameNumber { GuestFrameNumber(rawValue &>> 12) }
    /// Position in its page, 0 ... 4095.
    @inlinable public var pageOffset: Int { Int(truncatingIfNeeded: rawValue & 0xfff) }

    @inlinable public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    @inlinable public static func + (a: Self, bytes: UInt64) -> Self { Self(a.rawValue &+ bytes) }
    public var description: String { "0x" + String(rawValue, radix: 16) }
}

/// A guest frame number (gfn): a guest-physical address in pages of 4096 bytes.
public struct GuestFrameNumber: BitwiseCopyable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64

    @inlinable public init(_ rawValue: UInt64) { self.rawValue = rawValue }
    @inlinable public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    @inlinable public static func + (a: Self, count: UInt64) -> Self { Self(a.rawValue &+ count) }
    public var description: String { "gfn 0x" + String(rawValue, radix: 16) }
}

/// Why an access to guest memory failed.
public enum GuestMemoryError: Error, Equatable, Sendable {
    /// The host refused the mapping; the value is `errno`.
    case hostRefused(errno: Int32)
    /// A byte of the access lies in no populated page.
    case notPopulated(GuestPhysicalAddress)
    /// A byte of the write lies in a page mapped read-only.
    case readOnly(GuestPhysicalAddress)
    /// The frame number lies beyond the physical address width.
    case outOfRange(GuestFrameNumber)
    /// Every page the domain may own is in use.
    case exhausted
}
