import TestSupport
import Testing

@testable import X86Interpreter

/// Vector instructions against the processor the tests run on.
@Suite("Vector instructions against the host") struct DifferentialVectorTests {
    private static let groups: [InstructionGroup] = [.sseMoves, .sseInteger, .sseFloat, .sseConvert, .mmx, .crypto]

    @Test("Random instructions leave the state the host leaves", arguments: groups.filter(HostCPU.executes))
    func randomInstructions(group: InstructionGroup) throws {
        let cpu = try #require(HostCPU.shared)
        let differential = Differential(reference: Differential.host(cpu), subject: try InterpreterSubject.engine())
        #expect(differential.run(group, seed: FuzzRun.seed, count: FuzzRun.cases(8000)) == [])
    }

    /// Encodings the random groups leave out. RSI and RDI point into the data, ST(i) and XMM registers are random.
    /// CVTPI2PS from memory is not here: Intel's processors turn the FPU to MMX for it, AMD's do not.
    private static let rareCodes: [(name: String, code: [UInt8])] = [
        ("maskmovq mm1, mm2", [0x0f, 0xf7, 0xca]),
        ("maskmovdqu xmm1, xmm2", [0x66, 0x0f, 0xf7, 0xca]),
        ("addr32 maskmovdqu xmm9, xmm2", [0x67, 0x66, 0x44, 0x0f, 0xf7, 0xca]),
        ("movntq [rsi], mm3", [0x0f, 0xe7, 0x1e]),
        ("pmovmskb eax, mm5", [0x0f, 0xd7, 0xc5]),
        ("pmovmskb r8, xmm15", [0x66, 0x4d, 0x0f, 0xd7, 0xc7]),
        ("pinsrw mm1, eax, 6", [0x0f, 0xc4, 0xc8, 0x06]),
        ("pinsrw mm1, [rsi], 3", [0x0f, 0xc4, 0x0e, 0x03]),
        ("pextrw ecx, mm6, 7", [0x0f, 0xc5, 0xce, 0x07]),
        ("movntps [rsi], xmm4", [0x0f, 0x2b, 0x26]),
        ("cvtpi2ps xmm1, mm2", [0x0f, 0x2a, 0xca]),
        ("cvtpi2pd xmm1, mm2", [0x66, 0x0f, 0x2a, 0xca]),
        ("cvtpi2pd xmm1, [rsi]", [0x66, 0x0f, 0x2a, 0x0e]),
        ("cvtps2pi mm1, xmm2", [0x0f, 0x2d, 0xca]),
        ("cvttps2pi mm1, [rsi]", [0x0f, 0x2c, 0x0e]),
        ("cvtpd2pi mm1, xmm2", [0x66, 0x0f, 0x2d, 0xca]),
        ("cvttpd2pi mm1, [rsi]", [0x66, 0x0f, 0x2c, 0x0e]),
        ("pshufw mm1, [rsi], 0x1b", [0x0f, 0x70, 0x0e, 0x1b]),
        ("psrad mm3, 33", [0x0f, 0x72, 0xe3, 0x21]),
        ("movmskps eax, xmm9", [0x41, 0x0f, 0x50, 0xc1]),
        ("movdq2q mm1, xmm2", [0xf2, 0x0f, 0xd6, 0xca]),
        ("movq2dq xmm1, mm2", [0xf3, 0x0f, 0xd6, 0xca]),
        ("pcmpestri xmm1, [rsi], 0x0c", [0x66, 0x0f, 0x3a, 0x61, 0x0e, 0x0c]),
        ("pcmpistrm xmm1, [rsi + 3], 0x5a", [0x66, 0x0f, 0x3a, 0x62, 0x4e, 0x03, 0x5a]),
        ("lddqu xmm1, [rsi + 5]", [0xf2, 0x0f, 0xf0, 0x4e, 0x05]),
        ("movntdqa xmm1, [rsi + 8]", [0x66, 0x0f, 0x38, 0x2a, 0x4e, 0x08]),
        ("pblendvb xmm1, [rsi + 1]", [0x66, 0x0f, 0x38, 0x10, 0x4e, 0x01]),
        ("movups [rsi + 0x7f81], xmm1", [0x0f, 0x11, 0x8e, 0x81, 0x7f, 0, 0]),
        ("movdqa and movdqu across pages", [0x66, 0x0f, 0x6f, 0x06, 0xf3, 0x0f, 0x7f, 0x86, 0xf8, 0x0e, 0, 0]),
        ("f3 outranks 66", [0x66, 0xf3, 0x0f, 0x6f, 0x4e, 0x01]),
        ("lock movups", [0xf0, 0x0f, 0x10, 0xc1]),
        ("f2 movdqa", [0xf2, 0x0f, 0x6f, 0xc1]),
    ]

    @Test("Rare encodings leave the state the host leaves", .enabled(if: HostCPU.executes(.mmx)), arguments: rareCodes.indices)
    func rareEncodings(index: Int) throws {
        let cpu = try #require(HostCPU.shared)
        let differential = Differential(reference: Differential.host(cpu), subject: try InterpreterSubject.engine())
        var reports: [String] = []
        for group in [InstructionGroup.mmx, .sseFloat, .sseConvert] {
            var cases = InstructionCases(group, seed: UInt64(index))
            for _ in 0..<100 {
                var program = cases.next()
                program.name = Self.rareCodes[index].name
                program.code = Self.rareCodes[index].code
                program.undefinedFlags = 0
                program.undefinedStatus = 0
                program.state.gpr[6] = HostCPU.dataAddress + 0x100
                program.state.gpr[7] = HostCPU.dataAddress + 0xffc
                if let report = differential.compare(program) { reports.append(report) }
            }
        }
        #expect(reports.isEmpty, "\(reports.count) of 300, the first: \(reports[0])")
    }
}
