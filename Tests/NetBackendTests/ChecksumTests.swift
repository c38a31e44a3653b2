import Testing

@testable import NetBackend

@Suite("Completing frames") struct ChecksumTests {
    private static func flow(_ change: (inout Packets.Flow) -> Void) -> Packets.Flow {
        var flow = Packets.Flow()
        change(&flow)
        return flow
    }

    static let flows = [
        Packets.Flow(), flow { $0.isIPv6 = true }, flow { $0.vlan = 5 },
        flow {
            $0.isIPv6 = true
            $0.vlan = 9
            $0.options = [(0, 8), (60, 16)]
        },
        flow { $0.tcpOptions = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2] },
    ]

    private func completed(_ bytes: [UInt8], _ offload: Offload, for abilities: FrameAbilities = []) -> [(bytes: [UInt8], offload: Offload)]
    {
        var parts: [([UInt8], Offload)] = []
        withFrame(bytes, offload) { frame in
            FrameCompletion().complete(frame, for: abilities) { parts.append((unsafe Array($0.bytes), $0.offload)) }
        }
        return parts
    }

    @Test("A blank checksum is filled as by the definition", arguments: [0, 1, 2, 3, 4, 7, 15, 16, 17, 100, 1459, 1460, 8999])
    func fill(size: Int) {
        for flow in Self.flows {
            let payload = Packets.bytes(size, seed: size)
            let tcp = completed(Packets.tcp(flow, payload: payload, isBlank: true), Offload(checksum: .blank))
            #expect(tcp.map(\.bytes) == [Packets.tcp(flow, payload: payload)])
            #expect(tcp.map(\.offload.checksum) == [.valid])
            let udp = completed(Packets.udp(flow, payload: payload, isBlank: true), Offload(checksum: .blank))
            #expect(udp.map(\.bytes) == [Packets.udp(flow, payload: payload)])
        }
    }

    @Test("A UDP checksum that comes out as zero is sent as all ones")
    func zero() {
        // The payload's word is chosen so that the sum without it is its complement.
        let flow = Packets.Flow()
        let datagram = Packets.big(flow.sourcePort) + Packets.big(flow.destinationPort) + Packets.big(UInt16(10)) + [0, 0, 0, 0]
        let word = ~Packets.sum(Packets.pseudoHeader(flow, 17, 10) + datagram)
        let parts = completed(Packets.udp(flow, payload: Packets.big(word), isBlank: true), Offload(checksum: .blank))
        #expect(parts.map { Array($0.bytes[40..<42]) } == [[0xff, 0xff]])
    }

    @Test("Padding behind the packet is no part of the sum")
    func padding() {
        let padded = Packets.tcp(payload: [1], isBlank: true) + [9, 9, 9]
        #expect(completed(padded, Offload(checksum: .blank)).map(\.bytes) == [Packets.tcp(payload: [1]) + [9, 9, 9]])
    }

    @Test("Who completes checksums by itself gets them blank")
    func blank() {
        for flow in Self.flows {
            let packet = Packets.tcp(flow, payload: Packets.bytes(99), isBlank: true)
            let parts = completed(packet, Offload(checksum: .blank), for: .all)
            #expect(parts.map(\.bytes) == [packet])
            #expect(parts.map(\.offload.checksum) == [.blank])
        }
    }

    @Test("Frames that ask for nothing pass as they are, whatever they are")
    func plain() {
        for bytes in [Packets.ethernet([]), Packets.ethernet(type: 0x0800, [0x45]), Packets.udp(payload: [1, 2, 3])] {
            #expect(completed(bytes, Offload()).map(\.bytes) == [bytes])
        }
    }

    @Test(
        "A checksum is not filled where the headers do not allow it",
        arguments: [
            "no IP", "too short", "header length 16", "version 5", "fragment", "longer than the frame", "other protocol", "TCP header 16",
            "TCP header beyond", "IPv6 longer", "IPv6 options without end",
        ])
    func refused(_ name: String) {
        var four = Packets.tcp(payload: [1, 2, 3, 4])
        var six = Packets.tcp(Self.flows[1], payload: [1, 2, 3, 4])
        switch name {
        case "no IP": four = Packets.ethernet(type: 0x0806, [UInt8](repeating: 0, count: 46))
        case "too short": four.removeLast(four.count - 33)
        case "header length 16": four[14] = 0x44
        case "version 5": four[14] = 0x55
        case "fragment": four[20] = 0x20
        case "longer than the frame": four[17] += 1
        case "other protocol": four[23] = 1
        case "TCP header 16": four[46] = 0x40
        case "TCP header beyond": four[46] = 0xf0
        case "IPv6 longer": six[19] += 1
        default: six[20] = 43
        }
        if name == "IPv6 options without end" { six.replaceSubrange(54..<56, with: [43, 0]) }
        let packet = name.hasPrefix("IPv6") ? six : four
        #expect(completed(packet, Offload(checksum: .blank)).isEmpty)
        #expect(completed(packet, Offload(checksum: .blank, segmentation: .tcp4, segmentByteCount: 100)).isEmpty)
    }

    // MARK: - segments

    /// The segments a packet is to become, made independently.
    private func expected(_ flow: Packets.Flow, _ payload: [UInt8], _ size: Int, flags: UInt8, isBlank: Bool) -> [[UInt8]] {
        stride(from: 0, to: payload.count, by: size).enumerated().map { number, start in
            let end = min(start + size, payload.count)
            var partFlags = flags
            if end < payload.count { partFlags &= ~9 }
            if number > 0 { partFlags &= ~0x80 }
            return Packets.tcp(
                flow, sequence: 0xffff_ff00 &+ UInt32(start), acknowledgement: 5, flags: partFlags, payload: Array(payload[start..<end]),
                isBlank: isBlank, id: 65535 &+ UInt16(number))
        }
    }

    @Test("A large segment becomes what the guest would have sent in small ones", arguments: [48, 100, 536, 1448, 3000, 60000])
    func cut(size: Int) {
        for flow in Self.flows {
            let payload = Packets.bytes(8001)
            // FIN, PSH, ACK, CWR.
            let packet = Packets.tcp(
                flow, sequence: 0xffff_ff00, acknowledgement: 5, flags: 0x99, payload: payload, isBlank: true, id: 65535)
            let offload = Offload(checksum: .blank, segmentation: flow.isIPv6 ? .tcp6 : .tcp4, segmentByteCount: UInt16(size))
            for abilities in [FrameAbilities(), [.blankChecksum4, .blankChecksum6]] {
                let parts = completed(packet, offload, for: abilities)
                #expect(parts.map(\.bytes) == expected(flow, payload, size, flags: 0x99, isBlank: !abilities.isEmpty))
                #expect(parts.allSatisfy { $0.offload == Offload(checksum: abilities.isEmpty ? .valid : .blank) })
            }
        }
    }

    @Test("A large segment stays whole for who takes it, its pseudo-header's sum made right")
    func whole() {
        for flow in Self.flows {
            let good = Packets.tcp(flow, payload: Packets.bytes(9000), isBlank: true)
            let offload = Offload(checksum: .blank, segmentation: flow.isIPv6 ? .tcp6 : .tcp4, segmentByteCount: 1000)
            var odd = good
            withFrame(good) { odd[FrameLayout($0)!.checksumOffset] ^= 0x5a }
            #expect(completed(odd, offload, for: .all).map(\.bytes) == [good])
            #expect(completed(odd, offload, for: .all).map(\.offload) == [offload])
        }
    }

    @Test("Segments are refused that are no TCP, of the other IP, or tiny")
    func refusedSegments() {
        let packet = Packets.tcp(payload: Packets.bytes(9000), isBlank: true)
        #expect(completed(packet, Offload(checksum: .blank, segmentation: .tcp6, segmentByteCount: 1000)).isEmpty)
        #expect(completed(packet, Offload(checksum: .blank, segmentation: .tcp4, segmentByteCount: 0)).isEmpty)
        #expect(completed(packet, Offload(checksum: .blank, segmentation: .tcp4, segmentByteCount: 47)).isEmpty)
        let udp = Packets.udp(payload: Packets.bytes(9000), isBlank: true)
        #expect(completed(udp, Offload(checksum: .blank, segmentation: .tcp4, segmentByteCount: 1000)).isEmpty)
    }
}
