/// Packets put together byte by byte, and an Internet checksum that is as plain as its definition: what the backend's is held against.
enum Packets {
    static let guest: [UInt8] = [0x00, 0x16, 0x3e, 0x12, 0x34, 0x56]
    static let peer: [UInt8] = [0x00, 0x16, 0x3e, 0xaa, 0xbb, 0xcc]

    struct Flow {
        var isIPv6 = false
        var sourcePort: UInt16 = 1024
        var destinationPort: UInt16 = 80
        var source: [UInt8] = [10, 0, 2, 15]
        var destination: [UInt8] = [10, 0, 2, 2]
        var from = Packets.guest
        var to = Packets.peer
        var vlan: UInt16?
        /// Extension headers of an IPv6 packet.
        var options: [(type: UInt8, byteCount: Int)] = []
        /// Bytes of TCP options, a multiple of four.
        var tcpOptions: [UInt8] = []
    }

    static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
    static func big(_ value: UInt32) -> [UInt8] { big(UInt16(value >> 16)) + big(UInt16(truncatingIfNeeded: value)) }

    static func sum(_ bytes: [UInt8]) -> UInt16 {
        var total = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            total += Int(bytes[index]) << 8 | (index + 1 < bytes.count ? Int(bytes[index + 1]) : 0)
        }
        while total > 0xffff { total = total & 0xffff + total >> 16 }
        return UInt16(total)
    }

    static func pseudoHeader(_ flow: Flow, _ transport: UInt8, _ count: Int) -> [UInt8] {
        address(flow, flow.source) + address(flow, flow.destination) + big(UInt32(count)) + [0, 0, 0, transport]
    }

    private static func address(_ flow: Flow, _ short: [UInt8]) -> [UInt8] {
        flow.isIPv6 ? [0xfe, 0xc0] + [UInt8](repeating: 0, count: 10) + short : short
    }

    static func network(_ flow: Flow, _ transport: UInt8, _ payload: [UInt8], id: UInt16 = 7) -> [UInt8] {
        var ethernet = flow.to + flow.from
        if let vlan = flow.vlan { ethernet += [0x81, 0x00] + big(vlan) }
        guard flow.isIPv6 else {
            var header: [UInt8] = [0x45, 0] + big(UInt16(20 + payload.count)) + big(id) + [0x40, 0, 64, transport, 0, 0]
            header += flow.source + flow.destination
            header.replaceSubrange(10..<12, with: big(~sum(header)))
            return ethernet + [0x08, 0x00] + header + payload
        }
        var options: [UInt8] = []
        for (index, option) in flow.options.enumerated() {
            let next = index + 1 < flow.options.count ? flow.options[index + 1].type : transport
            options += [next, UInt8(option.byteCount / 8 - 1)] + [UInt8](repeating: 0, count: option.byteCount - 2)
        }
        let header =
            [0x60, 0, 0, 0] + big(UInt16(options.count + payload.count)) + [flow.options.first?.type ?? transport, 64]
            + address(flow, flow.source) + address(flow, flow.destination)
        return ethernet + [0x86, 0xdd] + header + options + payload
    }

    /// - Parameter isBlank: the checksum is only the pseudo-header's sum.
    static func tcp(
        _ flow: Flow = Flow(), sequence: UInt32 = 1, acknowledgement: UInt32 = 0, flags: UInt8 = 0x10, window: UInt16 = 8192,
        payload: [UInt8] = [], isBlank: Bool = false, id: UInt16 = 7
    ) -> [UInt8] {
        var segment = big(flow.sourcePort) + big(flow.destinationPort) + big(sequence) + big(acknowledgement)
        segment += [UInt8((20 + flow.tcpOptions.count) / 4) << 4, flags] + big(window) + [0, 0, 0, 0] + flow.tcpOptions + payload
        let pseudo = pseudoHeader(flow, 6, segment.count)
        segment.replaceSubrange(16..<18, with: big(isBlank ? sum(pseudo) : ~sum(pseudo + segment)))
        return network(flow, 6, segment, id: id)
    }

    static func udp(_ flow: Flow = Flow(), payload: [UInt8], isBlank: Bool = false) -> [UInt8] {
        var datagram = big(flow.sourcePort) + big(flow.destinationPort) + big(UInt16(8 + payload.count)) + [0, 0] + payload
        let pseudo = pseudoHeader(flow, 17, datagram.count)
        let full = ~sum(pseudo + datagram)
        datagram.replaceSubrange(6..<8, with: big(isBlank ? sum(pseudo) : full == 0 ? 0xffff : full))
        return network(flow, 17, datagram)
    }

    static func ethernet(to: [UInt8] = peer, from: [UInt8] = guest, type: UInt16 = 0x88b5, _ payload: [UInt8]) -> [UInt8] {
        to + from + big(type) + payload
    }

    static func bytes(_ count: Int, seed: Int = 1) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 31 &+ seed) ^ $0 >> 8) }
    }
}
