/// One request of the transmit ring: a part of a packet.
///
///     reference u32 0 | offset u16 4 | flags u16 6 | id u16 8 | byteCount u16 10
///
/// In the first slot of a packet `byteCount` is that of the whole packet. Reference: Xen `public/io/netif.h`, `netif_tx_request`.
struct TransmitRequest: BitwiseCopyable, Sendable {
    static let byteCount = 12
    var reference: UInt32
    var offset: UInt16
    var flags: TransmitFlags
    var id: UInt16
    var byteCount: UInt16

    init(_ words: InlineArray<3, UInt32>) {
        reference = words[0]
        offset = UInt16(truncatingIfNeeded: words[1])
        flags = TransmitFlags(rawValue: UInt16(truncatingIfNeeded: words[1] >> 16))
        id = UInt16(truncatingIfNeeded: words[2])
        byteCount = UInt16(truncatingIfNeeded: words[2] >> 16)
    }
}

/// A slot of either ring that says more about the packet it belongs to.
///
///     type u8 0 | flags u8 1 | GSO: size u16 2, type u8 4, pad, features u16 6 | multicast: address 2...7
///
/// Reference: Xen `public/io/netif.h`, `netif_extra_info`.
struct ExtraInfo: BitwiseCopyable, Sendable {
    enum Kind {
        case segmentation(Offload.Segmentation, byteCount: UInt16)
        case joinMulticast(MACAddress)
        case leaveMulticast(MACAddress)
    }

    private var words: InlineArray<2, UInt32>

    init(_ words: InlineArray<3, UInt32>) { self.words = [words[0], words[1]] }

    init(_ segmentation: Offload.Segmentation, byteCount: UInt16) {
        words = [1 | UInt32(byteCount) << 16, UInt32(segmentation.rawValue)]
    }

    /// Another one follows.
    var hasMore: Bool { words[0] >> 8 & 1 != 0 }

    /// Nil when it is of a kind we did not offer, or wrong in itself.
    var kind: Kind? {
        let size = UInt16(truncatingIfNeeded: words[0] >> 16)
        let address = MACAddress(UInt64(size.byteSwapped) << 32 | UInt64(words[1].byteSwapped))
        switch words[0] & 0xff {
        case 1:
            guard let type = Offload.Segmentation(rawValue: UInt8(truncatingIfNeeded: words[1])), type != .none else { return nil }
            guard size >= Offload.smallestSegment else { return nil }
            return .segmentation(type, byteCount: size)
        case 2: return address.isGroup ? .joinMulticast(address) : nil
        case 3: return address.isGroup ? .leaveMulticast(address) : nil
        default: return nil
        }
    }

    var word: UInt64 { UInt64(words[0]) | UInt64(words[1]) << 32 }
}
