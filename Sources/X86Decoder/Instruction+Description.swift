/// One line for traces and failing tests: encoding facts, no mnemonics.
///
///     +12 0f af  size 8 length 4  reg 3  [ss: r4 + r1*8 + 0x10]
extension Instruction: CustomStringConvertible {
    public var description: String {
        var words = ["+\(offset)", opcodeText, " size \(operandSize) length \(length)"]
        if flags.contains(.hasModRM) { words.append(" reg \(reg)") }
        words.append(flags.contains(.memory) ? " " + addressText : " rm \(rm)")
        if immediate != 0 { words.append(" imm \(hexadecimal(immediate))") }
        words += Self.flagNames.filter { flags.contains($0.0) }.map(\.1)
        return words.joined(separator: " ")
    }

    private var opcodeText: String {
        let maps = ["", "0f ", "0f38 ", "0f3a "]
        let byte = String(opcode & 0xff, radix: 16)
        return maps[Int(truncatingIfNeeded: opcode >> 8 & 3)] + (byte.count < 2 ? "0" : "") + byte
    }

    private var addressText: String {
        var terms: [String] = []
        if base != RegisterFile.zero { terms.append(base == RegisterFile.blockRIP ? "block" : "r\(base)") }
        if index != RegisterFile.zero { terms.append("r\(index)*\(1 << (scale & 3))") }
        if displacement != 0 || terms.isEmpty { terms.append(hexadecimal(Int64(displacement))) }
        return "[\(["es", "cs", "ss", "ds", "fs", "gs"][Int(segment) % 6]): \(terms.joined(separator: " + "))]"
    }

    private func hexadecimal(_ value: Int64) -> String {
        (value < 0 ? "-0x" : "0x") + String(value.magnitude, radix: 16)
    }

    private static var flagNames: [(Flags, String)] {
        [
            (.lock, "lock"), (.rep, "rep"), (.repne, "repne"), (.vex, "vex"), (.address16, "a16"), (.address32, "a32"),
            (.invalid, "invalid"), (.endsBlock, "ends"),
        ]
    }
}
