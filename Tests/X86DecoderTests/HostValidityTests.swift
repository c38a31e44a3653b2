import TestSupport
import Testing
import X86Decoder

@Suite(
    "Encodings the host executes", .serialized,
    .enabled(
        if: HostCPU.shared != nil && HostCPU.missingExtensions.isEmpty, "needs an x86-64 host with the virtual CPU's extensions"))
struct HostValidityTests {
    private static let maps: [[UInt8]] = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]]
    private static let prefixes: [[UInt8]] = [[], [0x66], [0xf3], [0xf2], [0xf0]]

    @Test("Register forms raise #UD on the host exactly when the decoder says so", arguments: maps)
    func registerForms(map: [UInt8]) throws {
        let cpu = try #require(HostCPU.shared)
        var differences: [String] = []
        for prefix in Self.prefixes {
            for opcode in 0...255 as ClosedRange<UInt8> {
                let isX87 = map.isEmpty && 0xd8...0xdf ~= opcode
                for modRM in stride(from: UInt8(0xc0), to: 0xff, by: isX87 ? 1 : 7) {
                    let bytes = prefix + map + [opcode, modRM, 1, 0, 0, 0, 0, 0, 0, 0]
                    let row = decode(bytes).instruction
                    guard isUsable(row, opcode, map), !isLeftOut(row) else { continue }
                    let outcome = run(cpu, Array(bytes.prefix(Int(row.length))))
                    let raises = outcome == .exception(vector: 6, errorCode: 0)
                    if raises != row.flags.contains(.invalid) { differences.append("\(hex(bytes)): host \(outcome)") }
                }
            }
        }
        #expect(differences.isEmpty, "\(differences.count)\n\(differences.prefix(40).joined(separator: "\n"))")
    }

    private func run(_ cpu: HostCPU, _ code: [UInt8]) -> Outcome {
        var state = MachineState()
        var memory = [UInt8](repeating: 0, count: HostCPU.dataByteCount)
        for index in 1..<16 { state.gpr[index] = HostCPU.dataAddress + 4096 }
        return cpu.run(code: code + [UInt8](repeating: 0x90, count: 8), state: &state, memory: &memory)
    }

    /// Of the one-byte map only what has ModRM; nothing that leaves the program.
    private func isUsable(_ row: Instruction, _ opcode: UInt8, _ map: [UInt8]) -> Bool {
        guard map.isEmpty else { return row.flags.contains(.invalid) || !row.flags.contains(.endsBlock) }
        return row.opcode == UInt16(opcode) && row.flags.contains(.hasModRM) && ![0x8e, 0xff].contains(opcode)
    }

    /// Where processors differ from each other or have extensions that the virtual CPU has not, and what would leave the
    /// test: system calls, POP FS and POP GS.
    private func isLeftOut(_ row: Instruction) -> Bool {
        switch row.opcode {
        case 0x105, 0x107, 0x134, 0x135, 0x1a1, 0x1a9: true
        case 0x101, 0x1ae, 0x1c7: true  // Virtualisation, CET, protection keys …
        case 0x109, 0x10d, 0x10e, 0x10f, 0x11e, 0x12b, 0x137, 0x178, 0x179, 0x1a6, 0x1a7: true  // WBNOINVD, 3DNow!, SSE4a, SMX …
        case 0x2cf, 0x2d8, 0x2f8...0x2ff, 0x3ce, 0x3cf, 0x3f0: true  // GFNI, Key Locker, MOVDIR, ENQCMD, HRESET
        case 0x120, 0x122: row.flags.contains(.lock)  // AMD's other name of CR8
        default: false
        }
    }
}
