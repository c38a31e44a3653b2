import Testing
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

/// A page fault and why.
struct PageFaultCase: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    var entry: UInt64
    var code: UInt32
    var isUser = false
    var cr4: UInt64 = 0
    var testDescription: String { name }
}

@Suite struct SystemPagingTests {
    static let page: UInt64 = 0x60000
    static let read: [UInt8] = [0x48, 0x8b, 0x03]
    static let write: [UInt8] = [0x48, 0x89, 0x03]
    static let jump: [UInt8] = [0xff, 0xe3]

    static let cases: [PageFaultCase] = [
        PageFaultCase(name: "read, not present", bytes: read, entry: 0, code: 0),
        PageFaultCase(name: "write, not present", bytes: write, entry: 0, code: 2),
        PageFaultCase(name: "user read, not present", bytes: read, entry: 0, code: 4, isUser: true),
        PageFaultCase(name: "user write, not present", bytes: write, entry: 0, code: 6, isUser: true),
        PageFaultCase(name: "write protected, kernel", bytes: write, entry: page | 1, code: 3),
        PageFaultCase(name: "write protected, user", bytes: write, entry: page | 5, code: 7, isUser: true),
        PageFaultCase(name: "kernel page read by a user", bytes: read, entry: page | 3, code: 5, isUser: true),
        PageFaultCase(name: "reserved bit", bytes: read, entry: page | 7 | 1 << 45, code: 9),
        PageFaultCase(name: "no execute", bytes: jump, entry: page | 3 | 1 << 63, code: 17),
        PageFaultCase(name: "fetch, not present", bytes: jump, entry: 0, code: 16),
        PageFaultCase(name: "SMEP", bytes: jump, entry: page | 7, code: 17, cr4: CR4.smep),
        PageFaultCase(name: "SMAP read", bytes: read, entry: page | 7, code: 1, cr4: CR4.smap),
        PageFaultCase(name: "SMAP write", bytes: write, entry: page | 7, code: 3, cr4: CR4.smap),
    ]

    @Test("A page fault says address and cause", arguments: cases)
    func pageFaults(_ item: PageFaultCase) throws {
        let machine = try TinyMachine()
        machine.setPage(Self.page, item.entry)
        machine.core.s.cr4 |= item.cr4
        if item.isUser { machine.useUser() } else { machine.useKernel() }
        machine.core.rbx = Self.page + 0x123
        let start = machine.core.s.rip
        let taken = try #require(try machine.takenBy(item.bytes))
        #expect(taken.vector == 14)
        #expect(taken.errorCode == item.code)
        #expect(machine.core.s.cr2 == Self.page + 0x123)
        #expect(taken.rip == (item.bytes == Self.jump ? Self.page + 0x123 : start))
    }

    @Test func stacOpensUserPagesAndClacClosesThem() throws {
        let machine = try TinyMachine()
        machine.core.s.cr4 |= CR4.smap
        machine.useKernel()
        machine.core.rbx = Self.page
        // stac; mov rax,[rbx]; clac; mov rax,[rbx]
        let taken = try #require(try machine.takenBy([0x0f, 0x01, 0xcb] + Self.read + [0x0f, 0x01, 0xca] + Self.read))
        #expect(taken.vector == 14)
        #expect(taken.rip == TinyMachine.kernelCode + 9)
    }

    @Test func withoutWriteProtectTheKernelWritesReadOnlyPages() throws {
        let machine = try TinyMachine()
        machine.setPage(Self.page, Self.page | 1)
        machine.core.s.cr0 &= ~CR0.writeProtect
        machine.useKernel()
        machine.core.rbx = Self.page
        machine.core.rax = 0x55
        #expect(try machine.run(Self.write + [0xf4]) == .halted)
        #expect(try machine.load(Self.page, as: UInt64.self) == 0x55)
    }

    @Test func readsSetAccessedAndWritesSetDirty() throws {
        let machine = try TinyMachine()
        machine.core.rbx = Self.page
        try machine.run(Self.read + [0xf4])
        #expect(try machine.load(machine.pageSlot(Self.page), as: UInt64.self) & 0x60 == 0x20)
        try machine.run(Self.write + [0xf4])
        #expect(try machine.load(machine.pageSlot(Self.page), as: UInt64.self) & 0x60 == 0x60)
    }

    @Test func anOldTranslationLastsUntilINVLPG() throws {
        let machine = try TinyMachine()
        machine.core.rbx = Self.page
        try machine.run(Self.read + [0xf4])
        machine.setPage(Self.page, 0)
        // invlpg [rbx]; mov rax,[rbx]
        let taken = try #require(try machine.takenBy([0x0f, 0x01, 0x3b] + Self.read))
        #expect(taken.vector == 14)
        #expect(taken.rip == TinyMachine.kernelCode + 7 - 4 + 4)
    }
}
