internal import Synchronization
internal import X86
internal import X86Decoder

/// MOVS, CMPS, STOS, LODS and SCAS with their repeats (SDM vol. 2). Each iteration is complete in the registers before the
/// next begins, so a repeat can stop at any of them and go on later: a fault, or `.leave` when something waits.
extension Core {
    @inline(never)
    func executeString(_ i: InstructionRef) throws(GuestFault) {
        if i.opcodeByte & 1 == 0 { return try executeString(i, as: UInt8.self) }
        switch i.operandSize {
        case 2: try executeString(i, as: UInt16.self)
        case 4: try executeString(i, as: UInt32.self)
        default: try executeString(i, as: UInt64.self)
        }
    }

    private func executeString<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let isRepeated = !i.flags.isDisjoint(with: [.rep, .repne])
        switch i.opcodeByte & 0xfe {
        case 0xa4: try isRepeated ? repeatMove(i, as: T.self) : moveElement(i, as: T.self)
        case 0xa6: try isRepeated ? repeatCompare(i, as: T.self, scans: false) : compareElement(i, as: T.self)
        case 0xaa: try isRepeated ? repeatStore(i, as: T.self) : storeElement(i, as: T.self)
        case 0xac: try isRepeated ? repeatLoad(i, as: T.self) : loadElement(i, as: T.self)
        default: try isRepeated ? repeatCompare(i, as: T.self, scans: true) : scanElement(i, as: T.self)
        }
    }

    // MARK: - operands

    private var isForward: Bool { s.systemFlags & RFLAGS.direction == 0 }
    /// A single-step trap comes after each iteration.
    private var movesChunks: Bool { isForward && !s.isStepping }

    /// Moves RSI or RDI on by one element, or by `count` of them forward.
    @inline(__always)
    private func advance<T: OperandWord>(_ number: Int, _ i: InstructionRef, _: T.Type, count: Int = 1) {
        let step = UInt64(truncatingIfNeeded: MemoryLayout<T>.size &* count)
        setAddressRegister(number, isForward ? file(number) &+ step : file(number) &- step, i)
    }

    /// Linear address of `byteCount` bytes at RSI in the source's segment.
    @inline(__always)
    private func source(_ i: InstructionRef, _ byteCount: Int) throws(GuestFault) -> UInt64 {
        try checkedLinear(i, at: rsi, byteCount: byteCount, isWrite: false)
    }

    /// Linear address of `byteCount` bytes at RDI in ES, which no prefix replaces.
    @inline(__always)
    private func destination(_ i: InstructionRef, _ byteCount: Int, isWrite: Bool) throws(GuestFault) -> UInt64 {
        let offset = cutAddress(i, rdi)
        if _fastPath(i.codeSize == .bits64) { return offset }
        try checkSegment(0, offset, byteCount: byteCount, isWrite: isWrite)
        return (offset &+ file(18)) & 0xffff_ffff
    }

    @inline(__always)
    private func countDown(_ i: InstructionRef, by count: Int = 1) {
        setAddressRegister(1, counter(i) &- UInt64(truncatingIfNeeded: count), i)
    }

    /// Lets the engine look at what waits; the instruction is started again for the rest.
    @inline(__always)
    private func pauseIfWaiting(_ i: InstructionRef) throws(GuestFault) {
        if _slowPath(shared.attention.isRaised), counter(i) != 0 { throw .leave }
    }

    // MARK: - one element

    @inline(__always)
    private func moveElement<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let size = MemoryLayout<T>.size
        let value = try load(try source(i, size), i.segment, as: T.self)
        try store(try destination(i, size, isWrite: true), value, 0)
        advance(6, i, T.self)
        advance(7, i, T.self)
    }

    @inline(__always)
    private func storeElement<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        try store(try destination(i, MemoryLayout<T>.size, isWrite: true), register(0, as: T.self), 0)
        advance(7, i, T.self)
    }

    @inline(__always)
    private func loadElement<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        setRegister(0, try load(try source(i, MemoryLayout<T>.size), i.segment, as: T.self))
        advance(6, i, T.self)
    }

    @inline(__always)
    private func compareElement<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let size = MemoryLayout<T>.size
        let first = try load(try source(i, size), i.segment, as: T.self)
        let second = try load(try destination(i, size, isWrite: false), 0, as: T.self)
        _ = Compare.apply(self, first, second)
        advance(6, i, T.self)
        advance(7, i, T.self)
    }

    @inline(__always)
    private func scanElement<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let value = try load(try destination(i, MemoryLayout<T>.size, isWrite: false), 0, as: T.self)
        _ = Compare.apply(self, register(0, as: T.self), value)
        advance(7, i, T.self)
    }

    // MARK: - repeats

    private func repeatLoad<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        while counter(i) != 0 {
            try loadElement(i, as: T.self)
            countDown(i)
            try pauseIfWaiting(i)
        }
    }

    /// REPE and REPNE. A fault leaves the flags of the last iteration that was complete, as processors do.
    private func repeatCompare<T: OperandWord>(_ i: InstructionRef, as: T.Type, scans: Bool) throws(GuestFault) {
        let whileEqual = i.flags.contains(.rep)
        while counter(i) != 0 {
            try scans ? scanElement(i, as: T.self) : compareElement(i, as: T.self)
            countDown(i)
            if zeroFlag != whileEqual { return }
            try pauseIfWaiting(i)
        }
    }

    private func repeatMove<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        while counter(i) != 0 {
            let count = movesChunks ? try moveChunk(i, as: T.self) : 0
            if count == 0 { try moveElement(i, as: T.self) }
            countDown(i, by: max(count, 1))
            try pauseIfWaiting(i)
        }
    }

    private func repeatStore<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        while counter(i) != 0 {
            let count = movesChunks ? try storeChunk(i, as: T.self) : 0
            if count == 0 { try storeElement(i, as: T.self) }
            countDown(i, by: max(count, 1))
            try pauseIfWaiting(i)
        }
    }

    // MARK: - whole pieces of a page

    /// Elements from `address` (and from register `number`) to the end of the page and of the address space.
    @inline(__always)
    private func room<T: OperandWord>(_ i: InstructionRef, _ number: Int, _ address: UInt64, _: T.Type) -> UInt64 {
        let inPage = 4096 &- (address & 0xfff)
        let inSpace = cutAddress(i, 0 &- file(number))
        let bytes = inSpace == 0 ? inPage : min(inPage, inSpace)
        return bytes / UInt64(truncatingIfNeeded: MemoryLayout<T>.size)
    }

    /// Copies as many elements at once as lie in one page on both sides, and moves RSI and RDI on. Returns 0, having done
    /// nothing, where one element at a time is the way.
    private func moveChunk<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) -> Int {
        let size = MemoryLayout<T>.size
        let from = try source(i, size)
        let to = try destination(i, size, isWrite: true)
        var count = min(counter(i), room(i, 6, from, T.self), room(i, 7, to, T.self))
        guard count >= 4 else { return 0 }
        guard let first = unsafe try readablePage(from, i.segment), let second = unsafe try writablePage(to) else { return 0 }
        // A destination just ahead of the source sees what was written before: only as far as it does not.
        let distance = unsafe second - first
        if distance > 0 { count = min(count, UInt64(truncatingIfNeeded: distance / size)) }
        guard count >= 4, isInSegments(i, Int(truncatingIfNeeded: count) &* size, readsSource: true) else { return 0 }
        unsafe second.copyMemory(from: first, byteCount: Int(truncatingIfNeeded: count) &* size)
        advance(6, i, T.self, count: Int(truncatingIfNeeded: count))
        advance(7, i, T.self, count: Int(truncatingIfNeeded: count))
        return Int(truncatingIfNeeded: count)
    }

    private func storeChunk<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) -> Int {
        let size = MemoryLayout<T>.size
        let to = try destination(i, size, isWrite: true)
        let count = Int(truncatingIfNeeded: min(counter(i), room(i, 7, to, T.self)))
        guard count >= 4, let pointer = unsafe try writablePage(to) else { return 0 }
        guard isInSegments(i, count &* size, readsSource: false) else { return 0 }
        let value = register(0, as: T.self)
        let low = UInt8(truncatingIfNeeded: value)
        if value == T(truncatingIfNeeded: 0x0101_0101_0101_0101 &* UInt64(low)) {
            unsafe pointer.initializeMemory(as: UInt8.self, repeating: low, count: count &* size)
        } else {
            for index in 0..<count { unsafe pointer.storeBytes(of: value, toByteOffset: index &* size, as: T.self) }
        }
        advance(7, i, T.self, count: count)
        return count
    }

    /// Whether all bytes of a chunk pass the segment checks; if not, the elements find out which one does not.
    private func isInSegments(_ i: InstructionRef, _ byteCount: Int, readsSource: Bool) -> Bool {
        guard i.codeSize != .bits64 else { return true }
        do throws(GuestFault) {
            if readsSource { _ = try source(i, byteCount) }
            _ = try destination(i, byteCount, isWrite: true)
            return true
        } catch {
            return false
        }
    }

    /// Host address behind a linear one, once it may be read; nil when no RAM or no TLB is there.
    private func readablePage(_ address: UInt64, _ segment: UInt8) throws(GuestFault) -> UnsafeMutableRawPointer? {
        _ = try load(address, segment, as: UInt8.self)
        let entry = unsafe s.tlb + TLBEntry.slot(address)
        return unsafe entry.pointee.readTag == address & ~0xfff ? hostPointer(address, entry) : nil
    }

    /// The same for writing; nil also where the page holds decoded bytes.
    private func writablePage(_ address: UInt64) throws(GuestFault) -> UnsafeMutableRawPointer? {
        let entry = unsafe s.tlb + TLBEntry.slot(address)
        if unsafe entry.pointee.writeTag != address & ~0xfff { try probeWrite(address, byteCount: 1, 0) }
        return unsafe entry.pointee.writeTag == address & ~0xfff ? hostPointer(address, entry) : nil
    }
}
