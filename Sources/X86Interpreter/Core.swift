internal import GuestMemory
internal import Synchronization
internal import VirtualCPU
internal import X86
internal import X86Decoder

/// The vCPU as instructions see it: a pointer to its registers and state, cheap to pass, with checked-by-construction access.
///
/// Layout of the memory behind it, in bytes:
///
///        0  register file: 16 GPRs, block RIP, zero, six segment bases (24 x 8)
///      256  XMM0-15 (16 x 16)
///      512  x87 registers by physical number (8 x 16: significand, sign and exponent)
///      640  ES CS SS DS FS GS LDTR TR with their hidden parts (8 x 16)
///      768  words of translated code
///     1020  not zero: something waits for the next instruction boundary (32 bits, written by other threads too)
///     1024  CPUState
@safe
struct Core {
    let base: UnsafeMutableRawPointer
    /// The object this belongs to: memory, environment, block cache.
    let context: Unmanaged<InterpreterContext>

    static let xmmOffset = 256
    static let x87Offset = 512
    static let segmentOffset = 640
    static let attentionOffset = 1020
    static let stateOffset = 1024
    static let byteCount = stateOffset + 1024

    @inline(__always)
    var s: CPUState {
        unsafeAddress { unsafe UnsafePointer((base + Core.stateOffset).assumingMemoryBound(to: CPUState.self)) }
        nonmutating unsafeMutableAddress { unsafe (base + Core.stateOffset).assumingMemoryBound(to: CPUState.self) }
    }

    @inline(__always)
    var shared: InterpreterContext { unsafe context._withUnsafeGuaranteedRef { $0 } }

    // MARK: - registers

    /// A slot of the register file; `slot` is at most 31 by construction of the decoder's rows.
    @inline(__always)
    func file(_ slot: Int) -> UInt64 {
        unsafe base.load(fromByteOffset: (slot & 31) &* 8, as: UInt64.self)
    }

    @inline(__always)
    func setFile(_ slot: Int, _ value: UInt64) {
        unsafe base.storeBytes(of: value, toByteOffset: (slot & 31) &* 8, as: UInt64.self)
    }

    /// The low part of a GPR. For bytes this is AL, CL … R15B, SPL for 4: see ``byteRegister(_:_:)`` for AH and friends.
    @inline(__always)
    func register<T: OperandWord>(_ number: Int, as: T.Type) -> T {
        unsafe base.load(fromByteOffset: (number & 15) &* 8, as: T.self)
    }

    /// Writes a GPR: 32 bits clear the upper half, 8 and 16 bits keep it.
    @inline(__always)
    func setRegister<T: OperandWord>(_ number: Int, _ value: T) {
        if T.self == UInt32.self {
            unsafe base.storeBytes(of: UInt64(truncatingIfNeeded: value), toByteOffset: (number & 15) &* 8, as: UInt64.self)
        } else {
            unsafe base.storeBytes(of: value, toByteOffset: (number & 15) &* 8, as: T.self)
        }
    }

    /// Byte offset in the register file of byte register `number`: 4-7 are AH, CH, DH, BH unless a REX prefix was there.
    @inline(__always)
    static func byteOffset(_ number: UInt8, rex: Bool) -> UInt8 {
        number >= 4 && number < 8 && !rex ? (number &- 4) &* 8 &+ 1 : number &* 8
    }

    @inline(__always)
    func byte(atOffset offset: UInt8) -> UInt8 {
        unsafe base.load(fromByteOffset: Int(truncatingIfNeeded: offset & 127), as: UInt8.self)
    }

    @inline(__always)
    func setByte(atOffset offset: UInt8, _ value: UInt8) {
        unsafe base.storeBytes(of: value, toByteOffset: Int(truncatingIfNeeded: offset & 127), as: UInt8.self)
    }

    /// A byte register as encoded, AH and friends included.
    @inline(__always)
    func byteRegister(_ number: UInt8, _ i: InstructionRef) -> UInt8 {
        byte(atOffset: Core.byteOffset(number, rex: i.flags.contains(.rex)))
    }

    @inline(__always)
    func setByteRegister(_ number: UInt8, _ i: InstructionRef, _ value: UInt8) {
        setByte(atOffset: Core.byteOffset(number, rex: i.flags.contains(.rex)), value)
    }

