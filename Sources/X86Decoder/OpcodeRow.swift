/// One cell of ``OpcodeTables``, unpacked into bits so that decoding reads one word.
struct OpcodeRow: BitwiseCopyable {
    /// What follows the opcode, the ModRM byte and the displacement.
    enum Immediate: UInt8 {
        case none, signedByte, byte, word, full, wordOrLong, enter, farPointer, offset, shortBranch, nearBranch
    }

    private(set) var bits: UInt32 = 0

    private static let modRM: UInt32 = 1 << 0
    private static let memoryOnly: UInt32 = 1 << 1
    private static let registerOnly: UInt32 = 1 << 2
    private static let ignoresMod: UInt32 = 1 << 3
    private static let registerInOpcode: UInt32 = 1 << 4
    private static let implicitMemory: UInt32 = 1 << 5
    private static let defaults64: UInt32 = 1 << 6
    private static let forces64: UInt32 = 1 << 7
    private static let not64: UInt32 = 1 << 8
    private static let endsBlock: UInt32 = 1 << 9
    private static let lockable: UInt32 = 1 << 10
    private static let undefined: UInt32 = 1 << 11
    private static let selected: UInt32 = 1 << 12
    private static let prefixShift: UInt32 = 13
    private static let immediateShift: UInt32 = 17
    private static let groupShift: UInt32 = 21

    var hasModRM: Bool { bits & Self.modRM != 0 }
    var isMemoryOnly: Bool { bits & Self.memoryOnly != 0 }
    var isRegisterOnly: Bool { bits & Self.registerOnly != 0 }
    var ignoresMod: Bool { bits & Self.ignoresMod != 0 }
    var hasRegisterInOpcode: Bool { bits & Self.registerInOpcode != 0 }
    var hasImplicitMemory: Bool { bits & Self.implicitMemory != 0 }
    var defaultsTo64: Bool { bits & Self.defaults64 != 0 }
    var forces64: Bool { bits & Self.forces64 != 0 }
    var isNotFor64: Bool { bits & Self.not64 != 0 }
    var endsBlock: Bool { bits & Self.endsBlock != 0 }
    var isLockable: Bool { bits & Self.lockable != 0 }
    var isUndefined: Bool { bits & Self.undefined != 0 }
    /// 66, F2 and F3 choose the instruction; 66 is not an operand size.
    var isSelectedByPrefix: Bool { bits & Self.selected != 0 }
    /// The prefixes (see ``PrefixSet``) under which the opcode exists, when `isSelectedByPrefix`.
    var prefixes: UInt8 { UInt8(truncatingIfNeeded: bits >> Self.prefixShift) & 15 }
    var immediate: Immediate { Immediate(rawValue: UInt8(truncatingIfNeeded: bits >> Self.immediateShift) & 15) ?? .none }
    /// The character of the group, 0 when there is none.
    var group: UInt8 { UInt8(truncatingIfNeeded: bits >> Self.groupShift) }

    /// Anything beyond the plain reading: the decoder's common path tests this word once.
    var isSpecial: Bool {
        bits
            & ~(Self.modRM | Self.registerInOpcode | Self.lockable | Self.endsBlock | Self.defaults64 | Self.forces64
            | Self.implicitMemory | (15 << Self.immediateShift)) != 0
    }

    init(form: UInt8, rule: UInt8) {
        if form == ascii("_") || form == ascii("p") && rule == ascii("p") {
            bits = Self.undefined
        } else {
            setForm(form)
            setRule(rule)
        }
    }

    private mutating func setForm(_ form: UInt8) {
        switch form {
        case ascii("M"): set(Self.modRM, .none)
        case ascii("D"): set(Self.modRM | Self.registerOnly, .none)
        case ascii("A"): set(Self.modRM | Self.memoryOnly, .none)
        case ascii("R"): set(Self.modRM | Self.ignoresMod, .none)
        case ascii("B"): set(Self.modRM, .signedByte)
        case ascii("U"): set(Self.modRM, .byte)
        case ascii("Z"): set(Self.modRM, .wordOrLong)
        case ascii("E"): set(Self.modRM | Self.registerOnly, .byte)
        case ascii("r"): set(Self.registerInOpcode, .none)
        case ascii("i"): set(Self.registerInOpcode, .byte)
        case ascii("v"): set(Self.registerInOpcode, .full)
        case ascii("b"): set(0, .signedByte)
        case ascii("u"): set(0, .byte)
        case ascii("w"): set(0, .word)
        case ascii("z"): set(0, .wordOrLong)
        case ascii("e"): set(0, .enter)
        case ascii("p"): set(0, .farPointer)
        case ascii("o"): set(Self.implicitMemory, .offset)
        case ascii("s"): set(Self.implicitMemory, .none)
        case ascii("j"): set(0, .shortBranch)
        case ascii("J"): set(0, .nearBranch)
        default: break
        }
    }

    private mutating func setRule(_ rule: UInt8) {
        switch rule {
        case ascii("-"): break
        case ascii("i"): bits |= Self.not64
        case ascii("l"): bits |= Self.lockable
        case ascii("e"): bits |= Self.endsBlock
        case ascii("f"): bits |= Self.endsBlock | Self.forces64
        case ascii("t"): bits |= Self.endsBlock | Self.not64
        case ascii("y"): bits |= Self.endsBlock | Self.defaults64
        case ascii("d"): bits |= Self.defaults64
        case ascii("x"): bits |= Self.undefined
        case ascii("1")...ascii("9"): select(rule - ascii("0"))
        case ascii("A")...ascii("F"): select(rule - ascii("A") + 10)
        default: bits |= UInt32(rule) << Self.groupShift
        }
    }

    private mutating func select(_ prefixes: UInt8) {
        bits |= Self.selected | UInt32(prefixes) << Self.prefixShift
    }

    private mutating func set(_ flags: UInt32, _ immediate: Immediate) {
        bits |= flags | UInt32(immediate.rawValue) << Self.immediateShift
    }
}

extension OpcodeTables {
    /// All four maps, 256 rows each, unpacked once.
    static let rows: InlineArray<1024, OpcodeRow> = {
        var rows = InlineArray<1024, OpcodeRow>(repeating: OpcodeRow(form: ascii("_"), rule: ascii("_")))
        for (map, text) in [oneByte, map0F, map0F38, map0F3A].enumerated() {
            precondition(text.utf8CodeUnitCount == 256 * 3 - 1, "opcode map \(map) does not have 256 cells")
            text.withUTF8Buffer { cells in
                for opcode in 0..<256 {
                    unsafe rows[map * 256 + opcode] = OpcodeRow(form: cells[opcode * 3], rule: cells[opcode * 3 + 1])
                }
            }
        }
        return rows
    }()
}

/// The prefix that selects an SSE instruction, as the bit of an opcode's set.
enum PrefixSet {
    static let none: UInt8 = 1
    static let h66: UInt8 = 2
    static let hF3: UInt8 = 4
    static let hF2: UInt8 = 8
}

@inline(__always)
func ascii(_ character: Unicode.Scalar) -> UInt8 { UInt8(truncatingIfNeeded: character.value) }
