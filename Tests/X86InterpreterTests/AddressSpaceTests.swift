import Testing
import VirtualCPU
import X86

@testable import X86Interpreter

/// Translations of large pages, and of address spaces that are left and come back.
@Suite("Address spaces") struct AddressSpaceTests {
    static let page: UInt64 = 0x60000
    static let other: UInt64 = 0x61000
    /// mov rcx,[rsi]
    static let read: [UInt8] = [0x48, 0x8b, 0x0e]
    /// mov cr3,rax
    static let setCR3: [UInt8] = [0x0f, 0x22, 0xd8]
    /// invlpg [rsi]
    static let invalidate: [UInt8] = [0x0f, 0x01, 0x3e]
    static let halt: [UInt8] = [0xf4]

    private func machine() throws -> TinyMachine {
        let machine = try TinyMachine()
        machine.core.s.cr4 |= CR4.pcid | CR4.pageGlobal
        machine.core.rsi = Self.page
        return machine
    }

    private func enter(_ identifier: UInt64, keeps: Bool, _ machine: TinyMachine) throws {
        machine.core.rax = TinyMachine.tables | identifier | (keeps ? 1 << 63 : 0)
        #expect(try machine.takenBy(Self.setCR3 + Self.halt) == nil)
        #expect(machine.core.s.cr3 == TinyMachine.tables | identifier)
    }

    @Test("What was known of an address space is known when it comes back, where MOV to CR3 says so", arguments: [true, false])
    func comesBack(keeps: Bool) throws {
        let machine = try machine()
        try enter(1, keeps: false, machine)
        try machine.run(Self.read + Self.halt)
        machine.setPage(Self.page, 0)
        try enter(2, keeps: true, machine)
        #expect(try machine.takenBy(Self.read)?.vector == 14, "another address space knows nothing of it")
        try enter(1, keeps: keeps, machine)
        #expect(try (machine.takenBy(Self.read + Self.halt) == nil) == keeps)
    }

    @Test("Of more address spaces than there is room for the oldest is forgotten")
    func room() throws {
        let machine = try machine()
        let most = UInt64(AddressSpaces.count)
        for identifier in 1...most + 2 {
            try enter(identifier, keeps: false, machine)
            try machine.run(Self.read + Self.halt)
        }
        machine.setPage(Self.page, 0)
        for identifier in [3, most, most + 2] {
            try enter(identifier, keeps: true, machine)
            #expect(try machine.takenBy(Self.read + Self.halt) == nil, "\(identifier)")
        }
        try enter(1, keeps: true, machine)
        #expect(try machine.takenBy(Self.read)?.vector == 14)
    }

    @Test(
        "INVPCID reaches address spaces that are not current",
        arguments: [(UInt64(0), UInt64(1), true), (0, 3, false), (1, 1, true), (1, 3, false), (2, 0, true), (3, 0, true)])
    func invalidation(type: UInt64, identifier: UInt64, drops: Bool) throws {
        let machine = try machine()
        try enter(1, keeps: false, machine)
        try machine.run(Self.read + Self.halt)
        machine.setPage(Self.page, 0)
        try enter(2, keeps: false, machine)
        try machine.store(0x9800, identifier)
        try machine.store(0x9808, Self.page)
        machine.core.rbx = 0x9800
        machine.core.rax = type
        // invpcid rax,[rbx]
        #expect(try machine.takenBy([0x66, 0x0f, 0x38, 0x82, 0x03] + Self.halt) == nil)
        try enter(1, keeps: true, machine)
        #expect(try (machine.takenBy(Self.read + Self.halt)?.vector == 14) == drops)
    }

    @Test("Turning identifiers off forgets all address spaces")
    func turnedOff() throws {
        let machine = try machine()
        try enter(1, keeps: false, machine)
        try machine.run(Self.read + Self.halt)
        machine.setPage(Self.page, 0)
        try enter(0, keeps: false, machine)
        // mov rax,cr4; btc rax,17; mov cr4,rax; btc rax,17; mov cr4,rax; hlt
        let toggle: [UInt8] = [
            0x0f, 0x20, 0xe0, 0x48, 0x0f, 0xba, 0xf8, 17, 0x0f, 0x22, 0xe0, 0x48, 0x0f, 0xba, 0xf8, 17, 0x0f, 0x22, 0xe0,
        ]
        #expect(try machine.takenBy(toggle + Self.halt) == nil)
        try enter(1, keeps: true, machine)
        #expect(try machine.takenBy(Self.read)?.vector == 14)
    }

