import Testing

@testable import X86Translator

/// Encodings against what assemblers write.
@Suite struct AssemblerTests {
    private func bytes(_ body: (inout Assembler) -> Void) -> [UInt8] {
        let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 64, alignment: 16)
        defer { unsafe room.deallocate() }
        var assembler = unsafe Assembler(base: room.baseAddress!, position: 0)
        body(&assembler)
        return unsafe Array(room[0..<assembler.position])
    }

    @Test("moves between registers and the state block")
    func moves() {
        #expect(bytes { $0.move(.rax, .r15) } == [0x49, 0x8b, 0xc7])
        #expect(bytes { $0.loadState(.r10, 80) } == [0x4c, 0x8b, 0x54, 0x24, 0x50])
        #expect(bytes { $0.storeState(768, .r10) } == [0x4c, 0x89, 0x94, 0x24, 0x00, 0x03, 0x00, 0x00])
        #expect(bytes { $0.loadImmediate(.r13, -1) } == [0x49, 0xc7, 0xc5, 0xff, 0xff, 0xff, 0xff])
        #expect(bytes { $0.loadImmediate(.rcx, 1 << 40) } == [0x48, 0xb9, 0, 0, 0, 0, 0, 1, 0, 0])
        #expect(bytes { $0.loadImmediate32(.r10, 7) } == [0x41, 0xba, 7, 0, 0, 0])
    }

    @Test("addresses with every base that needs a byte more")
    func addresses() {
        func lea(_ base: HostRegister?, _ index: HostRegister?, _ scale: UInt8, _ displacement: Int32) -> [UInt8] {
            bytes { $0.emitAddress(.one(0x8d), 10, base: base, index: index, scale: scale, displacement) }
        }
        #expect(lea(.rax, nil, 0, 0) == [0x4c, 0x8d, 0x10])
        #expect(lea(.rbp, nil, 0, 0) == [0x4c, 0x8d, 0x55, 0x00])
        #expect(lea(.r13, nil, 0, 0) == [0x4d, 0x8d, 0x55, 0x00])
        #expect(lea(.r12, nil, 0, 8) == [0x4d, 0x8d, 0x54, 0x24, 0x08])
        #expect(lea(.rbx, .r12, 3, 0x1000) == [0x4e, 0x8d, 0x94, 0xe3, 0x00, 0x10, 0x00, 0x00])
        #expect(lea(nil, .rcx, 2, 4) == [0x4c, 0x8d, 0x14, 0x8d, 0x04, 0x00, 0x00, 0x00])
        #expect(lea(nil, nil, 0, 0x1234) == [0x4c, 0x8d, 0x14, 0x25, 0x34, 0x12, 0x00, 0x00])
    }

    @Test("guest memory behind a probe")
    func guestMemory() {
        #expect(bytes { $0.emitGuestMemory(.one(0x8b), 0) } == [0x4b, 0x8b, 0x04, 0x1a])
        #expect(bytes { $0.emitGuestMemory(.init(code: 0x88, needsREX: true), 6) } == [0x43, 0x88, 0x34, 0x1a])
        #expect(bytes { $0.emitGuestMemory(.init(code: 0x1c1, is64: true, locks: true), 9) } == [0xf0, 0x4f, 0x0f, 0xc1, 0x0c, 0x1a])
        #expect(bytes { $0.emitGuestMemory(.init(code: 0x16f, mandatory: 0xf3), 12) } == [0xf3, 0x47, 0x0f, 0x6f, 0x24, 0x1a])
        #expect(bytes { $0.emitGuestMemory(.init(code: 0x317, mandatory: 0x66), 1) } == [0x66, 0x43, 0x0f, 0x3a, 0x17, 0x0c, 0x1a])
    }

    @Test("jumps lead where they are patched to")
    func jumps() {
        let code = bytes { a in
            let site = a.jump(5)
            a.byte(0x90)
            a.patch(site, to: a.position)
            a.jump(to: 0)
        }
        #expect(code == [0x0f, 0x85, 1, 0, 0, 0, 0x90, 0xe9, 0xf4, 0xff, 0xff, 0xff])
    }

    @Test("an empty TLB entry or jump cache entry fits no address")
    func emptyEntries() {
        let count = 1024
        for slot in [0, 1, 511, 1023] {
            let invalid: UInt64 = slot == count - 1 ? 0 : ~0xfff
            // An address of the slot differs from the tag in the index bits, so the difference exceeds a page whatever the rest is.
            for high in [0, 1, ~0] as [UInt64] {
                let address = high << 22 | UInt64(slot) << 12
                #expect((address ^ invalid) & 0x3ff000 != 0)
            }
        }
    }
}
