extension HostCPU {
    /// Names of the extensions of the virtual CPU that this host lacks; tests that need them say so and do not run.
    public static let missingExtensions: [String] = shared?.findMissingExtensions() ?? []

    /// Whether the host executes everything in a group.
    public static func executes(_ group: InstructionGroup) -> Bool {
        guard shared != nil, group != .legacy32 || runs32Bit else { return false }
        let needed: [String] =
            switch group {
            case .crypto: ["AES", "PCLMULQDQ", "SHA"]
            case .bmi: ["BMI1", "BMI2", "ADX", "MOVBE", "SSE4.2"]
            case .bits: ["LZCNT", "BMI1", "POPCNT"]
            case .sseFloat, .sseConvert, .sseInteger, .sseMoves, .mmx: ["SSE4.2"]
            case .faults: ["LZCNT", "BMI1", "BMI2", "ADX", "MOVBE", "SSE4.2", "POPCNT"]
            default: []
            }
        return !needed.contains { missingExtensions.contains($0) }
    }

    /// Leaf, register (1 RCX, 3 RBX) and bit of CPUID (SDM vol. 2A, CPUID).
    private static let extensions: [(name: String, leaf: UInt64, register: Int, bit: UInt64)] = [
        ("PCLMULQDQ", 1, 1, 1), ("SSE4.2", 1, 1, 20), ("MOVBE", 1, 1, 22), ("POPCNT", 1, 1, 23), ("AES", 1, 1, 25),
        ("BMI1", 7, 3, 3), ("BMI2", 7, 3, 8), ("ADX", 7, 3, 19), ("SHA", 7, 3, 29), ("LZCNT", 0x8000_0001, 1, 5),
    ]

    private func findMissingExtensions() -> [String] {
        Self.extensions.filter { cpuid($0.leaf)[$0.register] >> $0.bit & 1 == 0 }.map(\.name)
    }

    /// The general registers after CPUID of `leaf`, subleaf 0.
    private func cpuid(_ leaf: UInt64) -> [UInt64] {
        var state = MachineState()
        var memory = [UInt8](repeating: 0, count: Self.dataByteCount)
        state.gpr[0] = leaf
        _ = run(code: [0x0f, 0xa2], state: &state, memory: &memory)
        return state.gpr
    }
}
