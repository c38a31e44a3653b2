internal import GuestMemory
internal import Synchronization
internal import X86
internal import X86Decoder

/// Linear memory as instructions use it. The TLB hit is inline; everything else is a call.
extension Core {
    /// The linear address of the memory operand, segment base and limit applied.
    ///
    /// - Throws: #GP(0) or #SS(0) outside of 64-bit code when the first byte lies beyond the segment; accesses check the
    ///   rest themselves (``checkSegment(_:_:byteCount:isWrite:)``).
    @inline(__always)
    func linear(_ i: InstructionRef) -> UInt64 {
        if _slowPath(i.flags.contains(.slowAddress)) { return slowLinear(i) }
        return file(Int(truncatingIfNeeded: i.base)) &+ (file(Int(truncatingIfNeeded: i.index)) &<< UInt64(truncatingIfNeeded: i.scale))
            &+ UInt64(bitPattern: Int64(i.displacement)) &+ file(Int(truncatingIfNeeded: i.segmentBase))
    }

    /// The effective address without the segment base (LEA, INVLPG and the like), cut to the address size.
    @inline(__always)
    func effectiveAddress(_ i: InstructionRef) -> UInt64 {
        let sum =
            file(Int(truncatingIfNeeded: i.base)) &+ (file(Int(truncatingIfNeeded: i.index)) &<< UInt64(truncatingIfNeeded: i.scale))
            &+ UInt64(bitPattern: Int64(i.displacement))
        if _slowPath(i.flags.contains(.address16)) { return sum & 0xffff }
        return _slowPath(i.flags.contains(.address32)) ? sum & 0xffff_ffff : sum
    }

    @inline(never)
    func slowLinear(_ i: InstructionRef) -> UInt64 {
        let sum = effectiveAddress(i) &+ file(Int(truncatingIfNeeded: i.segmentBase))
        return i.codeSize == .bits64 ? sum : sum & 0xffff_ffff
    }

    /// Outside of 64-bit code: limit, type and presence of the segment for `byteCount` bytes at the operand's effective address.
    ///
    /// - Throws: #GP(0), or #SS(0) for the stack segment.
    @inline(__always)
    func checkOperand(_ i: InstructionRef, byteCount: Int, isWrite: Bool) throws(GuestFault) {
        if _slowPath(i.codeSize != .bits64) {
            try checkSegment(Int(truncatingIfNeeded: i.segment), effectiveAddress(i), byteCount: byteCount, isWrite: isWrite)
        }
    }

    @inline(never)
    func checkSegment(_ number: Int, _ offset: UInt64, byteCount: Int, isWrite: Bool) throws(GuestFault) {
        let segment = segment(number)
        let fault: GuestFault = number == 2 ? .stackFault() : .generalProtection()
        let last = offset &+ UInt64(truncatingIfNeeded: byteCount &- 1)
        if isProtected && !isVirtual8086 {
            guard segment.isPresent, segment.isCodeOrData else { throw fault }
            let isCode = segment.type & 8 != 0
            if isWrite ? isCode || segment.type & 2 == 0 : isCode && segment.type & 2 == 0 { throw fault }
            if !isCode && segment.type & 4 != 0 {
                // Expand-down: valid offsets lie above the limit.
                let top: UInt64 = segment.isBig ? 0xffff_ffff : 0xffff
                guard offset > UInt64(segment.limit), last <= top else { throw fault }
                return
            }
        }
        guard last <= UInt64(segment.limit) else { throw fault }
    }

    // MARK: - loads and stores by linear address

    /// Loads a little-endian value. `segment` is the encoding used, which only decides between #GP and #SS.
    @inline(__always)
    func load<T: BitwiseCopyable>(_ address: UInt64, _ segment: UInt8 = 3, as: T.Type) throws(GuestFault) -> T {
        let entry = unsafe s.tlb + TLBEntry.slot(address)
        if unsafe _fastPath(address ^ entry.pointee.readTag <= UInt64(truncatingIfNeeded: 4096 &- MemoryLayout<T>.size)) {
            return unsafe hostPointer(address, entry).loadUnaligned(as: T.self)
        }
        return try loadSlow(address, segment, as: T.self)
    }

    @inline(__always)
    func store<T: BitwiseCopyable>(_ address: UInt64, _ value: T, _ segment: UInt8 = 3) throws(GuestFault) {
        let entry = unsafe s.tlb + TLBEntry.slot(address)
        if unsafe _fastPath(address ^ entry.pointee.writeTag <= UInt64(truncatingIfNeeded: 4096 &- MemoryLayout<T>.size)) {
            unsafe hostPointer(address, entry).storeBytes(of: value, as: T.self)
            return
        }
        try storeSlow(address, value, segment)
    }

