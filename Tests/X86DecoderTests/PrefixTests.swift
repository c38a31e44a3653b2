import Testing
import X86Decoder

@Suite("Prefixes and sizes") struct PrefixTests {
    @Test(
        "Operand sizes follow the code segment, 66 and REX.W",
        arguments: [
            ([0x01, 0xc0], .bits16, 2), ([0x66, 0x01, 0xc0], .bits16, 4),
            ([0x01, 0xc0], .bits32, 4), ([0x66, 0x01, 0xc0], .bits32, 2),
            ([0x01, 0xc0], .bits64, 4), ([0x66, 0x01, 0xc0], .bits64, 2),
            ([0x48, 0x01, 0xc0], .bits64, 8), ([0x66, 0x48, 0x01, 0xc0], .bits64, 8),
            ([0x48, 0x66, 0x01, 0xc0], .bits64, 2),  // REX not directly before the opcode
            ([0x50], .bits64, 8), ([0x66, 0x50], .bits64, 2), ([0x50], .bits32, 4),
            ([0xff, 0xd0], .bits64, 8), ([0x66, 0xff, 0xd0], .bits64, 8), ([0xff, 0x30], .bits64, 8),
            ([0x66, 0xe8, 0, 0, 0, 0], .bits64, 8), ([0x0f, 0x20, 0xc0], .bits64, 8), ([0x0f, 0x20, 0xc0], .bits16, 4),
            ([0x66, 0x0f, 0x6e, 0xc0], .bits64, 4), ([0x66, 0x48, 0x0f, 0x6e, 0xc0], .bits64, 8),
            ([0x66, 0x0f, 0x38, 0xf6, 0xc0], .bits64, 4), ([0x66, 0xf2, 0x0f, 0x38, 0xf1, 0xc0], .bits64, 2),
            ([0x0f, 0x01, 0x10], .bits64, 8), ([0x0f, 0x01, 0x10], .bits32, 4), ([0xca, 0, 0], .bits64, 4),
            ([0xf3, 0x0f, 0xb8, 0xc0], .bits64, 4), ([0x66, 0xf3, 0x0f, 0xb8, 0xc0], .bits64, 2),
            ([0xc4, 0xe2, 0x79, 0xf7, 0xc1], .bits64, 4), ([0xc4, 0xe2, 0xf8, 0xf7, 0xc1], .bits64, 8),
        ] as [([UInt8], CodeSize, UInt8)])
    func operandSize(bytes: [UInt8], size: CodeSize, expected: UInt8) {
        let found = row(bytes, size)
        #expect(found.operandSize == expected)
        #expect(!found.flags.contains(.invalid))
        #expect(Int(found.length) == bytes.count)
    }

    @Test("Only the last REX counts, and any later prefix cancels it")
    func lastREX() {
        #expect(row([0x4f, 0x41, 0x01, 0xc0]).rm == 8)
        #expect(row([0x4f, 0x41, 0x01, 0xc0]).operandSize == 4)
        #expect(row([0x4f, 0x64, 0x01, 0xc0]).rm == 0)
        #expect(!row([0x4f, 0x64, 0x01, 0xc0]).flags.contains(.rex))
        #expect(row([0x40, 0x88, 0xe0]).flags.contains(.rex))
        #expect(row([0x45, 0x01, 0xc0]).reg == 8)
    }

    @Test("Of F2 and F3 the last one counts, and both outrank 66")
    func repeats() {
        #expect(row([0xf2, 0xf3, 0xa4]).flags.contains(.rep) && !row([0xf2, 0xf3, 0xa4]).flags.contains(.repne))
        #expect(row([0xf3, 0xf2, 0xa4]).flags.contains(.repne) && !row([0xf3, 0xf2, 0xa4]).flags.contains(.rep))
        #expect(row([0x66, 0xf3, 0x0f, 0x52, 0xc0]).flags.isDisjoint(with: .invalid))  // RSQRTSS
        #expect(row([0x66, 0x0f, 0x52, 0xc0]).flags.contains(.invalid))
    }

    @Test("Address size reaches the counters of LOOP and strings, and the slow path only memory operands")
    func addressSize() {
        #expect(row([0x67, 0xe2, 0]).flags.intersection([.address16, .address32, .slowAddress]) == .address32)
        #expect(row([0xe2, 0], .bits16).flags.intersection([.address16, .address32, .slowAddress]) == .address16)
        #expect(row([0x67, 0xa4], .bits32).flags.isSuperset(of: [.address16, .slowAddress, .memory]))
        #expect(row([0x67, 0x8b, 0x00]).flags.isSuperset(of: [.address32, .slowAddress]))
        #expect(row([0x8b, 0x00]).flags.isDisjoint(with: [.address32, .slowAddress]))
    }

