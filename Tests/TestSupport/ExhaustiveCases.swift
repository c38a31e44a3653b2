/// Programs that run one byte instruction over all values of CL and store AX and the flags of each result, so that all
/// pairs of operands are covered by 256 programs. Everything is compared through memory.
public enum ExhaustiveCases {
    /// ADD, OR, ADC, SBB, AND, SUB, XOR, CMP of every AL with every CL, with and without carry before.
    public static func arithmetic(_ operation: Int, _ body: (InstructionCase) throws -> Void) rethrows {
        let undefined = [1, 4, 6].contains(operation) ? Flag.a : 0
        for value in 0..<256 {
            for carry in [0, Flag.c] as [UInt64] {
                try body(program("byte arithmetic \(operation)", [UInt8(operation * 8), 0xc8], value, carry, undefined))
            }
        }
    }

    /// ROL, ROR, RCL, RCR, SHL, SHR, SAL, SAR of CL by every count of 5 bits; the instruction works on CL itself.
    public static func shifts(_ operation: Int, _ body: (InstructionCase) throws -> Void) rethrows {
        for count in 0..<32 {
            let undefined = InstructionCases.undefinedShiftFlags(operation, count, 8)
            let code: [UInt8] = [0x88, 0xc8, 0xc0, 0xc0 | UInt8(operation << 3), UInt8(count)]  // mov al, cl; shift al, count
            for carry in [0, Flag.c] as [UInt64] {
                try body(program("byte shift \(operation)", code, 0, carry, undefined))
            }
        }
    }

    /// MUL and IMUL of every AL with every CL.
    public static func multiplications(_ body: (InstructionCase) throws -> Void) rethrows {
        for value in 0..<256 {
            for operation in [0xe1, 0xe9] as [UInt8] {
                try body(program("byte multiply", [0xf6, operation], value, 0, Flag.s | Flag.z | Flag.a | Flag.p))
            }
        }
    }

    /// INC, DEC, NEG and NOT of every byte.
    public static func unary(_ body: (InstructionCase) throws -> Void) rethrows {
        for code in [[0xfe, 0xc0], [0xfe, 0xc8], [0xf6, 0xd8], [0xf6, 0xd0]] as [[UInt8]] {
            for carry in [0, Flag.c] as [UInt64] {
                try body(program("byte unary", [0x88, 0xc8] + code, 0, carry, 0))
            }
        }
    }

    /// RBX holds AL's value, RDX the flags before, RDI walks through the results.
    private static func program(
        _ name: String, _ instruction: [UInt8], _ value: Int, _ flags: UInt64, _ undefined: UInt64
    ) -> InstructionCase {
        var code: [UInt8] = [0x52, 0x9d, 0x89, 0xd8]  // push rdx; popfq; mov eax, ebx
        code += instruction
        code += [0x9c, 0x41, 0x58, 0x66, 0x89, 0x07]  // pushfq; pop r8; mov [rdi], ax
        code += [0x41, 0x81, 0xe0] + little(UInt32(truncatingIfNeeded: Flag.all & ~undefined))  // and r8d, defined flags
        code += [0x41, 0x50, 0x41, 0x58]  // push r8; pop r8: memory forgets the undefined ones
        code += [0x66, 0x44, 0x89, 0x47, 0x02]  // mov [rdi+2], r8w
        code += [0x48, 0x83, 0xc7, 0x04, 0xff, 0xc1, 0x81, 0xf9, 0, 1, 0, 0]  // add rdi, 4; inc ecx; cmp ecx, 256
        code += [0x75, UInt8(truncatingIfNeeded: -(code.count + 2))]  // jne start
        var state = MachineState()
        state.gpr[3] = UInt64(value)
        state.gpr[2] = flags | 0x202
        state.gpr[4] = HostCPU.dataAddress + 8192
        state.gpr[7] = HostCPU.dataAddress
        let memory = [UInt8](repeating: 0, count: HostCPU.dataByteCount)
        return InstructionCase(name: name, code: code, state: state, memory: memory)
    }
}
