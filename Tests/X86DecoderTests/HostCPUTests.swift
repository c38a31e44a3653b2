import Testing
import TestSupport

@Suite("The host CPU as oracle", .serialized, .enabled(if: HostCPU.shared != nil, "needs an x86-64 host"))
struct HostCPUTests {
    private func run(
        _ code: [UInt8], _ state: inout MachineState, _ memory: inout [UInt8], _ mode: HostCPU.Mode = .bits64
    ) throws -> Outcome {
        try #require(HostCPU.shared).run(code: code, state: &state, memory: &memory, mode: mode)
    }

    private var zeros: [UInt8] { [UInt8](repeating: 0, count: HostCPU.dataByteCount) }

    @Test("Every register goes in and comes out, the stack pointer among them")
    func registers() throws {
        var random = SeededRandom(seed: 1)
        var state = MachineState()
        for index in 0..<16 {
            state.gpr[index] = random.next()
            state.xmm[index] = XMMValue(random.next(), random.next())
        }
        state.rflags = 0xcd7
        state.mxcsr = 0x7f80
        state.x87.tags = 0xff
        for index in 0..<8 { state.x87.st[index] = .init(significand: 1 << 63, signAndExponent: UInt16(0x3fff + index)) }
        var memory = zeros
        let before = state
        #expect(try run([0x90], &state, &memory) == .finished)
        state.rip = 0
        #expect(state == before)
    }

    @Test("Instructions change registers, flags and memory")
    func effects() throws {
        var state = MachineState()
        var memory = zeros
        state.gpr[0] = ~0
        state.gpr[4] = HostCPU.dataAddress
        // add eax, 1; mov [rsp+8], rcx; paddb xmm1, xmm1
        state.gpr[1] = 0x1122
        state.xmm[1] = XMMValue(0x0101, 0)
        #expect(try run([0x83, 0xc0, 1, 0x48, 0x89, 0x4c, 0x24, 8, 0x66, 0x0f, 0xfc, 0xc9], &state, &memory) == .finished)
        #expect(state.gpr[0] == 0 && state.rflags == 0x57)
        #expect(memory[8] == 0x22 && memory[9] == 0x11)
        #expect(state.xmm[1] == XMMValue(0x0202, 0))
    }

    @Test(
        "Exceptions come back with their vector, error code and RIP",
        arguments: [
            ([0x90, 0x0f, 0x0b], 6, 0, 1), ([0xf7, 0xf1], 0, 0, 0), ([0xcc], 3, 0, 1), ([0x8b, 0x00], 14, 4, 0),
            ([0xf4], 13, 0, 0), ([0x89, 0x00], 14, 6, 0),
        ] as [([UInt8], UInt8, UInt32, UInt64)])
    func exceptions(code: [UInt8], vector: UInt8, errorCode: UInt32, offset: UInt64) throws {
        var state = MachineState()
        var memory = zeros
        state.gpr[0] = HostCPU.dataAddress + UInt64(HostCPU.dataByteCount)
        state.gpr[15] = 77
        #expect(try run(code, &state, &memory) == .exception(vector: vector, errorCode: errorCode))
        #expect(state.rip == HostCPU.codeAddress + offset)
        #expect(state.gpr[15] == 77)
        #expect(state.gpr[0] == HostCPU.dataAddress + UInt64(HostCPU.dataByteCount))
    }

    @Test("Unmasked floating-point exceptions are vectors 16 and 19")
    func floatingPoint() throws {
        var state = MachineState()
        var memory = zeros
        state.mxcsr = 0x1d80
        state.xmm[0] = XMMValue(0x3ff0_0000_0000_0000, 0)
        #expect(try run([0xf2, 0x0f, 0x5e, 0xc1], &state, &memory) == .exception(vector: 19, errorCode: 0))
        state = MachineState()
        state.x87.control = 0x37b
        #expect(try run([0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0x9b], &state, &memory) == .exception(vector: 16, errorCode: 0))
        #expect(state.x87.status & 0x84 == 0x84)
    }

    @Test("32-bit code runs in compatibility mode", .enabled(if: HostCPU.runs32Bit, "the kernel refuses 32-bit code"))
    func compatibility() throws {
        var state = MachineState()
        var memory = zeros
        state.gpr[0] = 0x1234_0019
        #expect(try run([0x27, 0x40], &state, &memory, .bits32) == .finished)  // daa; inc eax
        #expect(state.gpr[0] == 0x1234_001a)
        #expect(try run([0x0f, 0x0b], &state, &memory, .bits32) == .exception(vector: 6, errorCode: 0))
        #expect(state.rip == HostCPU.codeAddress)
    }
}
