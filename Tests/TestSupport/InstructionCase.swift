/// One program, mostly a single instruction, with the state it starts from and what of its end is architecture.
public struct InstructionCase: Sendable {
    public var name: String
    public var code: [UInt8]
    public var state: MachineState
    public var memory: [UInt8]
    public var mode: HostCPU.Mode = .bits64
    /// Bits of RFLAGS that the architecture leaves undefined afterwards.
    public var undefinedFlags: UInt64 = 0
    /// Bits of the x87 status word that are undefined afterwards.
    public var undefinedStatus: UInt16 = 0
    /// By how many units in the last place an x87 result may differ (transcendental functions).
    public var x87Tolerance: UInt64 = 0
}

extension InstructionCase {
    /// A program of 64-bit code after which everything is defined.
    public init(name: String, code: [UInt8], startingFrom state: MachineState, memory: [UInt8]) {
        self.init(name: name, code: code, state: state, memory: memory, mode: .bits64)
    }
}

/// Families of instructions, so that a failing test says what broke.
public enum InstructionGroup: String, CaseIterable, Sendable {
    case arithmetic, shifts, multiplyDivide, bits, moves, conditional, exchange, strings, stack, flags, bmi
    case sseFloat, sseConvert, sseInteger, sseMoves, crypto, mmx, x87, x87Transcendental, legacy32
    /// Runs of register instructions that hand flags to each other.
    case sequences
    /// Memory operands across the ends of the data pages and at non-canonical addresses: #PF, #GP, #SS, and what a string
    /// instruction has done before them.
    case faults
}

enum Flag {
    static let c: UInt64 = 1
    static let p: UInt64 = 4
    static let a: UInt64 = 0x10
    static let z: UInt64 = 0x40
    static let s: UInt64 = 0x80
    static let o: UInt64 = 0x800
    static let all: UInt64 = 0x8d5
}

/// Random instructions of one group with operands that stay inside the data pages. The seed names the whole sequence.
///
/// An engine under test runs them at CPL 3 with IF set, flat segments, CR4.OSFXSR and OSXMMEXCPT, CR0.NE, alignment
/// checking off, and nothing mapped but code and data (``HostCPU`` has the addresses).
public struct InstructionCases: Sendable {
    public let group: InstructionGroup
    var random: SeededRandom
    var memory: [UInt8]
    /// The case being built.
    var current: InstructionCase
    /// Registers whose value matters, so that no address may be put there.
    var pinned: Set<Int> = []

    /// Whether memory operands are put where they fault.
    var seeksFaults = false

    public init(_ group: InstructionGroup, seed: UInt64) {
        self.group = group
        random = SeededRandom(seed: seed)
        memory = []
        for _ in 0..<HostCPU.dataByteCount { memory.append(random.byte()) }
        current = InstructionCase(name: group.rawValue, code: [], state: MachineState(), memory: memory)
    }

    /// The next case of the endless sequence.
    public mutating func next() -> InstructionCase {
        current = InstructionCase(name: group.rawValue, code: [], state: MachineState(), memory: memory)
        pinned = []
        for index in 0..<16 { current.state.gpr[index] = random.integer() }
        current.state.rflags = random.flags()
        makeProgram()
        if current.mode == .bits32 {
            for index in 0..<16 { current.state.gpr[index] = index < 8 ? current.state.gpr[index] & 0xffff_ffff : 0 }
        }
        return current
    }

    private mutating func makeProgram() {
        switch group {
        case .arithmetic: makeArithmetic()
        case .shifts: makeShift()
        case .multiplyDivide: makeMultiplyDivide()
        case .bits: makeBitOperation()
        case .moves: makeMove()
        case .conditional: makeConditional()
        case .exchange: makeExchange()
        case .strings: makeString()
        case .stack: makeStackOperation()
        case .flags: makeFlagOperation()
        case .bmi: makeBitManipulation()
        case .sseFloat: makeVectorFloat()
        case .sseConvert: makeConversion()
        case .sseInteger: makeVectorInteger()
        case .sseMoves: makeVectorMove()
        case .crypto: makeCryptography()
        case .mmx: makeMMX()
        case .x87: makeX87()
        case .x87Transcendental: makeTranscendental()
        case .legacy32: makeLegacy()
        case .sequences: makeSequence()
        case .faults: makeFault()
        }
    }

    // MARK: Pieces that groups share

    var is64: Bool { current.mode == .bits64 }

    mutating func register() -> Int { random.below(is64 ? 16 : 8) }

    mutating func width() -> Int { random.pick(is64 ? [1, 2, 4, 8] : [1, 2, 4]) }

    /// Gives a register a value that must stay.
    mutating func pin(_ register: Int, _ value: UInt64) {
        current.state.gpr[register] = value
        pinned.insert(register)
    }

    mutating func pin(_ register: Int) { pinned.insert(register) }

    /// `count` bytes of an immediate, edges preferred.
    mutating func immediate(_ count: Int) -> [UInt8] {
        let value = random.integer()
        return (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64($0 * 8)) }
    }

    /// Stores values into the data pages.
    mutating func fill(at offset: Int, _ values: [UInt64]) {
        for (index, value) in values.enumerated() {
            for byte in 0..<8 where current.memory.indices.contains(offset + index * 8 + byte) {
                current.memory[offset + index * 8 + byte] = UInt8(truncatingIfNeeded: value >> UInt64(byte * 8))
            }
        }
    }
}
