import Testing
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

@Suite("INVPCID") struct InvalidateContextTests {
    static let page: UInt64 = 0x60000
    static let descriptor: UInt64 = 0x9800
    /// invpcid rax,[rbx]
    static let invalidate: [UInt8] = [0x66, 0x0f, 0x38, 0x82, 0x03]
    /// mov rcx,[rsi]
    static let read: [UInt8] = [0x48, 0x8b, 0x0e]

    /// A machine that has read `page`, whose entry is gone from the tables since.
    private func machine(type: UInt64, pcid: UInt64 = 0, address: UInt64 = page, isGlobal: Bool = false) throws -> TinyMachine {
        let machine = try TinyMachine()
        machine.core.s.cr4 |= CR4.pageGlobal
        machine.setPage(Self.page, Self.page | 3 | (isGlobal ? 0x100 : 0))
        machine.core.rsi = Self.page
        try machine.run(Self.read + [0xf4])
        machine.setPage(Self.page, 0)
        try machine.store(Self.descriptor, pcid)
        try machine.store(Self.descriptor + 8, address)
        machine.core.rbx = Self.descriptor
        machine.core.rax = type
        return machine
    }

    @Test("Every type drops the translation it names", arguments: [UInt64(0), 1, 2, 3])
    func types(type: UInt64) throws {
        let machine = try machine(type: type)
        let taken = try #require(try machine.takenBy(Self.invalidate + Self.read))
        #expect(taken.vector == 14)
        #expect(machine.core.s.cr2 == Self.page)
    }

    @Test("Global pages stay for one context and for all but global ones", arguments: [(UInt64(1), true), (2, false), (3, true)])
    func globals(type: UInt64, stays: Bool) throws {
        let machine = try machine(type: type, isGlobal: true)
        let taken = try machine.takenBy(Self.invalidate + Self.read + [0xf4])
        #expect((taken == nil) == stays)
    }

    @Test func withoutItTheOldTranslationLasts() throws {
        let machine = try machine(type: 0)
        #expect(try machine.takenBy(Self.read + [0xf4]) == nil)
    }

    @Test func whatItRefuses() throws {
        let cases: [(type: UInt64, pcid: UInt64, address: UInt64, hasPCID: Bool, faults: Bool)] = [
            (4, 0, 0, true, true), (~0, 0, 0, true, true), (0, 1, 0, false, true), (0, 1, 0, true, false), (1, 1, 0, false, true),
            (1, 0xfff, 0, true, false), (1, 0x1000, 0, true, true), (2, 0xffff, 1 << 63, false, false), (3, 0xffff, 1 << 63, true, false),
            (0, 0, 1 << 63, true, true), (1, 0, 1 << 63, true, false),
        ]
        for item in cases {
            let machine = try machine(type: item.type, pcid: item.pcid, address: item.address)
            if item.hasPCID { machine.core.s.cr4 |= CR4.pcid }
            let taken = try machine.takenBy(Self.invalidate + [0xf4])
            #expect(taken?.vector == (item.faults ? 13 : nil), "\(item)")
            if item.faults { #expect(taken?.errorCode == 0) }
        }
    }

    @Test func usersAndRegistersHaveNoINVPCID() throws {
        let user = try machine(type: 2)
        user.useUser()
        user.core.rbx = TinyMachine.userData
        #expect(try user.takenBy(Self.invalidate)?.vector == 13)
        let register = try machine(type: 2)
        #expect(try register.takenBy([0x66, 0x0f, 0x38, 0x82, 0xc3])?.vector == 6)
        let prefix = try machine(type: 2)
        #expect(try prefix.takenBy([0x0f, 0x38, 0x82, 0x03])?.vector == 6)
    }

    @Test func itsDescriptorIsReadLikeAnyOperand() throws {
        let machine = try machine(type: 2)
        machine.core.rbx = TinyMachine.unmapped
        let taken = try #require(try machine.takenBy(Self.invalidate))
        #expect(taken.vector == 14)
        #expect(machine.core.s.cr2 == TinyMachine.unmapped)
    }

    @Test func in32BitCodeTheTypeHas32Bits() throws {
        let machine = try ProtectedMachine()
        machine.core.rbx = 0x9800
        machine.core.rax = 2
        #expect(try machine.run(Self.invalidate + [0xf4]) == .halted)
        #expect(try machine.taken() == nil)
        let other = try ProtectedMachine()
        other.useVirtual8086(ioPrivilege: 3)
        // invpcid eax,[bx] of virtual-8086 code
        #expect(try other.takenBy([0x66, 0x0f, 0x38, 0x82, 0x07])?.vector == 13)
    }
}
