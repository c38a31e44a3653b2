/// An Ethernet address: the first byte is the highest of 48 bits.
public struct MACAddress: Hashable, Sendable, BitwiseCopyable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(_ rawValue: UInt64) { self.rawValue = rawValue & 0xffff_ffff_ffff }

    /// Six hexadecimal bytes with colons; nil for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6 else { return nil }
        var value: UInt64 = 0
        for part in parts {
            guard part.utf8.count <= 2, let byte = UInt8(part, radix: 16) else { return nil }
            value = value << 8 | UInt64(byte)
        }
        rawValue = value
    }

    public static let broadcast = Self(0xffff_ffff_ffff)

    /// Multicast or broadcast.
    public var isGroup: Bool { rawValue >> 40 & 1 != 0 }

    public var description: String {
        (0..<6).map { index in
            let digits = String(rawValue >> UInt64(40 - 8 * index) & 0xff, radix: 16)
            return digits.utf8.count == 1 ? "0" + digits : digits
        }.joined(separator: ":")
    }
}
