/// What became of one attempt to decode.
public struct DecodeResult: BitwiseCopyable, Sendable {
    public enum Status: UInt8, BitwiseCopyable, Sendable {
        /// `instruction` is complete. It may carry ``Instruction/Flags/invalid``: then it raises #UD.
        case complete
        /// The instruction runs past the given bytes: call again with more of them. `instruction` means nothing.
        case needsMoreBytes
        /// Longer than 15 bytes: it raises #GP(0) (SDM vol. 2A, 2.3.11). `instruction` means nothing.
        case tooLong
    }

    public var instruction: Instruction
    public var status: Status
}

/// Turns the bytes of one instruction into a row. Knows no memory, keeps no state, allocates nothing.
///
/// Reference: SDM vol. 2A chapter 2 and vol. 2D appendix A; AMD64 manual vol. 3 chapter 1.
public struct Decoder {
    var cursor: ByteCursor
    var row = Instruction()
    let is64: Bool
    /// The REX byte, or its like made from a VEX prefix; 0 without.
    var rex: UInt8 = 0
    var hasVEX = false
    /// Segment of an override that counts, `noSegment` without.
    var segmentOverride = noSegment
    /// 2, 4 or 8.
    var addressSize: UInt8 = 0

    static let noSegment: UInt8 = 0xff

    /// - Parameters:
    ///   - bytes: what is there to read, at most 15 bytes matter. Give fewer when the page ends.
    ///   - codeSize: default size of the code segment.
    ///   - offsetInBlock: distance of the instruction from the block's start, 0...65535; RIP-relative displacements
    ///     count from there. A displacement within that distance of 2³¹ wraps, as no linker emits it.
    @inline(__always)
    public static func decode(_ bytes: RawSpan, codeSize: CodeSize, offsetInBlock: Int = 0) -> DecodeResult {
        unsafe bytes.withUnsafeBytes { unsafe decode($0, codeSize: codeSize, offsetInBlock: offsetInBlock) }
    }

    /// The same for callers that hold a pointer; `bytes` need only live as long as the call.
    public static func decode(
        _ bytes: UnsafeRawBufferPointer, codeSize: CodeSize, offsetInBlock: Int = 0
    ) -> DecodeResult {
        var decoder = unsafe Decoder(ByteCursor(bytes), codeSize)
        decoder.row.offset = UInt16(truncatingIfNeeded: offsetInBlock)
        decoder.decode()
        return decoder.result
    }

    private init(_ cursor: ByteCursor, _ codeSize: CodeSize) {
        self.cursor = cursor
        is64 = codeSize == .bits64
        row.codeSize = codeSize
    }

    private var result: DecodeResult {
        guard cursor.isPastEnd else { return DecodeResult(instruction: row, status: .complete) }
        return DecodeResult(instruction: row, status: cursor.count < 15 ? .needsMoreBytes : .tooLong)
    }

    @inline(__always)
    private mutating func decode() {
        let first = readPrefixes()
        let opcode = readOpcode(first)
        row.opcode = opcode
        let entry = OpcodeTables.rows[Int(truncatingIfNeeded: opcode & 0x3ff)]
        if hasVEX {
            decodeVEX()
        } else {
            setSizes(entry)
            decodeBody(entry)
        }
        row.length = UInt8(truncatingIfNeeded: cursor.position)
        finish()
    }

    @inline(__always)
    private mutating func decodeBody(_ entry: OpcodeRow) {
        if entry.hasModRM {
            row.flags.insert(.hasModRM)
            row.modRM = cursor.next(UInt8.self)
            readModRM(ignoringMod: entry.ignoresMod)
        } else if entry.hasRegisterInOpcode {
            row.rm = UInt8(truncatingIfNeeded: row.opcode & 7) | (rex & 1) << 3
        } else if entry.hasImplicitMemory {
            row.flags.insert(.memory)
        }
        if entry.endsBlock { row.flags.insert(.endsBlock) }
        var immediate = entry.immediate
        var lockable = entry.isLockable
        if entry.isSpecial { apply(entry, &immediate, &lockable) }
        if immediate != .none { readImmediate(immediate) }
        if row.flags.contains(.lock) && !(lockable && row.flags.contains(.memory)) { reject() }
    }

