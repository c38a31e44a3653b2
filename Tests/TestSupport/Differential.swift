import Glibc

/// Compares two engines, the first being the truth, case by case.
public struct Differential {
    /// Runs a program from a state and leaves the final state and memory in its arguments.
    public typealias Engine = (_ program: InstructionCase, _ state: inout MachineState, _ memory: inout [UInt8]) -> Outcome

    /// The host CPU as an engine.
    public static func host(_ cpu: HostCPU) -> Engine {
        { program, state, memory in cpu.run(code: program.code, state: &state, memory: &memory, mode: program.mode) }
    }

    public let reference: Engine
    public let subject: Engine

    public init(reference: @escaping Engine, subject: @escaping Engine) {
        self.reference = reference
        self.subject = subject
    }

    /// Runs `count` cases of a group and describes those that differ, at most `limit` of them.
    public func run(_ group: InstructionGroup, seed: UInt64, count: Int, limit: Int = 10) -> [String] {
        var cases = InstructionCases(group, seed: seed)
        var reports: [String] = []
        for index in 0..<count where reports.count < limit {
            if let report = compare(cases.next()) { reports.append("seed \(seed) case \(index): \(report)") }
        }
        return reports
    }

    /// Runs one case on both engines; nil when they agree.
    public func compare(_ program: InstructionCase) -> String? {
        var expected = (state: program.state, memory: program.memory)
        var actual = expected
        let expectedOutcome = reference(program, &expected.state, &expected.memory)
        let actualOutcome = subject(program, &actual.state, &actual.memory)
        var lines: [String] = []
        if expectedOutcome != actualOutcome { lines.append("outcome: expected \(expectedOutcome), found \(actualOutcome)") }
        lines += Self.differences(program, expected.state, actual.state)
        if let offset = firstDifference(expected.memory, actual.memory) {
            let range = offset..<min(offset + 16, expected.memory.count)
            lines.append(
                "memory at data+0x\(hex(UInt64(offset))): expected \(hex(Array(expected.memory[range]))), "
                    + "found \(hex(Array(actual.memory[range])))")
        }
        guard !lines.isEmpty else { return nil }
        return "\(program.name) \(hex(program.code))\n  " + (lines + Self.inputs(program)).joined(separator: "\n  ")
    }

    private static func differences(_ program: InstructionCase, _ expected: MachineState, _ actual: MachineState) -> [String] {
        var lines: [String] = []
        func check(_ name: String, _ wanted: UInt64, _ found: UInt64) {
            if wanted != found { lines.append("\(name): expected \(hex(wanted)), found \(hex(found))") }
        }
        for index in 0..<16 { check(names[index], expected.gpr[index], actual.gpr[index]) }
        check("rip", expected.rip, actual.rip)
        let flags = ~program.undefinedFlags & 0xcd5
        check("rflags (of its defined bits)", expected.rflags & flags, actual.rflags & flags)
        for index in 0..<16 where expected.xmm[index] != actual.xmm[index] {
            lines.append("xmm\(index): expected \(expected.xmm[index]), found \(actual.xmm[index])")
        }
        check("mxcsr", UInt64(expected.mxcsr), UInt64(actual.mxcsr))
        check("x87 control", UInt64(expected.x87.control), UInt64(actual.x87.control))
        let status = ~program.undefinedStatus
        check("x87 status (of its defined bits)", UInt64(expected.x87.status & status), UInt64(actual.x87.status & status))
        check("x87 tags", UInt64(expected.x87.tags), UInt64(actual.x87.tags))
        for index in 0..<8 where !isClose(expected.x87.st[index], actual.x87.st[index], program.x87Tolerance) {
            lines.append("st\(index): expected \(expected.x87.st[index]), found \(actual.x87.st[index])")
        }
        return lines
    }

    private static func isClose(_ wanted: X87State.Register, _ found: X87State.Register, _ tolerance: UInt64) -> Bool {
        if wanted == found { return true }
        guard tolerance > 0, wanted.signAndExponent == found.signAndExponent else { return false }
        let (high, low) = (max(wanted.significand, found.significand), min(wanted.significand, found.significand))
        return high - low <= tolerance
    }

    /// What the program starts from, as far as it is short.
    private static func inputs(_ program: InstructionCase) -> [String] {
        let registers = (0..<16).map { "\(names[$0])=\(hex(program.state.gpr[$0]))" }.joined(separator: " ")
        var lines = ["from rflags=\(hex(program.state.rflags)) \(registers)"]
        if program.state.xmm.contains(where: { $0 != XMMValue(0, 0) }) {
            let vectors = (0..<16).map { "xmm\($0)=\(program.state.xmm[$0])" }.joined(separator: " ")
            lines.append("from mxcsr=\(hex(UInt64(program.state.mxcsr))) \(vectors)")
        }
        let x87 = program.state.x87
        if x87.tags != 0 {
            let stack = (0..<8).map { "st\($0)=\(x87.st[$0])" }.joined(separator: " ")
            lines.append("from fcw=\(hex(UInt64(x87.control))) fsw=\(hex(UInt64(x87.status))) ftw=\(hex(UInt64(x87.tags))) \(stack)")
        }
        return lines
    }

    private static let names = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
    ]
}

/// Compared as a whole first: byte by byte takes long in debug builds.
private func firstDifference(_ wanted: [UInt8], _ found: [UInt8]) -> Int? {
    let isEqual = unsafe wanted.withUnsafeBytes { left in
        unsafe found.withUnsafeBytes { right in
            guard left.count == right.count, let from = left.baseAddress, let other = right.baseAddress else { return false }
            return unsafe memcmp(from, other, left.count) == 0
        }
    }
    return isEqual ? nil : wanted.indices.first { $0 >= found.count || wanted[$0] != found[$0] }
}
