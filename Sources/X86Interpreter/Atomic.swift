internal import GuestMemory
internal import Synchronization
internal import X86
internal import X86Decoder

/// Read-modify-write under LOCK, and XCHG.
///
/// Aligned operands, and others within 16 aligned bytes, are one compare-and-exchange of the host. The rest (split locks) is done
/// while every other vCPU stands still: atomic to all they do, on any host, and without the bus lock a split access of the host's own
/// would be, which hosts may punish or forbid.
extension Core {
    /// Host address of bytes that may be written now, or nil where they cross a page or no RAM is there.
    ///
    /// - Throws: what a write there throws; nothing has changed then.
    func writablePointer(_ address: UInt64, byteCount: Int, _ segment: UInt8) throws(GuestFault) -> UnsafeMutableRawPointer? {
        let entry = unsafe s.tlb + TLBEntry.slot(address)
        if unsafe address ^ entry.pointee.writeTag <= UInt64(truncatingIfNeeded: 4096 &- byteCount) {
            return unsafe hostPointer(address, entry)
        }
        if s.checksAlignment && byteCount <= 8 && address & UInt64(truncatingIfNeeded: byteCount &- 1) != 0 { throw .alignmentCheck }
        try probeWrite(address, byteCount: byteCount, segment)
        guard Int(truncatingIfNeeded: address & 0xfff) &+ byteCount <= 4096 else { return nil }
        if s.dataBreakpoints != 0 { matchData(address, byteCount: byteCount, isWrite: true) }
        return unsafe try fill(address, dataKind.union(.write)).host
    }

    /// Replaces a value in memory by what `change` makes of it. `change` may run more than once.
    func modifyAtomically<T: OperandWord>(_ address: UInt64, _ segment: UInt8, _ change: (T) -> T) throws(GuestFault) {
        let size = MemoryLayout<T>.size
        let pointer = unsafe try writablePointer(address, byteCount: size, segment)
        let carries = s.carries
        if let pointer = unsafe pointer, address & UInt64(truncatingIfNeeded: size &- 1) == 0 {
            var value = unsafe pointer.load(as: T.self)
            while true {
                s.carries = carries
                let (exchanged, original) = unsafe compareExchange(pointer, expected: value, desired: change(value))
                if exchanged { return }
                value = original
            }
        }
        if let pointer = unsafe pointer, address & 15 &+ UInt64(truncatingIfNeeded: size) <= 16 {
            return unsafe modifyWide(pointer, Int(truncatingIfNeeded: address & 15), change)
        }
        try shared.memory.alone { () throws(GuestFault) in
            let value = try load(address, segment, as: T.self)
            try store(address, change(value), segment)
        }
    }

    /// A misaligned value within 16 aligned bytes: those are exchanged as a whole.
    private func modifyWide<T: OperandWord>(_ pointer: UnsafeMutableRawPointer, _ offset: Int, _ change: (T) -> T) {
        let carries = s.carries
        let whole = unsafe (pointer - offset).assumingMemoryBound(to: Atomic<WordPair>.self)
        var expected = unsafe whole.pointee.load(ordering: .sequentiallyConsistent)
        while true {
            s.carries = carries
            var desired = expected
            unsafe withUnsafeMutableBytes(of: &desired) { bytes in
                let value = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
                unsafe bytes.storeBytes(of: change(value), toByteOffset: offset, as: T.self)
            }
            let (exchanged, original) = unsafe whole.pointee.compareExchange(
                expected: expected, desired: desired, ordering: .sequentiallyConsistent)
            if exchanged { return }
            expected = original
        }
    }

    @inline(__always)
    private func compareExchange<T: OperandWord>(_ pointer: UnsafeMutableRawPointer, expected: T, desired: T) -> (Bool, T) {
        switch MemoryLayout<T>.size {
        case 1:
            let (done, old) = unsafe pointer.assumingMemoryBound(to: Atomic<UInt8>.self).pointee.compareExchange(
                expected: UInt8(truncatingIfNeeded: expected), desired: UInt8(truncatingIfNeeded: desired),
                ordering: .sequentiallyConsistent)
            return (done, T(truncatingIfNeeded: old))
        case 2:
            let (done, old) = unsafe pointer.assumingMemoryBound(to: Atomic<UInt16>.self).pointee.compareExchange(
                expected: UInt16(truncatingIfNeeded: expected), desired: UInt16(truncatingIfNeeded: desired),
                ordering: .sequentiallyConsistent)
            return (done, T(truncatingIfNeeded: old))
        case 4:
            let (done, old) = unsafe pointer.assumingMemoryBound(to: Atomic<UInt32>.self).pointee.compareExchange(
                expected: UInt32(truncatingIfNeeded: expected), desired: UInt32(truncatingIfNeeded: desired),
                ordering: .sequentiallyConsistent)
            return (done, T(truncatingIfNeeded: old))
        default:
            let (done, old) = unsafe pointer.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.compareExchange(
                expected: UInt64(truncatingIfNeeded: expected), desired: UInt64(truncatingIfNeeded: desired),
                ordering: .sequentiallyConsistent)
            return (done, T(truncatingIfNeeded: old))
        }
    }

