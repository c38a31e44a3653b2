/// Writes host instructions into code memory. It knows encodings and nothing of what is translated.
///
/// Nothing here checks for room: whoever starts a block makes sure of enough for the largest one.
@safe
struct Assembler {
    /// The writable view.
    let base: UnsafeMutableRawPointer
    /// Offset of the next byte.
    var position: Int

    init(base: UnsafeMutableRawPointer, position: Int) {
        unsafe self.base = base
        self.position = position
    }

    // MARK: - bytes

    @inline(__always)
    mutating func byte(_ value: UInt8) {
        unsafe base.storeBytes(of: value, toByteOffset: position, as: UInt8.self)
        position &+= 1
    }

    @inline(__always)
    mutating func bytes(_ a: UInt8, _ b: UInt8) {
        byte(a)
        byte(b)
    }

    @inline(__always)
    mutating func bytes(_ a: UInt8, _ b: UInt8, _ c: UInt8) {
        byte(a)
        byte(b)
        byte(c)
    }

    @inline(__always)
    mutating func word(_ value: UInt16) {
        unsafe base.storeBytes(of: value, toByteOffset: position, as: UInt16.self)
        position &+= 2
    }

    @inline(__always)
    mutating func long(_ value: Int32) {
        unsafe base.storeBytes(of: value, toByteOffset: position, as: Int32.self)
        position &+= 4
    }

    @inline(__always)
    mutating func quad(_ value: Int64) {
        unsafe base.storeBytes(of: value, toByteOffset: position, as: Int64.self)
        position &+= 8
    }

    /// The low `byteCount` (0, 1, 2, 4 or 8) bytes of an immediate.
    @inline(__always)
    mutating func immediate(_ value: Int64, byteCount: UInt8) {
        switch byteCount {
        case 0: break
        case 1: byte(UInt8(truncatingIfNeeded: value))
        case 2: word(UInt16(truncatingIfNeeded: value))
        case 4: long(Int32(truncatingIfNeeded: value))
        default: quad(value)
        }
    }

    // MARK: - instructions with a ModRM byte

    /// An opcode with what stands before it.
    struct Opcode {
        /// Map in bits 8-9 (0 one-byte, 1 0F, 2 0F 38, 3 0F 3A), the opcode byte in bits 0-7.
        var code: UInt16
        /// 66, F3 or F2 as a part of the opcode, else 0.
        var mandatory: UInt8 = 0
        /// 66 as the operand size.
        var is16 = false
        /// REX.W
        var is64 = false
        var locks = false
        /// Register numbers 4 to 7 are SPL to DIL: REX has to be there.
        var needsREX = false

        static func one(_ code: UInt8, is64: Bool = true) -> Opcode { Opcode(code: UInt16(code), is64: is64) }
        static func two(_ code: UInt8, is64: Bool = true) -> Opcode { Opcode(code: 0x100 | UInt16(code), is64: is64) }
    }

    @inline(__always)
    private mutating func start(_ opcode: Opcode, rex: UInt8) {
        if opcode.locks { byte(0xf0) }
        if opcode.is16 { byte(0x66) }
        if opcode.mandatory != 0 { byte(opcode.mandatory) }
        let all = rex | (opcode.is64 ? 8 : 0)
        if all != 0 || opcode.needsREX { byte(0x40 | all) }
        let map = opcode.code &>> 8
        if map != 0 {
            byte(0x0f)
            if map > 1 { byte(map == 2 ? 0x38 : 0x3a) }
        }
        byte(UInt8(truncatingIfNeeded: opcode.code))
    }

    /// reg, register.
    @inline(__always)
    mutating func emit(_ opcode: Opcode, _ reg: UInt8, _ rm: HostRegister) {
        start(opcode, rex: (reg &>> 1) & 4 | rm.number &>> 3)
        byte(0xc0 | (reg & 7) &<< 3 | rm.number & 7)
    }

    /// reg, [R10 + R11]: guest memory behind a probe.
    @inline(__always)
    mutating func emitGuestMemory(_ opcode: Opcode, _ reg: UInt8) {
        start(opcode, rex: (reg &>> 1) & 4 | 3)
        byte(0x04 | (reg & 7) &<< 3)
        byte(0x1a)
    }

    /// reg, [RSP + displacement]: the state block.
    @inline(__always)
    mutating func emitState(_ opcode: Opcode, _ reg: UInt8, _ displacement: Int) {
        start(opcode, rex: (reg &>> 1) & 4)
        if displacement < 128 {
            byte(0x44 | (reg & 7) &<< 3)
            byte(0x24)
            byte(UInt8(truncatingIfNeeded: displacement))
        } else {
            byte(0x84 | (reg & 7) &<< 3)
            byte(0x24)
            long(Int32(truncatingIfNeeded: displacement))
        }
    }

    /// reg, [RSP + index << scale + displacement].
    @inline(__always)
    mutating func emitState(_ opcode: Opcode, _ reg: UInt8, index: HostRegister, scale: UInt8, _ displacement: Int) {
        start(opcode, rex: (reg &>> 1) & 4 | (index.number &>> 2) & 2)
        byte(0x84 | (reg & 7) &<< 3)
        byte(scale &<< 6 | (index.number & 7) &<< 3 | 4)
        long(Int32(truncatingIfNeeded: displacement))
    }

