/// Where entries of the TLB, all of 4 KiB, came from larger pages: dropping such a page means dropping them all (SDM vol. 3A, 4.10.2.3).
///
/// A set that may say yes for no; that costs a look at the whole TLB.
struct LargePages {
    /// A bit for each piece of 2 MiB, some share one.
    private var pieces = InlineArray<64, UInt64>(repeating: 0)
    private var gibibytes: UInt64 = 0
    private var hasFourMebibytes = false

    /// - Parameter shift: the page has 1 << shift bytes.
    mutating func insert(_ address: UInt64, _ shift: UInt64) {
        if shift == 30 { return gibibytes |= Self.gibibyte(address) }
        insert(Self.piece(address))
        guard shift == 22 else { return }
        hasFourMebibytes = true
        insert(Self.piece(address ^ 1 &<< 21))
    }

    private mutating func insert(_ bit: Int) { pieces[bit &>> 6] |= 1 &<< UInt64(truncatingIfNeeded: bit & 63) }

    /// Size of the page around an address as a shift; nil when it surely has 4 KiB.
    func shift(at address: UInt64) -> UInt64? {
        if gibibytes & Self.gibibyte(address) != 0 { return 30 }
        let bit = Self.piece(address)
        guard (pieces[bit &>> 6] &>> UInt64(truncatingIfNeeded: bit & 63)) & 1 != 0 else { return nil }
        return hasFourMebibytes ? 22 : 21
    }

    private static func piece(_ address: UInt64) -> Int { Int(truncatingIfNeeded: (address &>> 21 ^ address &>> 33) & 4095) }

    private static func gibibyte(_ address: UInt64) -> UInt64 {
        1 &<< ((address &>> 30 &* 0x9e37_79b9_7f4a_7c15) &>> 58)
    }
}
