import SoftFloat
import Testing
import X86
import X86Decoder

@testable import X86Interpreter

private typealias Code = X87Code

@Suite("x87 environment and extended state") struct X87StateTests {
    @Test("FNSTENV stores 28 bytes in protected mode and masks exceptions")
    func environment32() throws {
        let machine = try X87Machine()
        // fldcw [esi]; fld1; fadd dword [esi]; fnstenv [esi]
        try machine.store(0, UInt16(0x340))
        try machine.run(Code.fldcw + Code.fld1 + [0xd8, 0x06] + Code.fnstenv)
        let words = try (0..<7).map { try machine.load(UInt64($0) * 4, as: UInt32.self) }
        #expect(words == [0xffff_0340, 0xffff_b882, 0xffff_3fff, 0x1004, 0x0006_0010, 0x2000, 0xffff_0020])
        #expect(machine.core.s.fcw == 0x37f)
        #expect(machine.core.s.fsw & 0x80ff == 2)
    }

    @Test("FNSTENV with 16-bit operands stores 14 bytes")
    func environment16() throws {
        let machine = try X87Machine()
        try machine.store(14, UInt16(0x5aa5))
        try machine.run(Code.fld1 + [0x66] + Code.fnstenv)
        let words = try (0..<8).map { try machine.load(UInt64($0) * 2, as: UInt16.self) }
        #expect(words == [0x37f, 0x3800, 0x3fff, 0x1000, 0x10, 0, 0, 0x5aa5])
    }

    @Test("Real mode stores linear pointers and the opcode")
    func environmentReal() throws {
        let machine = try X87Machine()
        machine.core.s.cr0 &= ~CR0.protection
        try machine.run(Code.fld1 + [0x66] + Code.fnstenv)
        // CS 0010 gives linear 00100 + 1000.
        #expect(try machine.load(6, as: UInt16.self) == 0x1100)
        #expect(try machine.load(8, as: UInt16.self) == 0x01e8)
    }

    @Test("FNSAVE initializes and FRSTOR brings everything back")
    func save() throws {
        let machine = try X87Machine()
        try machine.run(Code.fld1 + Code.fldpi + Code.fnsave)
        #expect(machine.core.s.ftw == 0 && machine.core.s.fsw == 0 && machine.core.s.fcw == 0x37f)
        #expect(try machine.load(28, as: UInt64.self) == 0xc90f_daa2_2168_c235)
        #expect(try machine.load(36, as: UInt16.self) == 0x4000)
        try machine.run(Code.fldz + Code.frstor)
        #expect(machine.core.s.fsw == 0x3000)
        #expect(machine.core.s.ftw == 0xc0)
        #expect(machine.core.x87(1) == .one)
    }

    @Test("FLDENV with an unmasked flag set makes the exception pending")
    func loadEnvironment() throws {
        let machine = try X87Machine()
        try machine.run(Code.fld1 + Code.fnstenv)
        try machine.store(0, UInt32(0x37b))
        try machine.store(4, UInt32(0x3804))
        try machine.run(Code.fldenv)
        #expect(machine.core.s.fsw == 0xb884)
        #expect(throws: GuestFault.x87FloatingPoint) { try machine.run(Code.fwait) }
    }

    @Test("FXSAVE64 and FXRSTOR64 move the whole state and leave the software bytes")
    func fxsave() throws {
        let machine = try X87Machine(.bits64)
        let core = machine.core
        try machine.store(464, UInt64(0x1122))
        core.setXMM(15, SIMD2<UInt64>(5, 6))
        core.s.mxcsr = 0x1fa0
        try machine.run(Code.fldpi + Code.fxsave64)
        #expect(try machine.load(0, as: UInt64.self) == 0x01eb_0080_3800_037f)
        #expect(try machine.load(8, as: UInt64.self) == X87Machine.code)
        #expect(try machine.load(24, as: UInt64.self) == 0xffff_0000_1fa0)
        #expect(try machine.load(32, as: UInt64.self) == 0xc90f_daa2_2168_c235)
        #expect(try machine.load(400, as: UInt64.self) == 5)
        #expect(try machine.load(464, as: UInt64.self) == 0x1122)
        core.setXMM(15, SIMD2<UInt64>.zero)
        core.s.mxcsr = 0x1f80
        try machine.run(Code.fninit + Code.fxrstor64)
        #expect(core.s.mxcsr == 0x1fa0 && core.s.fsw == 0x3800 && core.s.ftw == 0x80)
        #expect(core.xmm(15, as: SIMD2<UInt64>.self) == SIMD2(5, 6))
    }