    @Test(
        "LOCK needs a memory destination of an instruction that takes it",
        arguments: [
            ([0xf0, 0x01, 0x00], true), ([0xf0, 0x01, 0xc0], false), ([0xf0, 0x03, 0x00], false), ([0xf0, 0x39, 0x00], false),
            ([0xf0, 0x83, 0x00, 1], true), ([0xf0, 0x83, 0x38, 1], false), ([0xf0, 0xf7, 0x10], true), ([0xf0, 0xf7, 0x20], false),
            ([0xf0, 0xff, 0x00], true), ([0xf0, 0xff, 0x10], false), ([0xf0, 0x87, 0x00], true), ([0xf0, 0x89, 0x00], false),
            ([0xf0, 0x0f, 0xc1, 0x00], true), ([0xf0, 0x0f, 0xb1, 0x00], true), ([0xf0, 0x0f, 0xc7, 0x08], true),
            ([0xf0, 0x0f, 0xab, 0x00], true), ([0xf0, 0x0f, 0xa3, 0x00], false), ([0xf0, 0x0f, 0xba, 0x28, 1], true),
            ([0xf0, 0x0f, 0xba, 0x20, 1], false), ([0xf0, 0x90], false),
        ] as [([UInt8], Bool)])
    func lock(bytes: [UInt8], allowed: Bool) {
        #expect(row(bytes).flags.contains(.invalid) == !allowed)
        #expect(Int(row(bytes).length) == bytes.count)
    }

    @Test("Sixteen bytes are too long, and a short buffer asks for more")
    func limits() {
        let prefixes = [UInt8](repeating: 0x66, count: 13)
        #expect(decode(prefixes + [0x01, 0xc0]).status == .complete)
        #expect(decode(prefixes + [0x66, 0x01, 0xc0]).status == .tooLong)
        #expect(decode([UInt8](repeating: 0xf3, count: 20)).status == .tooLong)
        let long: [UInt8] = [0x48, 0x81, 0x84, 0x08, 1, 2, 3, 4, 5, 6, 7, 8]
        for count in 0..<long.count { #expect(decode(Array(long.prefix(count))).status == .needsMoreBytes) }
        #expect(decode(long).status == .complete)
        #expect(decode([0x0f, 0x0b]).status == .complete)
    }

    @Test(
        "Immediates are read and extended as each instruction demands",
        arguments: [
            ([0x83, 0xc0, 0xff], .bits64, -1), ([0xc1, 0xe0, 0xff], .bits64, 255), ([0xcd, 0x80], .bits64, 0x80),
            ([0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 0x88], .bits64, Int64(bitPattern: 0x8807_0605_0403_0201)),
            ([0x66, 0xb8, 0, 0x80], .bits64, -0x8000), ([0x48, 0xc7, 0xc0, 0, 0, 0, 0x80], .bits64, -0x8000_0000),
            ([0xc8, 0x34, 0x12, 0x85], .bits64, 0x85_1234), ([0xc2, 0xff, 0xff], .bits64, 0xffff),
            ([0x9a, 1, 2, 3, 0x84, 5, 6], .bits32, 0x0605_8403_0201), ([0xea, 1, 0x82, 3, 4], .bits16, 0x0403_0000_8201),
            ([0xa1, 1, 2, 3, 4, 5, 6, 7, 8], .bits64, 0x0807_0605_0403_0201),
            ([0x67, 0xa1, 1, 2, 3, 0x84], .bits64, 0x8403_0201), ([0xa1, 1, 0x82], .bits16, 0x8201),
            ([0xe9, 0xfe, 0xff], .bits16, -2), ([0xe9, 0xfe, 0xff, 0xff, 0xff], .bits32, -2), ([0xeb, 0xfe], .bits32, -2),
            ([0xf6, 0xc0, 0x80], .bits64, -128), ([0x66, 0xf7, 0x00, 1, 2], .bits64, 0x201), ([0x6a, 0x80], .bits64, -128),
            ([0x66, 0x0f, 0x3a, 0x0f, 0xc0, 0x90], .bits64, 0x90), ([0xd4, 0x80], .bits32, 0x80),
        ] as [([UInt8], CodeSize, Int64)])
    func immediates(bytes: [UInt8], size: CodeSize, expected: Int64) {
        let found = row(bytes, size)
        #expect(found.immediate == expected)
        #expect(Int(found.length) == bytes.count)
        #expect(!found.flags.contains(.invalid))
    }
}
