import TestSupport
import Testing
import X86Decoder

/// The generated cases themselves are tested here: they must be what the decoder knows and what the host executes.
@Suite("Generated instructions", .serialized, .enabled(if: HostCPU.shared != nil, "needs an x86-64 host"))
struct InstructionCaseTests {
    @Test(
        "Every case decodes, runs on the host the same way twice, and mostly without an exception",
        arguments: InstructionGroup.allCases.filter { HostCPU.executes($0) })
    func cases(group: InstructionGroup) throws {
        let cpu = try #require(HostCPU.shared)
        var cases = InstructionCases(group, seed: 0x5eed)
        let differential = Differential(reference: Differential.host(cpu), subject: Differential.host(cpu))
        var exceptions = 0
        var failures: [String] = []
        for _ in 0..<1000 where failures.count < 10 {
            let program = cases.next()
            let result = decode(program.code + [UInt8](repeating: 0x90, count: 15), program.mode == .bits64 ? .bits64 : .bits32)
            let decodes =
                result.status == .complete && !result.instruction.flags.contains(.invalid)
                && Int(result.instruction.length) <= program.code.count
            if !decodes { failures.append("not decoded: \(program.name) \(hex(program.code))") }
            var (state, memory) = (program.state, program.memory)
            let outcome = cpu.run(code: program.code, state: &state, memory: &memory, mode: program.mode)
            if case .exception(let vector, _) = outcome {
                exceptions += 1
                // Nothing undefined, nothing outside the data pages.
                if vector == 6 || vector == 14 && group != .faults { failures.append("\(outcome): \(program.name) \(hex(program.code))") }
            }
            if let difference = differential.compare(program) { failures.append(difference) }
        }
        #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
        #expect(group == .faults ? exceptions > 100 : exceptions < 350)
    }

    @Test("A difference is reported with the encoding, the register and both values")
    func report() throws {
        let cpu = try #require(HostCPU.shared)
        let wrong = Differential(reference: Differential.host(cpu)) { program, state, memory in
            let outcome = cpu.run(code: program.code, state: &state, memory: &memory)
            state.gpr[3] ^= 1
            return outcome
        }
        let reports = wrong.run(.arithmetic, seed: 7, count: 3)
        #expect(reports.count == 3)
        #expect(reports[0].contains("seed 7 case 0: arithmetic") && reports[0].contains("rbx: expected"))
    }

    @Test("The exhaustive programs finish")
    func exhaustive() throws {
        let cpu = try #require(HostCPU.shared)
        var count = 0
        func finishes(_ program: InstructionCase) {
            var (state, memory) = (program.state, program.memory)
            #expect(cpu.run(code: program.code, state: &state, memory: &memory) == .finished)
            #expect(state.gpr[7] == HostCPU.dataAddress + 1024)
            count += 1
        }
        ExhaustiveCases.arithmetic(0, finishes)
        ExhaustiveCases.shifts(2, finishes)
        ExhaustiveCases.multiplications(finishes)
        ExhaustiveCases.unary(finishes)
        #expect(count == 512 + 64 + 512 + 8)
    }
}