    @Test("Misaligned areas and reserved MXCSR bits raise #GP and change nothing")
    func fxFaults() throws {
        let machine = try X87Machine()
        try machine.run(Code.fxsave)
        try machine.store(24, UInt32(0x1_1f80))
        try machine.run(Code.fld1)
        #expect(throws: GuestFault.generalProtection()) { try machine.run(Code.fxrstor) }
        #expect(machine.core.s.ftw == 0x80)
        machine.core.setFile(6, X87Machine.data + 8)
        #expect(throws: GuestFault.generalProtection()) { try machine.run(Code.fxsave) }
        machine.core.setFile(6, X87Machine.data + 16)
        try machine.run(Code.fxsave)
        #expect(throws: GuestFault.generalProtection()) { try machine.run(Code.xsave) }
    }

    @Test("XSAVE merges its bits into the header and leaves components not asked for")
    func xsave() throws {
        let machine = try X87Machine()
        try machine.store(512, UInt64(0x8000_0000_0000_0002))
        try machine.store(160, UInt64(77))
        (machine.core.rax, machine.core.rdx) = (1, 0)
        try machine.run(Code.fld1 + Code.xsave)
        #expect(try machine.load(512, as: UInt64.self) == 0x8000_0000_0000_0003)
        #expect(try machine.load(160, as: UInt64.self) == 77)
        #expect(try machine.load(2, as: UInt16.self) == 0x3800)
    }

    @Test("XSAVEOPT skips components in their initial state")
    func xsaveopt() throws {
        let machine = try X87Machine()
        try machine.store(0, UInt16(0xabcd))
        try machine.store(512, UInt64(3))
        (machine.core.rax, machine.core.rdx) = (7, 0)
        try machine.run(Code.xsaveopt)
        #expect(try machine.load(512, as: UInt64.self) == 0)
        #expect(try machine.load(0, as: UInt16.self) == 0xabcd)
        try machine.run(Code.xsave)
        #expect(try machine.load(0, as: UInt16.self) == 0x37f)
    }

    @Test("XRSTOR initializes components the header lacks and keeps those not asked for")
    func xrstor() throws {
        let machine = try X87Machine()
        let core = machine.core
        core.setXMM(1, SIMD2<UInt64>(9, 9))
        (core.rax, core.rdx) = (3, 0)
        try machine.run(Code.xsave + Code.fld1)
        core.setXMM(1, SIMD2<UInt64>.zero)
        core.rax = 1
        try machine.run(Code.xrstor)
        #expect(core.s.ftw == 0 && core.s.fsw == 0 && core.x87Significand(7) == 0)
        #expect(core.xmm(1, as: SIMD2<UInt64>.self) == .zero)
        core.rax = 2
        try machine.run(Code.xrstor)
        #expect(core.xmm(1, as: SIMD2<UInt64>.self) == SIMD2(9, 9))
    }

    @Test("XRSTOR refuses headers it does not know", arguments: [(UInt64(512), UInt64(4)), (520, 1 << 63), (528, 1)])
    func badHeader(offset: UInt64, value: UInt64) throws {
        let machine = try X87Machine()
        (machine.core.rax, machine.core.rdx) = (3, 0)
        try machine.run(Code.xsave)
        try machine.store(offset, value)
        #expect(throws: GuestFault.generalProtection()) { try machine.run(Code.xrstor) }
    }

    @Test("Without CR4.OSXSAVE the XSAVE instructions are undefined, with CR0.TS not available")
    func availability() throws {
        let machine = try X87Machine()
        machine.core.s.cr0 |= CR0.taskSwitched
        #expect(throws: GuestFault.deviceNotAvailable) { try machine.run(Code.xsave) }
        machine.core.s.cr4 = 0
        #expect(throws: GuestFault.invalidOpcode) { try machine.run(Code.xsave) }
    }
}
