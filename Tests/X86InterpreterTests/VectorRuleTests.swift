import TestSupport
import Testing
import X86

@testable import X86Interpreter

/// What user programs on the host cannot show: control bits, and results that differ between processors.
@Suite("Vector instructions: control bits and approximations") struct VectorRuleTests {
    private static let addps: [UInt8] = [0x0f, 0x58, 0xc1]
    private static let paddb: [UInt8] = [0x0f, 0xfc, 0xc1]
    private static let movaps: [UInt8] = [0x0f, 0x28, 0xc1]

    private func run(
        _ code: [UInt8], _ state: MachineState = MachineState(), cr0: UInt64 = 0, cr4Cleared: UInt64 = 0
    ) throws -> (Outcome, MachineState) {
        let subject = try InterpreterSubject(.bits64)
        subject.setControl(cr0Set: cr0, cr4Cleared: cr4Cleared)
        var memory = [UInt8](repeating: 0, count: HostCPU.dataByteCount)
        var final = state
        let outcome = subject.run(code, &final, &memory)
        return (outcome, final)
    }

    private func exception(_ vector: UInt8) -> Outcome { .exception(vector: vector, errorCode: 0) }

    @Test("CR0.EM is #UD before CR0.TS is #NM, for SSE as for MMX", arguments: [addps, paddb, movaps])
    func availability(code: [UInt8]) throws {
        #expect(try run(code).0 == .finished)
        #expect(try run(code, cr0: CR0.emulation | CR0.taskSwitched).0 == exception(ExceptionVector.invalidOpcode))
        #expect(try run(code, cr0: CR0.taskSwitched).0 == exception(ExceptionVector.deviceNotAvailable))
    }

    @Test("Without CR4.OSFXSR SSE is #UD even with CR0.TS, MMX works")
    func withoutFXSR() throws {
        #expect(try run(Self.addps, cr0: CR0.taskSwitched, cr4Cleared: CR4.osFXSR).0 == exception(ExceptionVector.invalidOpcode))
        #expect(try run(Self.paddb, cr4Cleared: CR4.osFXSR).0 == .finished)
    }

    @Test("An unmasked exception is #XM, or #UD without CR4.OSXMMEXCPT; the flag is set and the destination stays")
    func unmaskedException() throws {
        var state = MachineState()
        state.mxcsr = 0x1f80 & ~0x80
        state.xmm[0] = XMMValue(0x7f80_0000, 0)
        state.xmm[1] = XMMValue(0xff80_0000, 0x3f80_0000)
        let (outcome, final) = try run(Self.addps, state)
        #expect(outcome == exception(ExceptionVector.simdFloatingPoint))
        #expect(final.mxcsr & 0x3f == 1)
        #expect(final.xmm[0] == state.xmm[0])
        #expect(try run(Self.addps, state, cr4Cleared: CR4.osXMMExceptions).0 == exception(ExceptionVector.invalidOpcode))
    }

    @Test("A pending x87 exception is #MF for MMX only")
    func pendingException() throws {
        var state = MachineState()
        state.x87.status = 0x8081
        state.x87.control = 0x37e
        #expect(try run(Self.paddb, state).0 == exception(ExceptionVector.x87FloatingPoint))
        #expect(try run(Self.addps, state).0 == .finished)
    }

    /// RCPPS and RSQRTPS of lane 0.
    private func approximate(_ opcode: UInt8, _ operand: Float) throws -> (Float, UInt32) {
        var state = MachineState()
        state.xmm[1] = XMMValue(UInt64(operand.bitPattern), 0)
        let (_, final) = try run([0x0f, opcode, 0xc1], state)
        return (Float(bitPattern: UInt32(truncatingIfNeeded: final.xmm[0].low)), final.mxcsr)
    }

    @Test(
        "RCPPS and RSQRTPS are within 1.5 / 4096 of the value and raise nothing", arguments: [1, 3, 0.1, 7e30, 1.2e-30, 65_535] as [Float])
    func approximations(operand: Float) throws {
        let (reciprocal, flags) = try approximate(0x53, operand)
        #expect(abs(Double(reciprocal) * Double(operand) - 1) <= 1.5 / 4096)
        #expect(flags == 0x1f80)
        let (root, _) = try approximate(0x52, operand)
        #expect(abs(Double(root) * Double(operand).squareRoot() - 1) <= 1.5 / 4096)
    }

    @Test(
        "Special operands of the approximations: zeros, denormals, infinities, negative numbers, NaNs",
        arguments: [
            (UInt8(0x53), UInt32(0x8000_0000), UInt32(0xff80_0000)), (0x53, 0x0000_0001, 0x7f80_0000), (0x53, 0xff80_0000, 0x8000_0000),
            (0x53, 0x7f7f_ffff, 0), (0x53, 0x7f80_0001, 0x7fc0_0001), (0x52, 0x8000_0000, 0xff80_0000), (0x52, 0x8000_0001, 0xff80_0000),
            (0x52, 0xbf80_0000, 0xffc0_0000), (0x52, 0x7f80_0000, 0), (0x52, 0xff80_0000, 0xffc0_0000), (0x52, 0xffc0_0003, 0xffc0_0003),
        ])
    func specialApproximations(opcode: UInt8, operand: UInt32, expected: UInt32) throws {
        let (result, flags) = try approximate(opcode, Float(bitPattern: operand))
        #expect(result.bitPattern == expected)
        #expect(flags == 0x1f80)
    }
}