    @inline(__always) var rax: UInt64 {
        get { file(0) }
        nonmutating set { setFile(0, newValue) }
    }
    @inline(__always) var rcx: UInt64 {
        get { file(1) }
        nonmutating set { setFile(1, newValue) }
    }
    @inline(__always) var rdx: UInt64 {
        get { file(2) }
        nonmutating set { setFile(2, newValue) }
    }
    @inline(__always) var rbx: UInt64 {
        get { file(3) }
        nonmutating set { setFile(3, newValue) }
    }
    @inline(__always) var rsp: UInt64 {
        get { file(4) }
        nonmutating set { setFile(4, newValue) }
    }
    @inline(__always) var rbp: UInt64 {
        get { file(5) }
        nonmutating set { setFile(5, newValue) }
    }
    @inline(__always) var rsi: UInt64 {
        get { file(6) }
        nonmutating set { setFile(6, newValue) }
    }
    @inline(__always) var rdi: UInt64 {
        get { file(7) }
        nonmutating set { setFile(7, newValue) }
    }

    /// RIP of the first instruction of the running block.
    @inline(__always) var blockRIP: UInt64 {
        get { file(16) }
        nonmutating set { setFile(16, newValue) }
    }
    /// RIP of an instruction of the running block.
    @inline(__always) func instructionRIP(_ i: InstructionRef) -> UInt64 { wrapRIP(blockRIP &+ UInt64(truncatingIfNeeded: i.offset)) }
    /// RIP of the instruction after it.
    @inline(__always) func nextRIP(_ i: InstructionRef) -> UInt64 {
        wrapRIP(blockRIP &+ UInt64(truncatingIfNeeded: i.offset) &+ UInt64(truncatingIfNeeded: i.length))
    }

    /// Cuts an instruction pointer to the width of the current code segment.
    @inline(__always)
    func wrapRIP(_ value: UInt64) -> UInt64 {
        s.codeSize == .bits64 ? value : value & 0xffff_ffff
    }

    // MARK: - XMM and x87 registers

    /// A whole XMM register as any 16-byte vector type.
    @inline(__always)
    func xmm<V: SIMD & BitwiseCopyable>(_ number: UInt8, as: V.Type) -> V {
        unsafe base.load(fromByteOffset: Core.xmmOffset &+ Int(truncatingIfNeeded: number & 15) &* 16, as: V.self)
    }

    @inline(__always)
    func setXMM<V: SIMD & BitwiseCopyable>(_ number: UInt8, _ value: V) {
        unsafe base.storeBytes(of: value, toByteOffset: Core.xmmOffset &+ Int(truncatingIfNeeded: number & 15) &* 16, as: V.self)
    }

    /// Element `lane` of an XMM register seen as an array of T (lane 0 is lowest).
    @inline(__always)
    func xmmLane<T: BitwiseCopyable>(_ number: UInt8, _ lane: Int, as: T.Type) -> T {
        let offset = (lane &* MemoryLayout<T>.size) & 15
        return unsafe base.load(fromByteOffset: Core.xmmOffset &+ Int(truncatingIfNeeded: number & 15) &* 16 &+ offset, as: T.self)
    }

    @inline(__always)
    func setXMMLane<T: BitwiseCopyable>(_ number: UInt8, _ lane: Int, _ value: T) {
        let offset = (lane &* MemoryLayout<T>.size) & 15
        unsafe base.storeBytes(of: value, toByteOffset: Core.xmmOffset &+ Int(truncatingIfNeeded: number & 15) &* 16 &+ offset, as: T.self)
    }

    /// Significand of x87 register by physical number; also MMX register `number`.
    @inline(__always)
    func x87Significand(_ physical: Int) -> UInt64 {
        unsafe base.load(fromByteOffset: Core.x87Offset &+ (physical & 7) &* 16, as: UInt64.self)
    }

    @inline(__always)
    func setX87Significand(_ physical: Int, _ value: UInt64) {
        unsafe base.storeBytes(of: value, toByteOffset: Core.x87Offset &+ (physical & 7) &* 16, as: UInt64.self)
    }

    @inline(__always)
    func x87SignExponent(_ physical: Int) -> UInt16 {
        unsafe base.load(fromByteOffset: Core.x87Offset &+ (physical & 7) &* 16 &+ 8, as: UInt16.self)
    }

    @inline(__always)
    func setX87SignExponent(_ physical: Int, _ value: UInt16) {
        unsafe base.storeBytes(of: value, toByteOffset: Core.x87Offset &+ (physical & 7) &* 16 &+ 8, as: UInt16.self)
    }

    // MARK: - segments

