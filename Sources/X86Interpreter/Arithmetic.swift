internal import X86

/// A two-operand instruction of the arithmetic and logic group: what it makes of its operands and of the flags.
protocol BinaryOperation {
    static func apply<T: OperandWord>(_ core: Core, _ a: T, _ b: T) -> T
    /// False for CMP and TEST, which only set flags.
    static var writes: Bool { get }
}

extension Core {
    /// Aligns a vector of carries so that the carry out of the operand's top bit is bit 63.
    @inline(__always)
    private func align<T: OperandWord>(_ carries: T) -> UInt64 {
        UInt64(truncatingIfNeeded: carries) &<< UInt64(truncatingIfNeeded: 64 &- T.bitWidth)
    }

    /// Flags of `sum = a + b (+ carry)`: bit n of the carry vector is the carry out of bit n.
    @inline(__always)
    func setAddFlags<T: OperandWord>(_ a: T, _ b: T, _ sum: T) {
        setResultFlags(sum)
        s.carries = align((a & b) | ((a | b) & ~sum))
        s.auxiliary = UInt64(truncatingIfNeeded: a ^ b ^ sum)
    }

    /// Flags of `difference = a - b (- borrow)`.
    @inline(__always)
    func setSubtractFlags<T: OperandWord>(_ a: T, _ b: T, _ difference: T) {
        setResultFlags(difference)
        s.carries = align((~a & b) | ((~a | b) & difference))
        s.auxiliary = UInt64(truncatingIfNeeded: a ^ b ^ difference)
    }

    /// Flags of AND, OR, XOR and TEST: CF and OF clear.
    @inline(__always)
    func setLogicFlags<T: OperandWord>(_ result: T) {
        setResultFlags(result)
        s.carries = 0
        s.auxiliary = 0
    }

    /// INC: as ADD 1, but CF stays.
    @inline(__always)
    func increment<T: OperandWord>(_ a: T) -> T {
        let carry = carryFlag
        let mostNegative: T = 1 &<< T(truncatingIfNeeded: T.bitWidth &- 1)
        let result = a &+ 1
        setResultFlags(result)
        setCarryOverflow(carry: carry, overflow: result == mostNegative)
        s.auxiliary = UInt64(truncatingIfNeeded: a ^ 1 ^ result)
        return result
    }

    /// DEC: as SUB 1, but CF stays.
    @inline(__always)
    func decrement<T: OperandWord>(_ a: T) -> T {
        let carry = carryFlag
        let mostNegative: T = 1 &<< T(truncatingIfNeeded: T.bitWidth &- 1)
        let result = a &- 1
        setResultFlags(result)
        setCarryOverflow(carry: carry, overflow: a == mostNegative)
        s.auxiliary = UInt64(truncatingIfNeeded: a ^ 1 ^ result)
        return result
    }

    @inline(__always)
    func negate<T: OperandWord>(_ a: T) -> T {
        Subtract.apply(self, 0, a)
    }
}

enum Add: BinaryOperation {
    static let writes = true
    @inline(__always)
    static func apply<T: OperandWord>(_ core: Core, _ a: T, _ b: T) -> T {
        let sum = a &+ b
        core.setAddFlags(a, b, sum)
        return sum
    }
}

enum AddWithCarry: BinaryOperation {
    static let writes = true
    @inline(__always)
    static func apply<T: OperandWord>(_ core: Core, _ a: T, _ b: T) -> T {
        let sum = a &+ b &+ (core.carryFlag ? 1 : 0)
        core.setAddFlags(a, b, sum)
        return sum
    }
}

enum Subtract: BinaryOperation {
    static let writes = true
    @inline(__always)
    static func apply<T: OperandWord>(_ core: Core, _ a: T, _ b: T) -> T {
        let difference = a &- b
        core.setSubtractFlags(a, b, difference)
        return difference
    }
}

enum SubtractWithBorrow: BinaryOperation {
    static let writes = true
    @inline(__always)
    static func apply<T: OperandWord>(_ core: Core, _ a: T, _ b: T) -> T {
        let difference = a &- b &- (core.carryFlag ? 1 : 0)
        core.setSubtractFlags(a, b, difference)
        return difference
    }
}