    /// XCHG; with memory it locks by itself.
    func exchange<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let value = loadReg(i, as: T.self)
        var old: T = 0
        if i.isMemory {
            try checkOperand(i, byteCount: MemoryLayout<T>.size, isWrite: true)
            try modifyAtomically(linear(i), i.segment) { (found: T) in
                old = found
                return value
            }
        } else {
            old = try loadRM(i, as: T.self)
            try storeRM(i, value)
        }
        storeReg(i, old)
    }

    /// XADD
    func exchangeAdd<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let addend = loadReg(i, as: T.self)
        if i.isMemory {
            var old: T = 0
            try modifyRM(i, as: T.self) { found in
                old = found
                return Add.apply(self, found, addend)
            }
            storeReg(i, old)
        } else {
            let old = try loadRM(i, as: T.self)
            storeReg(i, old)
            try storeRM(i, Add.apply(self, old, addend))
        }
    }

    /// CMPXCHG: the memory operand is written in any case.
    func compareExchange<T: OperandWord>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        let accumulator = register(0, as: T.self)
        let replacement = loadReg(i, as: T.self)
        var found: T = 0
        if i.isMemory {
            try modifyRM(i, as: T.self) { value in
                found = value
                return value == accumulator ? replacement : value
            }
        } else {
            found = try loadRM(i, as: T.self)
            if found == accumulator { try storeRM(i, replacement) }
        }
        _ = Compare.apply(self, accumulator, found)
        if found != accumulator { setRegister(0, found) }
    }

    /// CMPXCHG8B and CMPXCHG16B.
    func compareExchangePair(_ i: InstructionRef) throws(GuestFault) {
        if i.operandSize == 8 { return try compareExchange16(i) }
        let expected = (rdx &<< 32) | (rax & 0xffff_ffff)
        let replacement = (rcx &<< 32) | (rbx & 0xffff_ffff)
        var found: UInt64 = 0
        try modifyRM(i, as: UInt64.self) { value in
            found = value
            return value == expected ? replacement : value
        }
        setZero(found == expected)
        if found != expected {
            rax = found & 0xffff_ffff
            rdx = found &>> 32
        }
    }

    /// Always atomic: the operand is aligned, so it lies in one page.
    private func compareExchange16(_ i: InstructionRef) throws(GuestFault) {
        let address = linear(i)
        try checkCanonical(address, i.segment)
        guard address & 15 == 0 else { throw .generalProtection() }
        let expected = WordPair(first: UInt(rax), second: UInt(rdx))
        let replacement = WordPair(first: UInt(rbx), second: UInt(rcx))
        let found: WordPair
        if let pointer = unsafe try writablePointer(address, byteCount: 16, i.segment) {
            (_, found) = unsafe pointer.assumingMemoryBound(to: Atomic<WordPair>.self).pointee.compareExchange(
                expected: expected, desired: replacement, ordering: .sequentiallyConsistent)
        } else {
            found = try compareExchangeDevice(address, i.segment, expected, replacement)
        }
        setZero(found == expected)
        if found != expected {
            rax = UInt64(found.first)
            rdx = UInt64(found.second)
        }
    }

    private func compareExchangeDevice(
        _ address: UInt64, _ segment: UInt8, _ expected: WordPair, _ replacement: WordPair
    ) throws(GuestFault) -> WordPair {
        let low = try load(address, segment, as: UInt64.self)
        let high = try load(address &+ 8, segment, as: UInt64.self)
        let found = WordPair(first: UInt(low), second: UInt(high))
        let written = found == expected ? replacement : found
        try store(address, UInt64(written.first), segment)
        try store(address &+ 8, UInt64(written.second), segment)
        return found
    }
}
