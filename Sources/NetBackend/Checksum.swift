/// The Internet checksum: the complement of the sum of 16-bit words in ones' complement arithmetic.
///
/// Reference: RFC 1071; for the pseudo-header RFC 9293 section 3.1 and RFC 8200 section 8.1.
struct Checksum {
    /// A sum of 16-bit words in host order, not folded. Far from overflow: a frame adds at most 2^48.
    private var sum: UInt64 = 0

    /// Adds bytes; all but the last part added have an even count.
    mutating func add(_ bytes: UnsafeRawBufferPointer) {
        var even: UInt64 = 0
        var odd: UInt64 = 0
        var offset = 0
        while offset &+ 16 <= bytes.count {
            let first = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let second = unsafe bytes.loadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self)
            even &+= (first & 0xffff_ffff) &+ (second & 0xffff_ffff)
            odd &+= (first &>> 32) &+ (second &>> 32)
            offset &+= 16
        }
        while offset &+ 2 <= bytes.count {
            even &+= unsafe UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            offset &+= 2
        }
        if offset < bytes.count { even &+= unsafe UInt64(bytes[offset]) }
        sum &+= Self.fold32(even) &+ Self.fold32(odd)
    }

    /// Adds a number as two bytes in network order.
    mutating func add(_ word: UInt16) { sum &+= UInt64(word.bigEndian) }

    private static func fold32(_ value: UInt64) -> UInt64 { (value & 0xffff_ffff) &+ (value &>> 32) }

    /// The folded sum as a number whose bytes go into the packet in network order.
    var folded: UInt16 {
        var value = sum
        while value > 0xffff { value = (value & 0xffff) &+ (value &>> 16) }
        return UInt16(truncatingIfNeeded: value).bigEndian
    }
}

extension Frame {
    private func add(_ offset: Int, _ count: Int, to sum: inout Checksum) {
        unsafe sum.add(UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)]))
    }

    private func pseudoHeader(_ layout: FrameLayout) -> Checksum {
        var sum = Checksum()
        let isIPv4 = layout.version == 4
        add(layout.network + (isIPv4 ? 12 : 8), isIPv4 ? 8 : 32, to: &sum)
        sum.add(UInt16(layout.transport.rawValue))
        sum.add(UInt16(truncatingIfNeeded: layout.end - layout.transportOffset))
        return sum
    }

    /// Fills in the checksum of a TCP or UDP packet.
    mutating func fillChecksum(_ layout: FrameLayout) {
        setWord(layout.checksumOffset, 0)
        var sum = pseudoHeader(layout)
        add(layout.transportOffset, layout.end - layout.transportOffset, to: &sum)
        let value = ~sum.folded
        setWord(layout.checksumOffset, value == 0 && layout.transport == .udp ? 0xffff : value)
        offload.checksum = .valid
    }

    /// Leaves the pseudo-header's sum in the checksum's place, for others to complete.
    mutating func blankChecksum(_ layout: FrameLayout) {
        setWord(layout.checksumOffset, pseudoHeader(layout).folded)
        offload.checksum = .blank
    }

    /// Makes the checksum of the IPv4 header anew.
    func fillHeaderChecksum(_ layout: FrameLayout) {
        setWord(layout.network + 10, 0)
        var sum = Checksum()
        add(layout.network, Int(byte(layout.network) & 15) * 4, to: &sum)
        setWord(layout.network + 10, ~sum.folded)
    }
}
