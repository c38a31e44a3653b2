import TestSupport
import Testing

@testable import X86Translator

/// Translated instructions against the processor the tests run on.
@Suite(.serialized, .enabled(if: HostCPU.shared != nil, "needs an x86-64 host"))
struct TranslatorDifferentialTests {
    static let groups: [InstructionGroup] = [
        .arithmetic, .shifts, .multiplyDivide, .bits, .moves, .conditional, .exchange, .strings, .stack, .flags, .bmi, .sequences, .faults,
        .sseMoves, .sseInteger, .sseFloat, .sseConvert, .mmx, .crypto,
    ]

    @Test("a group of instructions does what the host's processor does", arguments: groups.filter(HostCPU.executes))
    func random(_ group: InstructionGroup) throws {
        let host = try #require(HostCPU.shared)
        let differential = Differential(reference: Differential.host(host), subject: try TranslatorSubject.engine())
        let reports = differential.run(group, seed: FuzzRun.seed, count: FuzzRun.cases(4000))
        #expect(reports.isEmpty, "\(reports.joined(separator: "\n"))")
    }
}
