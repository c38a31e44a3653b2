import TestSupport
import Testing

@testable import X86Interpreter

/// x87 instructions against the processor the tests run on: special values, rounding and precision control, exceptions.
@Suite("x87 instructions do what the host's processor does", .serialized, .enabled(if: HostCPU.shared != nil, "needs an x86-64 host"))
struct DifferentialX87Tests {
    @Test(
        "Random programs leave the same stack, status and memory",
        arguments: [InstructionGroup.x87, .x87Transcendental].filter(HostCPU.executes))
    func random(_ group: InstructionGroup) throws {
        let host = try #require(HostCPU.shared)
        let differential = Differential(reference: Differential.host(host), subject: try InterpreterSubject.engine())
        let reports = differential.run(group, seed: FuzzRun.seed, count: FuzzRun.cases(10_000))
        #expect(reports.isEmpty, "\(reports.joined(separator: "\n"))")
    }
}
