internal import X86

/// The default operand and address size of the code segment being decoded.
public enum CodeSize: UInt8, BitwiseCopyable, Sendable {
    case bits16 = 0
    case bits32 = 1
    case bits64 = 2
}

/// One decoded instruction: 32 flat bytes, the same for every instruction, so that a block of them is one array.
///
/// The decoder fills in everything but `code`; an engine chooses `code` when it takes the instruction into a block.
/// `opcode` names the instruction: map in bits 8-9 (0 one-byte, 1 0F, 2 0F 38, 3 0F 3A), the opcode byte in bits 0-7.
///
/// An effective address in 64-bit code is `file[base] + file[index] << scale + displacement + file[segmentBase]`, where
/// `file` is the register file: slots 0-15 the GPRs, and the constant slots of ``RegisterFile``. RIP-relative operands use
/// base ``RegisterFile/blockRIP`` with the displacement already relative to the start of the block.
public struct Instruction: BitwiseCopyable, Sendable {
    /// The engine's own dispatch code.
    public var code: UInt16 = 0
    public var opcode: UInt16 = 0
    public var flags: Flags = []
    /// Distance of the instruction from the start of its block, in bytes.
    public var offset: UInt16 = 0
    /// Sign-extended displacement; for relative branches unused (see `immediate`).
    public var displacement: Int32 = 0
    /// 1 to 15.
    public var length: UInt8 = 0
    /// 2, 4 or 8: the effective operand size. Byte forms of an instruction are told by their opcode, not by this field.
    /// Of SSE instructions, where 66 selects the instruction, 8 with REX.W and 4 without. Near branches in 64-bit code have 8
    /// even with 66 (as Intel's processors).
    public var operandSize: UInt8 = 0
    /// ModRM.reg with REX.R, 0-15. Of one-byte opcodes with the register in the opcode (PUSH r, MOV r,imm, BSWAP …) the
    /// register with REX.B is in `rm` and the instruction counts as a register form.
    public var reg: UInt8 = 0
    /// ModRM.rm with REX.B, 0-15, of register forms.
    public var rm: UInt8 = 0
    /// Register-file slot of the base, ``RegisterFile/zero`` when there is none.
    public var base: UInt8 = RegisterFile.zero
    /// Register-file slot of the index, ``RegisterFile/zero`` when there is none.
    public var index: UInt8 = RegisterFile.zero
    /// Shift of the index, 0-3.
    public var scale: UInt8 = 0
    /// Segment of the memory operand by encoding (0 ES … 5 GS), overrides and the SS default of stack bases applied.
    public var segment: UInt8 = 3
    /// Register-file slot of the segment base: ``RegisterFile/zero`` in 64-bit code unless FS or GS; else 18 + `segment`.
    /// LEA always has ``RegisterFile/zero``.
    public var segmentBase: UInt8 = RegisterFile.zero
    /// VEX.vvvv, not inverted, when `flags` has `.vex`.
    public var vvvv: UInt8 = 0
    /// The raw ModRM byte, for instructions that are told apart by it; 0 when there is none.
    public var modRM: UInt8 = 0
    /// Decoding context: which `CodeSize` the instruction was decoded for.
    public var codeSize: CodeSize = .bits64
    /// The immediate, sign-extended to 64 bits as the instruction demands; the branch displacement of relative branches;
    /// the absolute offset of MOV moffs (zero-extended). Two immediates: ENTER has imm16 in bits 0-15 and imm8 in 16-23;
    /// far pointers have the offset in bits 0-31 and the selector in 32-47.
    public var immediate: Int64 = 0

    public init() {}

    /// Its members are computed, so that engines in other modules see constants: they are read for every operand.
    public struct Flags: OptionSet, BitwiseCopyable, Sendable {
        public let rawValue: UInt16
        @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// The ModRM operand is in memory (or, for MOV moffs, XLAT and string instructions, there is a memory operand; of
        /// strings `segment` is that of the source). MASKMOVQ and MASKMOVDQU are register forms with `segment` filled in.
        @inlinable public static var memory: Flags { Flags(rawValue: 1 << 0) }
        @inlinable public static var lock: Flags { Flags(rawValue: 1 << 1) }
        /// F3 (REP, REPE, or a mandatory prefix).
        @inlinable public static var rep: Flags { Flags(rawValue: 1 << 2) }
        /// F2 (REPNE, or a mandatory prefix).
        @inlinable public static var repne: Flags { Flags(rawValue: 1 << 3) }
        /// 66 was present (a mandatory prefix, or operand size).
        @inlinable public static var operandPrefix: Flags { Flags(rawValue: 1 << 4) }
        @inlinable public static var rexW: Flags { Flags(rawValue: 1 << 5) }
        /// Any REX prefix was in effect: byte registers 4-7 are SPL, BPL, SIL, DIL instead of AH, CH, DH, BH.
        @inlinable public static var rex: Flags { Flags(rawValue: 1 << 6) }
        @inlinable public static var vex: Flags { Flags(rawValue: 1 << 7) }
        @inlinable public static var vexL: Flags { Flags(rawValue: 1 << 8) }
        /// The effective address is cut to 16 bits before the segment base is added. Set, like `address32`, by the address
        /// size in effect whether or not there is a memory operand: LOOP, JCXZ and strings take their counter's size here.
        @inlinable public static var address16: Flags { Flags(rawValue: 1 << 9) }
        /// The effective address is cut to 32 bits before the segment base is added.
        @inlinable public static var address32: Flags { Flags(rawValue: 1 << 10) }
        /// The encoding has a ModRM byte.
        @inlinable public static var hasModRM: Flags { Flags(rawValue: 1 << 11) }
        /// Executing it raises #UD: not a defined encoding, or UD0, UD1, UD2. Only the length is sure, and it need not
        /// span what a processor that knows the encoding would read.
        @inlinable public static var invalid: Flags { Flags(rawValue: 1 << 12) }
        /// It may end a block: it can change RIP, the mode, paging, or whether interrupts are open.
        @inlinable public static var endsBlock: Flags { Flags(rawValue: 1 << 13) }
        /// The memory operand needs the slow address path: not 64-bit code, or address16/address32.
        @inlinable public static var slowAddress: Flags { Flags(rawValue: 1 << 14) }
    }
}

/// Slots of the register file that effective addresses are made of.
public enum RegisterFile {
    /// RIP of the first instruction of the running block.
    public static let blockRIP: UInt8 = 16
    /// Always zero.
    public static let zero: UInt8 = 17
    /// Bases of ES, CS, SS, DS, FS, GS in slots 18-23.
    public static let segmentBases: UInt8 = 18
    public static let fsBase: UInt8 = 22
    public static let gsBase: UInt8 = 23
    public static let count = 24
}
