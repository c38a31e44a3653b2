extension Decoder {
    /// Reads what follows a ModRM byte already in the row: registers, or SIB and displacement (SDM vol. 2A, 2.1.5).
    @inline(__always)
    mutating func readModRM(ignoringMod: Bool) {
        row.reg = row.modRM >> 3 & 7 | (rex & 4) << 1
        if row.modRM >= 0xc0 || ignoringMod {
            row.rm = row.modRM & 7 | (rex & 1) << 3
        } else {
            row.flags.insert(.memory)
            if addressSize == 2 { readAddress16() } else { readAddress32() }
        }
    }

    /// 32- and 64-bit addressing.
    @inline(__always)
    private mutating func readAddress32() {
        let mod = row.modRM >> 6
        let rm = row.modRM & 7
        if rm == 4 {
            readSIB(mod)
        } else if rm == 5 && mod == 0 {
            if is64 { row.base = RegisterFile.blockRIP }
            row.displacement = cursor.next(Int32.self)
        } else {
            setBase(rm)
        }
        readDisplacement32(mod)
    }

    @inline(__always)
    private mutating func readSIB(_ mod: UInt8) {
        let sib = cursor.next(UInt8.self)
        let index = sib >> 3 & 7 | (rex & 2) << 2
        if index != 4 {
            row.index = index
            row.scale = sib >> 6
        }
        if sib & 7 == 5 && mod == 0 {
            row.displacement = cursor.next(Int32.self)
        } else {
            setBase(sib & 7)
        }
    }

    @inline(__always)
    private mutating func setBase(_ low: UInt8) {
        row.base = low | (rex & 1) << 3
        if row.base & 0xe == 4 { row.segment = 2 }  // RSP and RBP, not R12 and R13.
    }

    @inline(__always)
    private mutating func readDisplacement32(_ mod: UInt8) {
        if mod == 1 {
            row.displacement = Int32(truncatingIfNeeded: cursor.next(Int8.self))
        } else if mod == 2 {
            row.displacement = cursor.next(Int32.self)
        }
    }

    /// 16-bit addressing: the pairs of SDM vol. 2A, table 2-1.
    private mutating func readAddress16() {
        let mod = row.modRM >> 6
        let rm = row.modRM & 7
        if rm == 6 && mod == 0 {
            row.displacement = Int32(truncatingIfNeeded: cursor.next(Int16.self))
            return
        }
        let (bx, bp, si, di): (UInt8, UInt8, UInt8, UInt8) = (3, 5, 6, 7)
        switch rm {
        case 0: row.base = bx; row.index = si
        case 1: row.base = bx; row.index = di
        case 2: row.base = bp; row.index = si
        case 3: row.base = bp; row.index = di
        case 4: row.base = si
        case 5: row.base = di
        case 6: row.base = bp
        default: row.base = bx
        }
        if row.base == bp { row.segment = 2 }
        if mod == 1 {
            row.displacement = Int32(truncatingIfNeeded: cursor.next(Int8.self))
        } else if mod == 2 {
            row.displacement = Int32(truncatingIfNeeded: cursor.next(Int16.self))
        }
    }

    // MARK: Immediates

    @inline(__always)
    mutating func readImmediate(_ kind: OpcodeRow.Immediate) {
        switch kind {
        case .none: break
        case .signedByte, .shortBranch: row.immediate = cursor.nextSigned(Int8.self)
        case .byte: row.immediate = cursor.nextSigned(UInt8.self)
        case .word: row.immediate = cursor.nextSigned(UInt16.self)
        case .wordOrLong, .nearBranch:
            row.immediate = row.operandSize == 2 ? cursor.nextSigned(Int16.self) : cursor.nextSigned(Int32.self)
        case .full:
            row.immediate =
                row.operandSize == 8
                ? cursor.next(Int64.self)
                : row.operandSize == 2 ? cursor.nextSigned(Int16.self) : cursor.nextSigned(Int32.self)
        case .enter:
            row.immediate = cursor.nextSigned(UInt16.self)
            row.immediate |= cursor.nextSigned(UInt8.self) << 16
        case .farPointer:
            row.immediate = row.operandSize == 2 ? cursor.nextSigned(UInt16.self) : cursor.nextSigned(UInt32.self)
            row.immediate |= cursor.nextSigned(UInt16.self) << 32
        case .offset:
            row.immediate =
                addressSize == 8
                ? cursor.next(Int64.self)
                : addressSize == 2 ? cursor.nextSigned(UInt16.self) : cursor.nextSigned(UInt32.self)
        }
    }
}