    /// Makes the row one that raises #UD.
    mutating func reject() {
        row.flags.formUnion([.invalid, .endsBlock])
    }

    // MARK: Prefixes and opcode

    /// Reads all prefixes and returns the byte after them.
    @inline(__always)
    private mutating func readPrefixes() -> UInt8 {
        var addressPrefix = false
        var byte = cursor.next(UInt8.self)
        prefixes: while !cursor.isPastEnd {
            switch byte {
            case 0x40...0x4f:
                guard is64 else { break prefixes }
                rex = byte
                byte = cursor.next(UInt8.self)
                continue
            case 0x66: row.flags.insert(.operandPrefix)
            case 0x67: addressPrefix = true
            case 0xf0: row.flags.insert(.lock)
            case 0xf2: replaceRepeat(.repne)
            case 0xf3: replaceRepeat(.rep)
            case 0x26, 0x2e, 0x36, 0x3e: if !is64 { segmentOverride = byte >> 3 & 3 }
            case 0x64, 0x65: segmentOverride = byte & 7
            default: break prefixes
            }
            rex = 0  // REX counts only directly before the opcode.
            byte = cursor.next(UInt8.self)
        }
        setAddressSize(addressPrefix)
        if rex != 0 { row.flags.insert(rex & 8 != 0 ? [.rex, .rexW] : .rex) }
        return byte
    }

    /// Of F2 and F3 the last one counts.
    @inline(__always)
    private mutating func replaceRepeat(_ flag: Instruction.Flags) {
        row.flags.remove([.rep, .repne])
        row.flags.insert(flag)
    }

    @inline(__always)
    private mutating func setAddressSize(_ prefixed: Bool) {
        switch row.codeSize {
        case .bits64: addressSize = prefixed ? 4 : 8
        case .bits32: addressSize = prefixed ? 2 : 4
        case .bits16: addressSize = prefixed ? 4 : 2
        }
        if addressSize == 4 { row.flags.insert(.address32) }
        if addressSize == 2 { row.flags.insert(.address16) }
    }

    /// The opcode with its map in bits 8-9.
    @inline(__always)
    private mutating func readOpcode(_ first: UInt8) -> UInt16 {
        if first == 0x0f {
            let second = cursor.next(UInt8.self)
            switch second {
            case 0x38: return 0x200 | UInt16(truncatingIfNeeded: cursor.next(UInt8.self))
            case 0x3a: return 0x300 | UInt16(truncatingIfNeeded: cursor.next(UInt8.self))
            default: return 0x100 | UInt16(truncatingIfNeeded: second)
            }
        }
        if first & 0xfe == 0xc4, let opcode = readVEXPrefix(first) { return opcode }
        return UInt16(truncatingIfNeeded: first)
    }

    // MARK: Sizes

    @inline(__always)
    private mutating func setSizes(_ entry: OpcodeRow) {
        let operandPrefix = row.flags.contains(.operandPrefix)
        if is64 {
            if rex & 8 != 0 || entry.forces64 {
                row.operandSize = 8
            } else if operandPrefix && !entry.isSelectedByPrefix {
                row.operandSize = 2
            } else {
                row.operandSize = entry.defaultsTo64 ? 8 : 4
            }
        } else if entry.isSelectedByPrefix {
            row.operandSize = 4
        } else {
            row.operandSize = operandPrefix == (row.codeSize == .bits16) ? 4 : 2
        }
    }

    // MARK: The rest of the row

    /// What needs the whole instruction: segment, RIP-relative base, the slow path's flag.
    @inline(__always)
    private mutating func finish() {
        if segmentOverride != Self.noSegment { row.segment = segmentOverride }
        if row.opcode == 0x8d {  // LEA names an address and reads nothing.
            row.segmentBase = RegisterFile.zero
        } else if !is64 || row.segment >= 4 {
            row.segmentBase = RegisterFile.segmentBases &+ row.segment
        }
        if row.base == RegisterFile.blockRIP {
            row.displacement &+= Int32(truncatingIfNeeded: row.offset) &+ Int32(truncatingIfNeeded: row.length)
        }
        if row.flags.contains(.memory) && addressSize != (is64 ? 8 : 0) { row.flags.insert(.slowAddress) }
    }
}