    /// ES CS SS DS FS GS by encoding, then LDTR (6) and TR (7).
    func segment(_ number: Int) -> Segment {
        unsafe base.load(fromByteOffset: Core.segmentOffset &+ (number & 7) &* 16, as: Segment.self)
    }

    /// Replaces a segment register with its hidden part; the register file's copy of the base follows. Does not change
    /// CPL or code size: see ``updateCodeSize()`` and ``updateMode()``.
    func setSegment(_ number: Int, _ value: Segment) {
        unsafe base.storeBytes(of: value, toByteOffset: Core.segmentOffset &+ (number & 7) &* 16, as: Segment.self)
        if number < 6 { setFile(18 &+ number, value.base) }
    }

    static let ldtr = 6
    static let tr = 7

    @inline(__always) var isLongMode: Bool { s.efer & EFER.longModeActive != 0 }
    @inline(__always) var isProtected: Bool { s.cr0 & CR0.protection != 0 }
    @inline(__always) var isVirtual8086: Bool { s.systemFlags & RFLAGS.virtual8086 != 0 }
}

/// An instruction of the running block.
@safe
struct InstructionRef {
    let pointer: UnsafePointer<Instruction>

    @inline(__always)
    init(_ pointer: UnsafePointer<Instruction>) { unsafe self.pointer = pointer }

    @inline(__always) var code: UInt16 { unsafe pointer.pointee.code }
    @inline(__always) var opcode: UInt16 { unsafe pointer.pointee.opcode }
    @inline(__always) var flags: Instruction.Flags { unsafe pointer.pointee.flags }
    @inline(__always) var offset: UInt16 { unsafe pointer.pointee.offset }
    @inline(__always) var displacement: Int32 { unsafe pointer.pointee.displacement }
    @inline(__always) var length: UInt8 { unsafe pointer.pointee.length }
    @inline(__always) var operandSize: UInt8 { unsafe pointer.pointee.operandSize }
    @inline(__always) var reg: UInt8 { unsafe pointer.pointee.reg }
    @inline(__always) var rm: UInt8 { unsafe pointer.pointee.rm }
    @inline(__always) var base: UInt8 { unsafe pointer.pointee.base }
    @inline(__always) var index: UInt8 { unsafe pointer.pointee.index }
    @inline(__always) var scale: UInt8 { unsafe pointer.pointee.scale }
    @inline(__always) var segment: UInt8 { unsafe pointer.pointee.segment }
    @inline(__always) var segmentBase: UInt8 { unsafe pointer.pointee.segmentBase }
    @inline(__always) var vvvv: UInt8 { unsafe pointer.pointee.vvvv }
    @inline(__always) var modRM: UInt8 { unsafe pointer.pointee.modRM }
    @inline(__always) var codeSize: CodeSize { unsafe pointer.pointee.codeSize }
    @inline(__always) var immediate: Int64 { unsafe pointer.pointee.immediate }

    @inline(__always) var isMemory: Bool { flags.contains(.memory) }
    /// ModRM.reg as an index.
    @inline(__always) var regIndex: Int { Int(truncatingIfNeeded: reg) }
    /// ModRM.rm (register form) as an index.
    @inline(__always) var rmIndex: Int { Int(truncatingIfNeeded: rm) }
    @inline(__always) var opcodeByte: UInt8 { UInt8(truncatingIfNeeded: opcode) }
    /// 0 one-byte, 1 0F, 2 0F 38, 3 0F 3A.
    @inline(__always) var opcodeMap: UInt16 { opcode &>> 8 }
    @inline(__always) var immediate8: UInt8 { UInt8(truncatingIfNeeded: immediate) }
}

/// An operand width: UInt8, UInt16, UInt32 or UInt64.
protocol OperandWord: FixedWidthInteger, UnsignedInteger, BitwiseCopyable where Magnitude == Self {
    associatedtype SignedWord: FixedWidthInteger, SignedInteger, BitwiseCopyable
}
extension UInt8: OperandWord { typealias SignedWord = Int8 }
extension UInt16: OperandWord { typealias SignedWord = Int16 }
extension UInt32: OperandWord { typealias SignedWord = Int32 }
extension UInt64: OperandWord { typealias SignedWord = Int64 }

extension InstructionRef {
    /// The dispatch code that `lower` chose. Every row was lowered, and `lower` writes nothing but raw values of `Operation`,
    /// whose size is checked when an interpreter is made.
    @inline(__always)
    var operation: Operation { unsafe unsafeBitCast(UInt8(truncatingIfNeeded: code), to: Operation.self) }
}
