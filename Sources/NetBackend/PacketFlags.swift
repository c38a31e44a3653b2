/// Flags of a transmit request: what the guest says of a packet.
///
/// Reference: Xen `public/io/netif.h`, `NETTXF_*`.
public struct TransmitFlags: OptionSet, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The checksum field holds only the pseudo-header's sum.
    public static let checksumBlank = Self(rawValue: 1)
    public static let dataValidated = Self(rawValue: 2)
    public static let moreData = Self(rawValue: 4)
    public static let extraInfo = Self(rawValue: 8)
}