    @Test("A global page is known in every address space until INVLPG in any of them")
    func globalPages() throws {
        let machine = try machine()
        machine.setPage(Self.page, Self.page | 0x103)
        try enter(1, keeps: false, machine)
        try machine.run(Self.read + Self.halt)
        machine.setPage(Self.page, 0)
        try enter(2, keeps: false, machine)
        #expect(try machine.takenBy(Self.read + Self.halt) == nil)
        #expect(try machine.takenBy(Self.invalidate + Self.halt) == nil)
        try enter(1, keeps: true, machine)
        #expect(try machine.takenBy(Self.read)?.vector == 14)
    }

    // MARK: - code

    /// mov eax,N; ret
    private func function(_ number: UInt8) -> [UInt8] { [0xb8, number, 0, 0, 0, 0xc3] }
    /// call rdi; mov ebx,eax
    static let call: [UInt8] = [0xff, 0xd7, 0x89, 0xc3]

    private func result(_ machine: TinyMachine) throws -> UInt64 {
        machine.core.rdi = Self.page
        #expect(try machine.takenBy(Self.call + Self.halt) == nil)
        return machine.core.rbx
    }

    @Test("INVLPG of a page that instructions came from: the next call goes where the tables say now")
    func movedCode() throws {
        let machine = try machine()
        try machine.place(function(1), at: Self.page)
        try machine.place(function(2), at: Self.other)
        for address in [Self.page, Self.other] { machine.setPage(address, address | 3) }
        try enter(1, keeps: false, machine)
        #expect(try result(machine) == 1)
        try enter(2, keeps: false, machine)
        #expect(try result(machine) == 1)
        machine.setPage(Self.page, Self.other | 3)
        #expect(try result(machine) == 1, "an old translation lasts")
        #expect(try machine.takenBy(Self.invalidate + Self.halt) == nil)
        #expect(try result(machine) == 2)
        try enter(1, keeps: true, machine)
        #expect(try result(machine) == 1, "and in the other address space still")
    }

    @Test("Stores through the entry of an address space that was left are seen when another has executed the page since")
    func storesToCode() throws {
        let machine = try machine()
        for address in [Self.page, Self.other] { machine.setPage(address, Self.page | 3) }
        try machine.place(function(1), at: Self.page)
        // mov byte [rbp+1],dl
        let patch: [UInt8] = [0x88, 0x55, 0x01]
        machine.core.rbp = Self.other
        machine.core.rdx = 2
        try enter(1, keeps: false, machine)
        #expect(try machine.takenBy(patch + Self.halt) == nil)
        try enter(2, keeps: true, machine)
        #expect(try result(machine) == 2)
        try enter(1, keeps: true, machine)
        machine.core.rdx = 3
        #expect(try machine.takenBy(patch + Self.halt) == nil)
        #expect(try result(machine) == 3)
        try enter(2, keeps: true, machine)
        #expect(try result(machine) == 3)
    }

    // MARK: - large pages

    @Test("INVLPG of any address drops all of a large page", arguments: [false, true])
    func largePages(isGlobal: Bool) throws {
        let machine = try machine()
        // The second entry of the page directory: 2 MiB at 0x200000 that lead to 0.
        let slot = TinyMachine.tables + 0x2008
        try machine.store(slot, UInt64(0x83 | (isGlobal ? 0x100 : 0)))
        for address in [0x260000, 0x261000, 0x3ff000] as [UInt64] {
            machine.core.rsi = address
            #expect(try machine.takenBy(Self.read + Self.halt) == nil)
        }
        try machine.store(slot, UInt64(0))
        #expect(try machine.takenBy(Self.read + Self.halt) == nil, "an old translation lasts")
        machine.core.rsi = 0x250000
        #expect(try machine.takenBy(Self.invalidate + Self.halt) == nil)
        machine.core.rsi = 0x261000
        #expect(try machine.takenBy(Self.read)?.vector == 14)
    }

    @Test("Sizes of large pages: where nothing large was, pages are small")
    func sizes() {
        var pages = LargePages()
        #expect(pages.shift(at: 0x7f00_0020_0000) == nil)
        pages.insert(0x7f00_0020_1000, 21)
        #expect(pages.shift(at: 0x7f00_003f_f000) == 21)
        #expect(pages.shift(at: 0x7f00_0040_0000) == nil)
        pages.insert(0x80_0000, 22)
        #expect(pages.shift(at: 0xa0_0000) == 22)
        pages.insert(0xffff_8880_0000_0000, 30)
        #expect(pages.shift(at: 0xffff_8880_3fff_f000) == 30)
    }
}
