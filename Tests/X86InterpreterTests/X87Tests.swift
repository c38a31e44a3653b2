import SoftFloat
import Testing
import X86

@testable import X86Interpreter

private typealias Code = X87Code

@Suite("x87 instructions") struct X87Tests {
    @Test("CR0.EM and CR0.TS make every escape opcode raise #NM", arguments: [CR0.emulation, CR0.taskSwitched])
    func deviceNotAvailable(bit: UInt64) throws {
        let machine = try X87Machine()
        machine.core.s.cr0 |= bit
        for code in [Code.fld1, Code.fninit, Code.fnstsw] {
            #expect(throws: GuestFault.deviceNotAvailable) { try machine.run(code) }
        }
    }

    @Test("FWAIT raises #NM only when both CR0.MP and CR0.TS are set")
    func fwaitAvailability() throws {
        let machine = try X87Machine()
        machine.core.s.cr0 |= CR0.taskSwitched
        try machine.run(Code.fwait)
        machine.core.s.cr0 |= CR0.monitorCoprocessor
        #expect(throws: GuestFault.deviceNotAvailable) { try machine.run(Code.fwait) }
    }

    @Test("An unmasked division by zero waits for the next waiting instruction and leaves the stack alone")
    func pendingException() throws {
        let machine = try X87Machine()
        try machine.store(0, UInt16(0x37b))
        try machine.run(Code.fldcw + Code.fld1 + Code.fldz + Code.fdivp)
        #expect(machine.core.s.fsw & 0x80ff == 0x8084)
        #expect(machine.core.x87(0) == .zero)
        #expect(machine.core.x87(1) == .one)
        try machine.run(Code.fnstsw)
        #expect(try machine.load(0, as: UInt16.self) == machine.core.s.fsw)
        for code in [Code.fld1, Code.fwait, Code.emms] {
            #expect(throws: GuestFault.x87FloatingPoint) { try machine.run(code) }
        }
        machine.core.s.cr0 &= ~CR0.numericError
        try machine.run(Code.fwait)
        machine.core.s.cr0 |= CR0.numericError
        try machine.run(Code.fnclex + Code.fld1)
        #expect(machine.core.s.fsw & 0x80ff == 0)
    }

    @Test("A ninth load overflows the stack with C1 set and the indefinite on top")
    func stackOverflow() throws {
        let machine = try X87Machine()
        for _ in 0..<8 { try machine.run(Code.fld1) }
        #expect(machine.core.s.fsw == 0)
        try machine.run(Code.fld1)
        #expect(machine.core.s.fsw == 0x3a41)
        #expect(machine.core.x87(0) == .indefinite)
    }

    @Test("A store from the empty stack underflows with C1 clear and stores the indefinite")
    func stackUnderflow() throws {
        let machine = try X87Machine()
        try machine.run(Code.fstp32)
        #expect(machine.core.s.fsw == 0x0841)
        #expect(try machine.load(0, as: UInt32.self) == 0xffc0_0000)
    }

    @Test("A store that faults leaves the stack and the flags as they were")
    func faultingStore() throws {
        let machine = try X87Machine()
        try machine.run(Code.fldpi)
        machine.core.setSegment(3, Segment(selector: 8, base: 0, limit: 0xfff, attributes: 0x493))
        #expect(throws: GuestFault.generalProtection()) { try machine.run(Code.fstp32) }
        #expect(machine.core.s.fsw == 0x3800)
        #expect(machine.core.s.ftw == 0x80)
    }

    @Test(
        "FISTP rounds as the control word says and FISTTP truncates",
        arguments: [
            (UInt16(0x37f), Int32(-4), Int32(-3)), (0x77f, -4, -3), (0xb7f, -3, -3), (0xf7f, -3, -3),
        ])
    func integerStores(control: UInt16, rounded: Int32, truncated: Int32) throws {
        let machine = try X87Machine()
        for (code, expected) in [(Code.fistp32, rounded), (Code.fisttp32, truncated)] {
            try machine.store(0, control)
            try machine.run(Code.fldcw)
            try machine.store(0, (-3.5).bitPattern)
            try machine.run(Code.fld64 + code)
            #expect(try machine.load(0, as: UInt32.self) == UInt32(bitPattern: expected))
            #expect(machine.core.s.fsw & 0x3f == 0x20)
        }
    }

    @Test(
        "FXAM tells the classes apart",
        arguments: [
            (Extended80(significand: 0, signExponent: 0x7fff), 0x0000),
            (.indefinite, 0x0300), (.one, 0x0400), (.one.negated, 0x0600),
            (Extended80(significand: 1 << 63, signExponent: 0x7fff), 0x0500),
            (.zero.negated, 0x4200), (Extended80(significand: 1, signExponent: 0), 0x4400),
        ] as [(Extended80, UInt16)])
    func examine(value: Extended80, conditions: UInt16) throws {
        let machine = try X87Machine()
        machine.core.x87Load(value)
        try machine.run([0xd9, 0xe5])
        #expect(machine.core.s.fsw & 0x4700 == conditions)
    }

    @Test("An empty register shows as such in FXAM")
    func examineEmpty() throws {
        let machine = try X87Machine()
        try machine.run([0xd9, 0xe5])
        #expect(machine.core.s.fsw & 0x4700 == 0x4100)
    }

    @Test("EMMS empties all registers and clears TOP")
    func emms() throws {
        let machine = try X87Machine()
        try machine.run(Code.fld1 + Code.fldpi + Code.emms)
        #expect(machine.core.s.ftw == 0)
        #expect(machine.core.s.fsw == 0)
        machine.core.s.cr0 |= CR0.emulation
        #expect(throws: GuestFault.invalidOpcode) { try machine.run(Code.emms) }
    }

    @Test("FPTAN, FSIN, FCOS and FSINCOS leave operands of 2^63 alone and set C2", arguments: [UInt8(0xf2), 0xfb, 0xfe, 0xff])
    func circularRange(function: UInt8) throws {
        let machine = try X87Machine()
        let large = Extended80(significand: 1 << 63, signExponent: 0x403e)
        machine.core.x87Load(large)
        try machine.run([0xd9, function])
        #expect(machine.core.s.fsw == 0x3c00)
        #expect(machine.core.x87(0) == large)
    }
}
