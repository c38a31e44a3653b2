import Testing
import X86Decoder

/// What an address is made of: base, index, scale, displacement, segment, and the length of the instruction.
struct Address: Equatable, Sendable {
    var base: UInt8 = RegisterFile.zero
    var index: UInt8 = RegisterFile.zero
    var scale: UInt8 = 0
    var displacement: Int32 = 0
    var segment: UInt8 = 3
    var length: UInt8

    init(_ row: Instruction) {
        base = row.base
        index = row.index
        scale = row.scale
        displacement = row.displacement
        segment = row.segment
        length = row.length
    }

    init(_ base: UInt8?, _ index: UInt8? = nil, _ scale: UInt8 = 0, _ displacement: Int32 = 0, ss: Bool = false, length: UInt8) {
        self.base = base ?? RegisterFile.zero
        self.index = index ?? RegisterFile.zero
        self.scale = scale
        self.displacement = displacement
        segment = ss ? 2 : 3
        self.length = length
    }
}

@Suite("Addresses") struct AddressingTests {
    @Test(
        "The eight pairs of 16-bit addressing, with BP in SS",
        arguments: [
            (0, Address(3, 6, length: 2)), (1, Address(3, 7, length: 2)),
            (2, Address(5, 6, ss: true, length: 2)), (3, Address(5, 7, ss: true, length: 2)),
            (4, Address(6, length: 2)), (5, Address(7, length: 2)),
            (6, Address(nil, nil, 0, 0x1234, length: 4)), (7, Address(3, length: 2)),
        ] as [(UInt8, Address)])
    func pairs(rm: UInt8, expected: Address) {
        #expect(Address(row([0x8b, rm, 0x34, 0x12], .bits16)) == expected)
        #expect(Address(row([0x67, 0x8b, rm, 0x34, 0x12], .bits32)) == with(expected) { $0.length += 1 })
        let short = row([0x8b, 0x40 | rm, 0x80], .bits16)
        let long = row([0x8b, 0x80 | rm, 0x00, 0x80], .bits16)
        #expect(short.displacement == -128 && short.length == 3)
        #expect(long.displacement == -0x8000 && long.length == 4)
        let base = rm == 6 ? 5 : expected.base
        #expect(short.base == base && long.base == base)
        #expect(short.segment == (base == 5 ? 2 : 3))
        #expect(short.flags.isSuperset(of: [.memory, .address16, .slowAddress]))
    }

    @Test("32- and 64-bit addressing without SIB", arguments: 0..<8 as Range<UInt8>)
    func withoutSIB(rm: UInt8) {
        guard rm != 4 else { return }
        let stack = rm == 5
        if !stack {
            #expect(Address(row([0x8b, rm], .bits32)) == Address(rm, length: 2))
            #expect(Address(row([0x41, 0x8b, rm])) == Address(8 + rm, length: 3))
        }
        #expect(Address(row([0x8b, 0x40 | rm, 0xff])) == Address(rm, nil, 0, -1, ss: stack, length: 3))
        #expect(Address(row([0x41, 0x8b, 0x40 | rm, 0xff])) == Address(8 + rm, nil, 0, -1, length: 4))
        #expect(Address(row([0x8b, 0x80 | rm, 1, 0, 0, 0x80])) == Address(rm, nil, 0, -0x7fff_ffff, ss: stack, length: 6))
    }

    @Test("Mod 0 with base 5 is relative to RIP in 64-bit code and absolute elsewhere")
    func ripRelative() {
        let bytes: [UInt8] = [0x81, 0x05, 0x10, 0, 0, 0, 1, 2, 3, 4]
        let relative = row(bytes, at: 100)
        #expect(Address(relative) == Address(RegisterFile.blockRIP, nil, 0, 0x10 + 100 + 10, length: 10))
        #expect(relative.immediate == 0x0403_0201)
        #expect(Address(row(bytes, .bits32, at: 100)) == Address(nil, nil, 0, 0x10, length: 10))
        #expect(Address(row([0x67] + bytes)).base == RegisterFile.blockRIP)
        #expect(row(bytes, at: 65535).displacement == 0x10 + 65535 + 10)
    }

