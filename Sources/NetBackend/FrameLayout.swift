/// Where the headers of a TCP or UDP packet lie in its frame, and where they end. All offsets are inside the frame.
struct FrameLayout: BitwiseCopyable {
    enum Transport: UInt8, BitwiseCopyable {
        case tcp = 6
        case udp = 17
    }

    private(set) var version: UInt8 = 4
    /// The IP header.
    private(set) var network = 0
    private(set) var transport = Transport.tcp
    /// The TCP or UDP header.
    private(set) var transportOffset = 0
    private(set) var payload = 0
    /// Behind the IP packet; the frame may go on with padding.
    private(set) var end = 0

    /// Nil for anything but a whole TCP or UDP packet whose headers are consistent.
    init?(_ frame: Frame) {
        var type = frame.word(12)
        network = Frame.headerByteCount
        for _ in 0..<2 where type == 0x8100 || type == 0x88a8 {
            guard frame.count >= network + 4 else { return nil }
            type = frame.word(network + 2)
            network += 4
        }
        switch type {
        case 0x0800: guard readIPv4(frame) else { return nil }
        case 0x86dd: guard readIPv6(frame) else { return nil }
        default: return nil
        }
        guard readTransport(frame) else { return nil }
    }

    private mutating func readIPv4(_ frame: Frame) -> Bool {
        guard frame.count >= network + 20 else { return false }
        let first = frame.byte(network)
        let headerByteCount = Int(first & 15) * 4
        end = network + Int(frame.word(network + 2))
        transportOffset = network + headerByteCount
        // A part of a fragmented packet has no transport header of its own, or no whole checksum.
        guard first >> 4 == 4, headerByteCount >= 20, frame.word(network + 6) & 0x3fff == 0 else { return false }
        guard let known = Transport(rawValue: frame.byte(network + 9)) else { return false }
        transport = known
        return transportOffset <= end && end <= frame.count
    }

    private mutating func readIPv6(_ frame: Frame) -> Bool {
        guard frame.count >= network + 40, frame.byte(network) >> 4 == 6 else { return false }
        version = 6
        end = network + 40 + Int(frame.word(network + 4))
        guard end <= frame.count else { return false }
        var next = frame.byte(network + 6)
        transportOffset = network + 40
        for _ in 0..<8 {
            if let known = Transport(rawValue: next) {
                transport = known
                return true
            }
            // Hop-by-hop, routing and destination options; whatever else comes before the transport header is not ours to complete.
            guard next == 0 || next == 43 || next == 60, transportOffset + 8 <= end else { return false }
            next = frame.byte(transportOffset)
            transportOffset += (Int(frame.byte(transportOffset + 1)) + 1) * 8
            guard transportOffset <= end else { return false }
        }
        return false
    }

    private mutating func readTransport(_ frame: Frame) -> Bool {
        switch transport {
        case .udp:
            payload = transportOffset + 8
        case .tcp:
            guard transportOffset + 20 <= end else { return false }
            let headerByteCount = Int(frame.byte(transportOffset + 12) >> 4) * 4
            guard headerByteCount >= 20 else { return false }
            payload = transportOffset + headerByteCount
        }
        return payload <= end
    }

    /// The checksum field.
    var checksumOffset: Int { transportOffset + (transport == .tcp ? 16 : 6) }

    /// What a TCP packet of this kind is cut as.
    var segmentation: Offload.Segmentation { transport != .tcp ? .none : version == 4 ? .tcp4 : .tcp6 }
}
