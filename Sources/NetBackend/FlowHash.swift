extension Frame {
    /// A number that is the same for all frames of one TCP or UDP flow, and spreads flows; 0 for other frames.
    var flowHash: UInt32 {
        guard let layout = FrameLayout(self) else { return 0 }
        var hash: UInt64 = UInt64(long(layout.transportOffset)) ^ UInt64(layout.transport.rawValue) << 32
        let addresses = layout.version == 4 ? layout.network + 12 : layout.network + 8
        for offset in stride(from: addresses, to: addresses + (layout.version == 4 ? 8 : 32), by: 4) {
            hash = (hash ^ UInt64(long(offset))) &* 0x9e37_79b9_7f4a_7c15
            hash ^= hash >> 29
        }
        return UInt32(truncatingIfNeeded: hash >> 16)
    }
}