    @inline(__always)
    func hostPointer(_ address: UInt64, _ entry: UnsafeMutablePointer<TLBEntry>) -> UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(bitPattern: Int(truncatingIfNeeded: address) &+ entry.pointee.addend).unsafelyUnwrapped
    }

    /// Loads the memory operand, segment checks included.
    @inline(__always)
    func loadOperand<T: BitwiseCopyable>(_ i: InstructionRef, as: T.Type) throws(GuestFault) -> T {
        try checkOperand(i, byteCount: MemoryLayout<T>.size, isWrite: false)
        return try load(linear(i), i.segment, as: T.self)
    }

    @inline(__always)
    func storeOperand<T: BitwiseCopyable>(_ i: InstructionRef, _ value: T) throws(GuestFault) {
        try checkOperand(i, byteCount: MemoryLayout<T>.size, isWrite: true)
        try store(linear(i), value, i.segment)
    }

    /// Reads the memory operand, then writes what `change` makes of it; faults as a write before anything is changed.
    @inline(__always)
    func modifyOperand<T: OperandWord>(_ i: InstructionRef, as: T.Type, _ change: (T) -> T) throws(GuestFault) {
        try checkOperand(i, byteCount: MemoryLayout<T>.size, isWrite: true)
        let address = linear(i)
        let entry = unsafe s.tlb + TLBEntry.slot(address)
        if unsafe _fastPath(address ^ entry.pointee.writeTag <= UInt64(truncatingIfNeeded: 4096 &- MemoryLayout<T>.size)) {
            let pointer = unsafe hostPointer(address, entry)
            let value = unsafe pointer.loadUnaligned(as: T.self)
            unsafe pointer.storeBytes(of: change(value), as: T.self)
            return
        }
        try probeWrite(address, byteCount: MemoryLayout<T>.size, i.segment)
        let value = try load(address, i.segment, as: T.self)
        try store(address, change(value), i.segment)
    }

    /// The register or memory operand of ModRM.rm.
    @inline(__always)
    func loadRM<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) -> T {
        if i.isMemory { return try loadOperand(i, as: T.self) }
        if T.self == UInt8.self { return T(truncatingIfNeeded: byteRegister(i.rm, i)) }
        return register(i.rmIndex, as: T.self)
    }

    @inline(__always)
    func storeRM<T: OperandWord>(_ i: InstructionRef, _ value: T) throws(GuestFault) {
        if i.isMemory { return try storeOperand(i, value) }
        if T.self == UInt8.self { return setByteRegister(i.rm, i, UInt8(truncatingIfNeeded: value)) }
        setRegister(i.rmIndex, value)
    }

    /// Register operand ModRM.reg, AH and friends included.
    @inline(__always)
    func loadReg<T: OperandWord>(_ i: InstructionRef, as: T.Type) -> T {
        if T.self == UInt8.self { return T(truncatingIfNeeded: byteRegister(i.reg, i)) }
        return register(i.regIndex, as: T.self)
    }

    @inline(__always)
    func storeReg<T: OperandWord>(_ i: InstructionRef, _ value: T) {
        if T.self == UInt8.self { return setByteRegister(i.reg, i, UInt8(truncatingIfNeeded: value)) }
        setRegister(i.regIndex, value)
    }

    // MARK: - stack

    /// Width of the stack pointer: RSP in 64-bit code, else by SS.B.
    var stackMask: UInt64 {
        if s.codeSize == .bits64 { return ~0 }
        return segment(2).isBig ? 0xffff_ffff : 0xffff
    }

    /// Sets RSP under the stack's width, keeping the bits above.
    func setStackPointer(_ value: UInt64) {
        let mask = stackMask
        rsp = mask == 0xffff ? (rsp & ~mask) | (value & mask) : value & mask
    }

    @inline(__always)
    func push<T: OperandWord>(_ value: T) throws(GuestFault) {
        if _fastPath(s.codeSize == .bits64) {
            let address = rsp &- UInt64(truncatingIfNeeded: MemoryLayout<T>.size)
            try store(address, value, 2)
            rsp = address
        } else {
            try legacyPush(value)
        }
    }

    @inline(__always)
    func pop<T: OperandWord>(as: T.Type) throws(GuestFault) -> T {
        if _fastPath(s.codeSize == .bits64) {
            let value = try load(rsp, 2, as: T.self)
            rsp = rsp &+ UInt64(truncatingIfNeeded: MemoryLayout<T>.size)
            return value
        }
        return try legacyPop(as: T.self)
    }

    /// Linear address of stack offset `offset`, limit checked.
    func stackLinear(_ offset: UInt64, byteCount: Int, isWrite: Bool) throws(GuestFault) -> UInt64 {
        if s.codeSize == .bits64 { return offset }
        let cut = offset & stackMask
        try checkSegment(2, cut, byteCount: byteCount, isWrite: isWrite)
        return (cut &+ segment(2).base) & 0xffff_ffff
    }

    @inline(never)
    func legacyPush<T: OperandWord>(_ value: T) throws(GuestFault) {
        let top = rsp &- UInt64(truncatingIfNeeded: MemoryLayout<T>.size)
        try store(stackLinear(top, byteCount: MemoryLayout<T>.size, isWrite: true), value, 2)
        setStackPointer(top)
    }

    @inline(never)
    func legacyPop<T: OperandWord>(as: T.Type) throws(GuestFault) -> T {
        let value = try load(stackLinear(rsp, byteCount: MemoryLayout<T>.size, isWrite: false), 2, as: T.self)
        setStackPointer(rsp &+ UInt64(truncatingIfNeeded: MemoryLayout<T>.size))
        return value
    }
}
