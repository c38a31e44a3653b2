/// What to encode; the operand in ModRM.rm is a register, or memory when `rm` is nil.
struct Encoding {
    var opcode: [UInt8]
    /// 66, F2 or F3 where it selects the instruction.
    var prefix: UInt8?
    /// 1, 2, 4 or 8; 1 and 4 add no prefix.
    var width = 4
    var reg = 0
    var rm: Int?
    var immediate: [UInt8] = []
    /// Alignment of the memory operand.
    var alignment = 1
    /// Set for a VEX encoding: vvvv, with the map and prefix taken from `opcode` and `prefix`.
    var vvvv: Int?
    var lock = false
    /// Registers of one byte, for which an empty REX changes the meaning.
    var hasByteRegisters = false
}

/// The bytes of a memory operand from ModRM on.
private struct MemoryOperand {
    var mod: UInt8 = 0
    var rm: UInt8 = 0
    var sib: UInt8?
    var displacement: [UInt8] = []
    /// REX.X and REX.B.
    var rex: UInt8 = 0
    var isRelative = false
}

extension InstructionCases {
    /// Appends an instruction to the program and returns the offset of its memory operand in the data pages, if any.
    @discardableResult
    mutating func emit(_ encoding: Encoding) -> Int? {
        var offset: Int?
        var operand = MemoryOperand(mod: 3, rm: UInt8((encoding.rm ?? 0) & 7), rex: UInt8((encoding.rm ?? 0) >> 3))
        var prefixes: [UInt8] = []
        if encoding.rm == nil {
            let short = is64 && !seeksFaults && random.oneIn(16)
            if short { prefixes.append(0x67) }
            if random.oneIn(16) { prefixes.append(random.pick([0x26, 0x2e, 0x36, 0x3e])) }
            let target = targetOffset(encoding.alignment)
            offset = target
            operand = place(HostCPU.dataAddress &+ UInt64(bitPattern: Int64(target)), short: short)
        }
        if encoding.lock { prefixes.append(0xf0) }
        if encoding.width == 2 { prefixes.append(0x66) }
        if let prefix = encoding.prefix, encoding.vvvv == nil { prefixes.append(prefix) }
        var rex = operand.rex | UInt8(encoding.reg >> 3) << 2 | (encoding.width == 8 ? 8 : 0)
        var bytes = prefixes
        if let vvvv = encoding.vvvv {
            bytes += vex(encoding, rex: rex, vvvv: vvvv)
        } else {
            if is64 && (rex != 0 || encoding.hasByteRegisters && random.oneIn(2)) {
                rex |= 0x40
                bytes.append(rex)
            }
            bytes += encoding.opcode
        }
        bytes.append(operand.mod << 6 | UInt8(encoding.reg & 7) << 3 | operand.rm)
        if let sib = operand.sib { bytes.append(sib) }
        if operand.isRelative {
            let end = HostCPU.codeAddress + UInt64(current.code.count + bytes.count + 4 + encoding.immediate.count)
            operand.displacement = little(UInt32(truncatingIfNeeded: HostCPU.dataAddress &+ UInt64(bitPattern: Int64(offset ?? 0)) &- end))
        }
        current.code += bytes + operand.displacement + encoding.immediate
        return offset
    }

    /// Where the memory operand lies, as an offset from the data.
    private mutating func targetOffset(_ alignment: Int) -> Int {
        guard seeksFaults else { return (512 + random.below(6656)) / alignment * alignment }
        let aligned = alignment * (random.below(40 / alignment + 1) - 20 / alignment)
        switch random.below(4) {
        case 0: return aligned
        case 1: return (random.pick([1 << 47, 1 << 48, 1 << 60, Int.min, -1 << 48]) &+ aligned) & ~15
        default: return HostCPU.dataByteCount + aligned
        }
    }

