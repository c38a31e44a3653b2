extension Decoder {
    /// Whether the escape opcode D8-DF with this ModRM byte is an instruction. The undocumented second encodings of FSTP,
    /// FXCH, FCOM and FFREEP count: processors execute them (AMD64 manual vol. 3, table A-15).
    var isKnownX87: Bool {
        let modRM = row.modRM
        let reg = modRM >> 3 & 7
        if modRM < 0xc0 {
            switch row.opcode & 7 {
            case 1: return reg != 1
            case 3: return reg != 4 && reg != 6
            case 5: return reg != 5
            default: return true
            }
        }
        switch row.opcode & 7 {
        case 1: return isKnownD9(modRM)
        case 2: return reg < 4 || modRM == 0xe9
        case 3: return reg < 4 || 0xe0...0xe4 ~= modRM || reg == 5 || reg == 6
        case 5: return reg < 6
        case 6: return reg != 3 || modRM == 0xd9
        case 7: return reg < 4 || modRM == 0xe0 || reg == 5 || reg == 6
        default: return true
        }
    }

    private func isKnownD9(_ modRM: UInt8) -> Bool {
        switch modRM {
        case 0xd1...0xd7, 0xe2, 0xe3, 0xe6, 0xe7, 0xef: false
        default: true
        }
    }
}