    @Test(
        "SIB: index 4 means none, base 5 with mod 0 means a displacement",
        arguments: [
            ([0x8b, 0x04, 0x24], Address(4, ss: true, length: 3)),
            ([0x8b, 0x04, 0x88], Address(0, 1, 2, length: 3)),
            ([0x8b, 0x04, 0xed, 1, 0, 0, 0], Address(nil, 5, 3, 1, length: 7)),
            ([0x8b, 0x04, 0x25, 1, 0, 0, 0], Address(nil, nil, 0, 1, length: 7)),
            ([0x8b, 0x44, 0x6d, 0x7f], Address(5, 5, 1, 127, ss: true, length: 4)),
            ([0x8b, 0x84, 0x0c, 0, 0, 1, 0], Address(4, 1, 0, 0x1_0000, ss: true, length: 7)),
            ([0x42, 0x8b, 0x04, 0x20], Address(0, 12, length: 4)),
            ([0x43, 0x8b, 0x04, 0xe4], Address(12, 12, 3, length: 4)),
            ([0x41, 0x8b, 0x04, 0x25, 1, 0, 0, 0], Address(nil, nil, 0, 1, length: 8)),
            ([0x41, 0x8b, 0x44, 0x25, 0], Address(13, length: 5)),
        ] as [([UInt8], Address)])
    func sib(bytes: [UInt8], expected: Address) {
        #expect(Address(row(bytes)) == expected)
        if bytes[0] == 0x8b { #expect(Address(row(bytes, .bits32)) == expected) }
    }

    @Test(
        "In 64-bit code only FS and GS replace the segment, and others are not seen",
        arguments: [
            ([0x8b, 0x00], 3, RegisterFile.zero), ([0x8b, 0x45, 0], 2, RegisterFile.zero),
            ([0x26, 0x8b, 0x00], 3, RegisterFile.zero), ([0x3e, 0x8b, 0x45, 0], 2, RegisterFile.zero),
            ([0x64, 0x8b, 0x00], 4, RegisterFile.fsBase), ([0x65, 0x8b, 0x45, 0], 5, RegisterFile.gsBase),
            ([0x64, 0x2e, 0x8b, 0x00], 4, RegisterFile.fsBase), ([0x64, 0x65, 0xa5], 5, RegisterFile.gsBase),
        ] as [([UInt8], UInt8, UInt8)])
    func segments64(bytes: [UInt8], segment: UInt8, slot: UInt8) {
        #expect(row(bytes).segment == segment)
        #expect(row(bytes).segmentBase == slot)
        #expect(!row(bytes).flags.contains(.slowAddress))
    }

    @Test(
        "Elsewhere every override counts, the last one",
        arguments: [
            ([0x26], 0), ([0x2e], 1), ([0x36], 2), ([0x3e], 3), ([0x64], 4), ([0x65], 5), ([0x65, 0x36], 2), ([], 2),
        ] as [([UInt8], UInt8)])
    func segments32(prefix: [UInt8], segment: UInt8) {
        let found = row(prefix + [0x8b, 0x45, 0], .bits32)
        #expect(found.segment == segment)
        #expect(found.segmentBase == 18 + segment)
        #expect(found.flags.isSuperset(of: [.slowAddress, .address32]))
    }

    @Test("LEA has no segment base")
    func lea() {
        #expect(row([0x65, 0x8d, 0x00]).segmentBase == RegisterFile.zero)
        #expect(row([0x8d, 0x00], .bits32).segmentBase == RegisterFile.zero)
        #expect(row([0x8d, 0xc0]).flags.contains(.invalid))
    }

    private func with(_ address: Address, _ change: (inout Address) -> Void) -> Address {
        var address = address
        change(&address)
        return address
    }
}