    private func vex(_ encoding: Encoding, rex: UInt8, vvvv: Int) -> [UInt8] {
        let map: UInt8 = encoding.opcode[1] == 0x38 ? 2 : 3
        let selector: UInt8 =
            switch encoding.prefix {
            case 0x66: 1
            case 0xf3: 2
            case 0xf2: 3
            default: 0
            }
        let last = (rex & 8) << 4 | UInt8(~vvvv & 15) << 3 | selector
        return [0xc4, (~rex & 7) << 5 | map, last, encoding.opcode[2]]
    }

    /// Chooses an addressing form for `address` and sets the registers it uses.
    private mutating func place(_ address: UInt64, short: Bool) -> MemoryOperand {
        let free = (0..<(is64 ? 16 : 8)).filter { !pinned.contains($0) }
        let isLow = address < 1 << 31
        guard free.count > 1, !(isLow && random.oneIn(8)) else { return absolute(address) }
        let base = random.pick(free)
        let chosen = random.oneIn(2) ? random.pick(free) : 4
        let index = chosen == base && !isLow ? 4 : chosen
        let mod = UInt8(random.below(3))
        let scale = random.below(4)
        var displacement: UInt64 =
            switch mod {
            case 1: UInt64(bitPattern: Int64(random.below(256) - 128))
            case 2: UInt64(bitPattern: Int64(random.below(1 << 20) - (1 << 19)))
            default: 0
            }
        var operand = MemoryOperand(mod: mod, rm: 4, rex: UInt8(base >> 3 | (index >> 3) << 1))
        if index == base && index != 4 {
            let value = UInt64(random.below(1 << 16))
            setAddressRegister(base, value, short)
            displacement = address &- value &- value << UInt64(scale)
            operand.mod = 2
        } else {
            let scaled = index == 4 ? 0 : current.state.gpr[index] << UInt64(scale)
            setAddressRegister(base, address &- displacement &- scaled, short)
        }
        if base & 7 == 5 && operand.mod == 0 { operand.mod = 1 }
        operand.displacement = Array(
            little(UInt32(truncatingIfNeeded: displacement)).prefix(operand.mod == 0 ? 0 : operand.mod == 1 ? 1 : 4))
        if index != 4 || base & 7 == 4 || random.oneIn(4) {
            operand.sib = UInt8(scale) << 6 | UInt8(index & 7) << 3 | UInt8(base & 7)
        } else {
            operand.rm = UInt8(base & 7)
        }
        return operand
    }

    /// With an address-size prefix the upper half may be anything.
    private mutating func setAddressRegister(_ register: Int, _ value: UInt64, _ short: Bool) {
        current.state.gpr[register] = short ? value & 0xffff_ffff | random.next() << 32 : value
    }

    private mutating func absolute(_ address: UInt64) -> MemoryOperand {
        let bytes = little(UInt32(truncatingIfNeeded: address))
        if !is64 { return MemoryOperand(rm: 5, displacement: bytes) }
        if random.oneIn(2) { return MemoryOperand(rm: 5, displacement: bytes, isRelative: true) }
        return MemoryOperand(rm: 4, sib: 0x25, displacement: bytes)
    }

    /// A register, or nil for memory.
    mutating func registerOrMemory() -> Int? { random.oneIn(2) ? register() : nil }

    /// An integer instruction of a random width: `byteOpcode` for bytes, the next one for the others.
    @discardableResult
    mutating func emitInteger(_ byteOpcode: [UInt8], reg: Int, rm: Int?, width: Int, immediate: [UInt8] = [], lock: Bool = false) -> Int? {
        var opcode = byteOpcode
        if width > 1 { opcode[opcode.count - 1] += 1 }
        let offset = emit(
            Encoding(
                opcode: opcode, width: width, reg: reg, rm: rm, immediate: immediate, lock: lock, hasByteRegisters: width == 1))
        if let offset, random.oneIn(2) { fill(at: offset, [random.integer()]) }
        return offset
    }
}