    /// LEA and loads: reg, [base + index << scale + displacement]; either register may be missing.
    @inline(__always)
    mutating func emitAddress(
        _ opcode: Opcode, _ reg: UInt8, base: HostRegister?, index: HostRegister?, scale: UInt8, _ displacement: Int32
    ) {
        let baseNumber = base?.number ?? 5
        let indexNumber = index?.number ?? 4
        start(opcode, rex: (reg &>> 1) & 4 | (indexNumber &>> 2) & 2 | (base == nil ? 0 : baseNumber &>> 3))
        let low = (reg & 7) &<< 3
        if base == nil {
            byte(0x04 | low)
            byte(scale &<< 6 | (indexNumber & 7) &<< 3 | 5)
            return long(displacement)
        }
        let needsSIB = index != nil || baseNumber & 7 == 4
        let isShort = displacement == Int32(Int8(truncatingIfNeeded: displacement))
        let mod: UInt8 = displacement == 0 && baseNumber & 7 != 5 ? 0 : isShort ? 0x40 : 0x80
        byte(mod | low | (needsSIB ? 4 : baseNumber & 7))
        if needsSIB { byte(scale &<< 6 | (indexNumber & 7) &<< 3 | baseNumber & 7) }
        if mod == 0x40 { byte(UInt8(truncatingIfNeeded: displacement)) } else if mod == 0x80 { long(displacement) }
    }

    // MARK: - what translated code is made of

    @inline(__always)
    mutating func move(_ to: HostRegister, _ from: HostRegister) { emit(.one(0x8b), to.number, from) }

    @inline(__always)
    mutating func loadState(_ to: HostRegister, _ displacement: Int) { emitState(.one(0x8b), to.number, displacement) }

    @inline(__always)
    mutating func storeState(_ displacement: Int, _ from: HostRegister) { emitState(.one(0x89), from.number, displacement) }

    /// MOV DWORD [RSP + displacement], value.
    mutating func storeState32(_ displacement: Int, _ value: UInt32) {
        emitState(.one(0xc7, is64: false), 0, displacement)
        long(Int32(bitPattern: value))
    }

    /// LEA register, [register + displacement]: adds without touching flags.
    @inline(__always)
    mutating func add(_ to: HostRegister, _ from: HostRegister, _ displacement: Int32) {
        emitAddress(.one(0x8d), to.number, base: from, index: nil, scale: 0, displacement)
    }

    /// MOV register, sign-extended 32 bits.
    mutating func loadImmediate(_ to: HostRegister, _ value: Int64) {
        if value == Int64(Int32(truncatingIfNeeded: value)) {
            emit(.one(0xc7), 0, to)
            long(Int32(truncatingIfNeeded: value))
        } else {
            byte(0x48 | to.number &>> 3)
            byte(0xb8 | to.number & 7)
            quad(value)
        }
    }

    /// MOV r32, value.
    mutating func loadImmediate32(_ to: HostRegister, _ value: UInt32) {
        if to.number >= 8 { byte(0x41) }
        byte(0xb8 | to.number & 7)
        long(Int32(bitPattern: value))
    }

    /// ADD OR ADC SBB AND SUB XOR CMP by their number, 64 bits with a 32-bit immediate.
    @inline(__always)
    mutating func arithmetic(_ operation: UInt8, _ register: HostRegister, _ value: Int32, is64: Bool = true) {
        if value == Int32(Int8(truncatingIfNeeded: value)) {
            emit(.one(0x83, is64: is64), operation, register)
            byte(UInt8(truncatingIfNeeded: value))
        } else {
            emit(.one(0x81, is64: is64), operation, register)
            long(value)
        }
    }

    // MARK: - jumps

    /// Jcc or JMP with a displacement to be filled in.
    ///
    /// - Returns: where the displacement is.
    @inline(__always)
    mutating func jump(_ condition: UInt8?) -> Int {
        if let condition { bytes(0x0f, 0x80 | condition & 15) } else { byte(0xe9) }
        long(0)
        return position &- 4
    }

    /// Fills in a displacement so that the jump leads to `target`.
    @inline(__always)
    func patch(_ at: Int, to target: Int) {
        unsafe base.storeBytes(of: Int32(truncatingIfNeeded: target &- at &- 4), toByteOffset: at, as: Int32.self)
    }

    @inline(__always)
    mutating func jump(to target: Int) {
        byte(0xe9)
        long(Int32(truncatingIfNeeded: target &- position &- 4))
    }

    @inline(__always)
    mutating func jump(_ condition: UInt8, to target: Int) {
        bytes(0x0f, 0x80 | condition & 15)
        long(Int32(truncatingIfNeeded: target &- position &- 4))
    }

    @inline(__always)
    mutating func call(_ target: Int) {
        byte(0xe8)
        long(Int32(truncatingIfNeeded: target &- position &- 4))
    }
}
