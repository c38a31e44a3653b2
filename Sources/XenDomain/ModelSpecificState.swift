/// The registers of one vCPU that only remember what was written, guarded by `VCPU.registers`.
struct ModelSpecificState: Sendable {
    var tscAdjust: UInt64 = 0
    /// IA32_MTRR_DEF_TYPE: enabled, write-back, as the builder leaves it.
    var mtrrDefaultType: UInt64 = 0x806
    /// Base and mask of the eight variable ranges.
    var mtrrVariable = InlineArray<16, UInt64>(repeating: 0)
    /// One 64K, two 16K and eight 4K registers.
    var mtrrFixed = InlineArray<11, UInt64>(repeating: 0)
    var machineCheckStatus: UInt64 = 0
    /// Status, address and misc of the two banks.
    var machineCheckBanks = InlineArray<8, UInt64>(repeating: 0)
    var debugControl: UInt64 = 0

    /// Position of a fixed-range MTRR in `mtrrFixed`.
    static func fixedRange(_ msr: UInt32) -> Int? {
        switch msr {
        case 0x250: 0
        case 0x258, 0x259: Int(msr) - 0x257
        case 0x268...0x26f: Int(msr) - 0x265
        default: nil
        }
    }

    /// True for a memory type that exists: uncacheable, write-combining, write-through, write-protected, write-back.
    static func isMemoryType(_ type: UInt64) -> Bool { type <= 6 && type != 2 && type != 3 }

    /// Writes a memory type range register; false is #GP(0).
    mutating func writeMTRR(_ msr: UInt32, _ value: UInt64, addressBits: Int) -> Bool {
        let address = (UInt64(1) << UInt64(addressBits) - 1) & ~0xfff
        if msr == 0x2ff {
            guard value & ~0xcff == 0, Self.isMemoryType(value & 0xff) else { return false }
            mtrrDefaultType = value
            return true
        }
        if let index = Self.fixedRange(msr) {
            guard (0..<8).allSatisfy({ Self.isMemoryType(value >> UInt64($0 * 8) & 0xff) }) else { return false }
            mtrrFixed[index] = value
            return true
        }
        let isMask = msr & 1 != 0
        guard value & ~(address | (isMask ? 0x800 : 0xff)) == 0, isMask || Self.isMemoryType(value & 0xff) else { return false }
        mtrrVariable[Int(msr & 15)] = value
        return true
    }
}
