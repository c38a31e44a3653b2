import TestSupport
import Testing

@testable import X86Interpreter

/// Integer instructions against the processor the tests run on.
@Suite(.serialized, .enabled(if: HostCPU.shared != nil, "needs an x86-64 host"))
struct DifferentialIntegerTests {
    static let groups: [InstructionGroup] = [
        .arithmetic, .shifts, .multiplyDivide, .bits, .moves, .conditional, .exchange, .strings, .stack, .flags, .bmi, .legacy32,
        .sequences, .faults,
    ]

    @Test("a group of instructions does what the host's processor does", arguments: groups.filter(HostCPU.executes))
    func random(_ group: InstructionGroup) throws {
        let host = try #require(HostCPU.shared)
        let differential = Differential(reference: Differential.host(host), subject: try InterpreterSubject.engine())
        let reports = differential.run(group, seed: FuzzRun.seed, count: FuzzRun.cases(20_000))
        #expect(reports.isEmpty, "\(reports.joined(separator: "\n"))")
    }

    @Test("byte arithmetic is right for every pair of operands", arguments: 0..<8)
    func exhaustiveArithmetic(_ operation: Int) throws {
        try compareAll { try ExhaustiveCases.arithmetic(operation, $0) }
    }

    @Test("byte shifts are right for every operand and count", arguments: 0..<8)
    func exhaustiveShifts(_ operation: Int) throws {
        try compareAll { try ExhaustiveCases.shifts(operation, $0) }
    }

    @Test("byte multiplication is right for every pair of operands")
    func exhaustiveMultiplication() throws {
        try compareAll { try ExhaustiveCases.multiplications($0) }
    }

    @Test("INC, DEC, NEG and NOT are right for every byte")
    func exhaustiveUnary() throws {
        try compareAll { try ExhaustiveCases.unary($0) }
    }

    private func compareAll(_ programs: ((InstructionCase) throws -> Void) throws -> Void) throws {
        let host = try #require(HostCPU.shared)
        let differential = Differential(reference: Differential.host(host), subject: try InterpreterSubject.engine())
        var reports: [String] = []
        try programs { program in
            guard reports.count < 5 else { return }
            if let report = differential.compare(program) { reports.append(report) }
        }
        #expect(reports.isEmpty, "\(reports.joined(separator: "\n"))")
    }
}
