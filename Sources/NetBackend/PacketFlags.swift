/// Flags of a transmit request: what the guest says of a packet.
///
/// Reference: Xen `public/io/netif.h`, `NETTXF_*`.
struct TransmitFlags: OptionSet, Sendable {
    let rawValue: UInt16

    /// The checksum field holds only the pseudo-header's sum.
    static let checksumBlank = Self(rawValue: 1)
    static let dataValidated = Self(rawValue: 2)
    static let moreData = Self(rawValue: 4)
    static let extraInfo = Self(rawValue: 8)
}

/// Flags of a receive response; the first two have each other's numbers in ``TransmitFlags``.
///
/// Reference: Xen `public/io/netif.h`, `NETRXF_*`.
struct ReceiveFlags: OptionSet, Sendable {
    let rawValue: UInt16

    static let dataValidated = Self(rawValue: 1)
    static let checksumBlank = Self(rawValue: 2)
    static let moreData = Self(rawValue: 4)
    static let extraInfo = Self(rawValue: 8)
}

/// The status of a response; a receive response has the byte count instead of ``okay``.
///
/// Reference: Xen `public/io/netif.h`, `NETIF_RSP_*`.
enum ResponseStatus: Int16, Sendable {
    case dropped = -2
    case error = -1
    case okay = 0
    /// Answers a slot that held extra information.
    case null = 1
}