enum Compare: BinaryOperation {
    static let writes = false
    @inline(__always)
    static func apply<T: OperandWord>(_ core: Core, _ a: T, _ b: T) -> T {
        Subtract.apply(core, a, b)
    }
}

enum And: BinaryOperation {
    static let writes = true
    @inline(__always)
    static func apply<T: OperandWord>(_ core: Core, _ a: T, _ b: T) -> T {
        core.setLogicFlags(a & b)
        return a & b
    }
}

enum Or: BinaryOperation {
    static let writes = true
    @inline(__always)
    static func apply<T: OperandWord>(_ core: Core, _ a: T, _ b: T) -> T {
        core.setLogicFlags(a | b)
        return a | b
    }
}

enum ExclusiveOr: BinaryOperation {
    static let writes = true
    @inline(__always)
    static func apply<T: OperandWord>(_ core: Core, _ a: T, _ b: T) -> T {
        core.setLogicFlags(a ^ b)
        return a ^ b
    }
}

enum Test: BinaryOperation {
    static let writes = false
    @inline(__always)
    static func apply<T: OperandWord>(_ core: Core, _ a: T, _ b: T) -> T {
        And.apply(core, a, b)
    }
}

/// The operand forms of two-operand instructions. Rows in these forms hold byte offsets instead of register numbers where
/// the operands are bytes (see `lower`).
extension Core {
    @inline(__always)
    func hotRegister<T: OperandWord>(_ field: UInt8, as: T.Type) -> T {
        if T.self == UInt8.self { return T(truncatingIfNeeded: byte(atOffset: field)) }
        return register(Int(truncatingIfNeeded: field), as: T.self)
    }

    @inline(__always)
    func setHotRegister<T: OperandWord>(_ field: UInt8, _ value: T) {
        if T.self == UInt8.self { return setByte(atOffset: field, UInt8(truncatingIfNeeded: value)) }
        setRegister(Int(truncatingIfNeeded: field), value)
    }

    /// rm (register) op= reg.
    @inline(__always)
    func registerRegister<T: OperandWord, O: BinaryOperation>(_ i: InstructionRef, _: T.Type, _: O.Type) {
        let result = O.apply(self, hotRegister(i.rm, as: T.self), hotRegister(i.reg, as: T.self))
        if O.writes { setHotRegister(i.rm, result) }
    }

    /// reg op= memory.
    @inline(__always)
    func registerMemory<T: OperandWord, O: BinaryOperation>(_ i: InstructionRef, _: T.Type, _: O.Type) throws(GuestFault) {
        let operand = try loadOperand(i, as: T.self)
        let result = O.apply(self, hotRegister(i.reg, as: T.self), operand)
        if O.writes { setHotRegister(i.reg, result) }
    }

    /// memory op= reg.
    @inline(__always)
    func memoryRegister<T: OperandWord, O: BinaryOperation>(_ i: InstructionRef, _: T.Type, _: O.Type) throws(GuestFault) {
        let operand = hotRegister(i.reg, as: T.self)
        if O.writes {
            try modifyOperand(i, as: T.self) { O.apply(self, $0, operand) }
        } else {
            _ = O.apply(self, try loadOperand(i, as: T.self), operand)
        }
    }

    /// rm (register) op= immediate.
    @inline(__always)
    func registerImmediate<T: OperandWord, O: BinaryOperation>(_ i: InstructionRef, _: T.Type, _: O.Type) {
        let result = O.apply(self, hotRegister(i.rm, as: T.self), T(truncatingIfNeeded: i.immediate))
        if O.writes { setHotRegister(i.rm, result) }
    }

    /// memory op= immediate.
    @inline(__always)
    func memoryImmediate<T: OperandWord, O: BinaryOperation>(_ i: InstructionRef, _: T.Type, _: O.Type) throws(GuestFault) {
        let operand = T(truncatingIfNeeded: i.immediate)
        if O.writes {
            try modifyOperand(i, as: T.self) { O.apply(self, $0, operand) }
        } else {
            _ = O.apply(self, try loadOperand(i, as: T.self), operand)
        }
    }
}
