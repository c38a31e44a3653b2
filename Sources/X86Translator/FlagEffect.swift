internal import X86Decoder

/// Sets of arithmetic flags, as small bit sets that liveness is computed with.
enum FlagSet {
    static let carry: UInt8 = 1
    static let parity: UInt8 = 2
    static let auxiliary: UInt8 = 4
    static let zero: UInt8 = 8
    static let sign: UInt8 = 16
    static let overflow: UInt8 = 32
    static let none: UInt8 = 0
    static let all: UInt8 = 63

    /// What a condition (SDM vol. 2, appendix B.1.4.7) looks at.
    static func read(by condition: UInt8) -> UInt8 {
        switch condition & 0xe {
        case 0x0: overflow
        case 0x2: carry
        case 0x4: zero
        case 0x6: carry | zero
        case 0x8: sign
        case 0xa: parity
        case 0xc: sign | overflow
        default: zero | sign | overflow
        }
    }
}

/// What an instruction does with the arithmetic flags.
struct FlagEffect {
    /// Flags whose values it uses.
    var reads: UInt8 = 0
    /// Flags that it writes whatever happens. Those that it leaves undefined count as written.
    var kills: UInt8 = 0
    /// Whether it writes any flag at all, under some condition.
    var writes = false

    static let none = FlagEffect()
    static let killsAll = FlagEffect(kills: FlagSet.all, writes: true)

    /// ADD OR ADC SBB AND SUB XOR CMP by their number.
    static func arithmetic(_ operation: UInt8) -> FlagEffect {
        operation == 2 || operation == 3 ? FlagEffect(reads: FlagSet.carry, kills: FlagSet.all, writes: true) : killsAll
    }

    static let increment = FlagEffect(kills: FlagSet.all & ~FlagSet.carry, writes: true)

    /// ROL ROR RCL RCR SHL SHR SAL SAR by their number; `count` is nil where CL holds it.
    static func shift(_ operation: UInt8, count: UInt8?) -> FlagEffect {
        let reads = operation == 2 || operation == 3 ? FlagSet.carry : FlagSet.none
        guard let count else { return FlagEffect(reads: reads, writes: true) }
        if count == 0 { return .none }
        let kills = operation < 4 ? FlagSet.carry | FlagSet.overflow : FlagSet.all
        return FlagEffect(reads: reads, kills: kills, writes: true)
    }

    static func doubleShift(count: UInt8?) -> FlagEffect {
        guard let count else { return FlagEffect(writes: true) }
        return count == 0 ? .none : .killsAll
    }

    static func condition(_ code: UInt8) -> FlagEffect { FlagEffect(reads: FlagSet.read(by: code)) }
    static let setsCarry = FlagEffect(kills: FlagSet.carry, writes: true)
    static let complementsCarry = FlagEffect(reads: FlagSet.carry, kills: FlagSet.carry, writes: true)
    static let setsOverflowFromIt = FlagEffect(reads: FlagSet.overflow, kills: FlagSet.overflow, writes: true)
    static let setsZero = FlagEffect(kills: FlagSet.zero, writes: true)
    static let loadsAH = FlagEffect(reads: FlagSet.all & ~FlagSet.overflow)
    static let storesAH = FlagEffect(kills: FlagSet.all & ~FlagSet.overflow, writes: true)
}
