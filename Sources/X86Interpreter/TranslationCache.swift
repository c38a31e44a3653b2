internal import GuestMemory
internal import VirtualCPU
internal import X86
internal import X86Decoder

/// Filling and dropping the software TLB, and the slow ways of memory accesses.
extension Core {
    @inline(__always)
    var isUserMode: Bool { s.cpl == 3 }

    /// Follows a change of CPL, code size, CR0, CR4, EFER or RFLAGS.AC: picks the TLB and the jump-cache tags.
    func updateMode() {
        s.checksAlignment = s.cpl == 3 && s.cr0 & CR0.alignmentMask != 0 && s.systemFlags & RFLAGS.alignmentCheck != 0
        if s.checksAlignment || s.dataBreakpoints != 0 {
            s.tlbMode = .uncached
        } else if s.cpl == 3 {
            s.tlbMode = .user
        } else if s.cr4 & CR4.smap != 0 && s.systemFlags & RFLAGS.alignmentCheck != 0 {
            s.tlbMode = .supervisorOpen
        } else {
            s.tlbMode = .supervisor
        }
        unsafe s.tlb = shared.tlbBase + s.tlbMode.rawValue &* TLBEntry.count
        let mode = UInt64(s.codeSize.rawValue) | (s.cpl == 3 ? 4 : 0)
        s.localTag = UInt64(s.localGeneration) &<< 8 | mode
        s.globalTag = UInt64(s.globalGeneration) &<< 8 | 0x80 | mode
    }

    /// Drops every translation of every address space, global ones too.
    func flushTLB() {
        unsafe clearEntries(shared.localSlots)
        unsafe clearEntries(shared.globalSlots)
        shared.spaces.dropAll()
        shared.spaces.fetched = FetchedPages()
        shared.largePages = LargePages()
        forgetBlocks()
    }

    /// Drops every translation of the current address space that is not global.
    func flushLocalTLB() {
        unsafe clearEntries(shared.localSlots)
        let hasGlobal = shared.spaces.fetched.hasGlobal
        shared.spaces.fetched = FetchedPages()
        shared.spaces.fetched.hasGlobal = hasGlobal
        s.localGeneration = shared.spaces.nextGeneration()
        updateMode()
    }

    /// Drops the translations of one page in the current address space, and global ones (INVLPG). When instructions came from it, all
    /// blocks are looked up again.
    func flushTLB(page address: UInt64) {
        if let shift = shared.largePages.shift(at: address) {
            unsafe clearEntries(shared.localSlots, inRegion: address, shift)
            unsafe clearEntries(shared.globalSlots, inRegion: address, shift)
        } else {
            let slot = TLBEntry.slot(address)
            for mode in 0..<TLBMode.count - 1 { clearEntry(mode &* TLBEntry.count &+ slot) }
            guard shared.spaces.fetched.contains(address) else { return }
        }
        shared.spaces.fetched = FetchedPages()
        s.localGeneration = shared.spaces.nextGeneration()
        s.globalGeneration &+= 1
        updateMode()
    }

    /// Makes every jump-cache entry void, those of other address spaces too.
    func forgetBlocks() {
        s.localGeneration = shared.spaces.nextGeneration()
        s.globalGeneration &+= 1
        shared.spaces.renewGenerations()
        updateMode()
    }

    /// Empties the entries of a large page whose bits are set in one of the slot maps.
    private func clearEntries(_ slots: UnsafeMutablePointer<UInt64>, inRegion address: UInt64, _ shift: UInt64) {
        for word in 0..<TLBEntry.count * (TLBMode.count - 1) / 64 {
            var bits = unsafe slots[word]
            while bits != 0 {
                let index = word &* 64 &+ bits.trailingZeroBitCount
                let entry = unsafe shared.tlbBase[index]
                let isInside =
                    (entry.readTag ^ address) &>> shift == 0 || (entry.writeTag ^ address) &>> shift == 0
                    || (entry.executeTag ^ address) &>> shift == 0
                if isInside { clearEntry(index) }
                bits &= bits &- 1
            }
        }
    }

    /// Empties the entries whose bits are set in one of the slot maps, and the map.
    private func clearEntries(_ slots: UnsafeMutablePointer<UInt64>) {
        for word in 0..<TLBEntry.count * (TLBMode.count - 1) / 64 {
            var bits = unsafe slots[word]
            while bits != 0 {
                clearEntry(word &* 64 &+ bits.trailingZeroBitCount)
                bits &= bits &- 1
            }
            unsafe slots[word] = 0
        }
    }

    @inline(__always)
    func clearEntry(_ index: Int) {
        let invalid = TLBEntry.invalidTag(slot: index & (TLBEntry.count - 1))
        unsafe shared.tlbBase[index].readTag = invalid
        unsafe shared.tlbBase[index].writeTag = invalid
        unsafe shared.tlbBase[index].executeTag = invalid
    }

    /// Notes that an entry is in use, and by which kind of page.
    @inline(__always)
    func useEntry(_ index: Int, isGlobal: Bool) {
        let bit: UInt64 = 1 &<< UInt64(truncatingIfNeeded: index & 63)
        if isGlobal {
            unsafe shared.globalSlots[index &>> 6] |= bit
            unsafe shared.localSlots[index &>> 6] &= ~bit
        } else {
            unsafe shared.localSlots[index &>> 6] |= bit
            unsafe shared.globalSlots[index &>> 6] &= ~bit
        }
    }

    /// True when the entry holds a global page.
    @inline(__always)
    func isGlobalEntry(_ index: Int) -> Bool {
        unsafe (shared.globalSlots[index &>> 6] &>> UInt64(truncatingIfNeeded: index & 63)) & 1 != 0
    }

    /// Makes stores to a frame take the slow path from now on: bytes of it have been decoded.
    func dropWriteEntries(of frame: FrameIndex) {
        let host = unsafe Int(bitPattern: shared.memory.unsafePointer(frame))
        for index in 0..<TLBEntry.count &* (TLBMode.count - 1) {
            let entry = unsafe shared.tlbBase[index]
            if Int(truncatingIfNeeded: entry.writeTag) &+ entry.addend == host {
                unsafe shared.tlbBase[index].writeTag = TLBEntry.invalidTag(slot: index & (TLBEntry.count - 1))
            }
        }
        shared.spaces.dropWriteEntries(of: host)
    }

    /// Translates for an access and remembers it. Nil: no RAM there, the physical address is in the second part.
    func fill(
        _ address: UInt64, _ kind: AccessKind
    ) throws(GuestFault) -> (host: UnsafeMutableRawPointer?, physical: UInt64, frame: FrameIndex) {
        let translation = try translate(address, kind)
        let physical = GuestPhysicalAddress(translation.physical)
        guard let (frame, isWritable) = shared.memory.lookup(physical.frame), isWritable || !kind.contains(.write) else {
            return (nil, translation.physical, FrameIndex(0))
        }
        let page = unsafe shared.memory.unsafePointer(frame)
        if s.tlbMode != .uncached && !kind.contains(.implicit) {
            let slot = TLBEntry.slot(address)
            let index = s.tlbMode.rawValue &* TLBEntry.count &+ slot
            let tag = address & ~0xfff
            let addend = Int(bitPattern: page) &- Int(truncatingIfNeeded: tag)
            let invalid = TLBEntry.invalidTag(slot: slot)
            var entry = unsafe shared.tlbBase[index]
            if entry.addend != addend || (entry.readTag != tag && entry.writeTag != tag && entry.executeTag != tag) {
                entry = TLBEntry(readTag: invalid, writeTag: invalid, executeTag: invalid, addend: addend)
            }
            if kind.contains(.execute) {
                entry.executeTag = tag
            } else {
                entry.readTag = tag
                if translation.isWritable && kind.contains(.write) && shared.memory.codeChunkMask(frame) == 0 { entry.writeTag = tag }
            }
            unsafe shared.tlbBase[index] = entry
            useEntry(index, isGlobal: translation.isGlobal)
            if _slowPath(translation.shift != 12) { shared.largePages.insert(address, translation.shift) }
        }
        return unsafe (page + physical.pageOffset, translation.physical, frame)
    }

    // MARK: - slow accesses

    /// Bits 63-47 are all equal.
    @inline(__always)
    static func isCanonical(_ address: UInt64) -> Bool {
        (Int64(bitPattern: address) &<< 16) &>> 16 == Int64(bitPattern: address)
    }

    /// #GP(0) or #SS(0) for an address that is not canonical in 64-bit code.
    @inline(__always)
    func checkCanonical(_ address: UInt64, _ segment: UInt8) throws(GuestFault) {
        guard s.codeSize == .bits64, !Core.isCanonical(address) else { return }
        throw segment == 2 ? .stackFault() : .generalProtection()
    }

    private func checkAlignment(_ address: UInt64, _ size: Int) throws(GuestFault) {
        if s.checksAlignment && size > 1 && size <= 8 && address & UInt64(size - 1) != 0 { throw .alignmentCheck }
    }

    var dataKind: AccessKind { s.cpl == 3 ? .user : [] }

    @inline(never)
    func loadSlow<T: BitwiseCopyable>(_ address: UInt64, _ segment: UInt8, as: T.Type) throws(GuestFault) -> T {
        let size = MemoryLayout<T>.size
        try checkCanonical(address, segment)
        try checkAlignment(address, size)
        if Int(truncatingIfNeeded: address & 0xfff) &+ size <= 4096 {
            let (host, physical, _) = unsafe try fill(address, dataKind)
            if s.dataBreakpoints != 0 { matchData(address, byteCount: size, isWrite: false) }
            if let host = unsafe host { return unsafe host.loadUnaligned(as: T.self) }
            return readDevice(physical, as: T.self)
        }
        try checkCanonical(address &+ UInt64(size &- 1), segment)
        // Two pages: byte by byte, the first fault wins.
        var value: (UInt64, UInt64) = (0, 0)
        for index in 0..<size {
            let byte = try load(wrapLinear(address &+ UInt64(index)), segment, as: UInt8.self)
            unsafe withUnsafeMutableBytes(of: &value) { unsafe $0[index & 15] = byte }
        }
        return unsafe withUnsafeBytes(of: value) { unsafe $0.loadUnaligned(as: T.self) }
    }

    @inline(__always)
    private func wrapLinear(_ address: UInt64) -> UInt64 {
        isLongMode ? address : address & 0xffff_ffff
    }

    @inline(never)
    func storeSlow<T: BitwiseCopyable>(_ address: UInt64, _ value: T, _ segment: UInt8) throws(GuestFault) {
        let size = MemoryLayout<T>.size
        try checkCanonical(address, segment)
        try checkAlignment(address, size)
        if Int(truncatingIfNeeded: address & 0xfff) &+ size <= 4096 {
            let (host, physical, frame) = unsafe try fill(address, dataKind.union(.write))
            if let host = unsafe host {
                try checkCodeWrite(frame, Int(truncatingIfNeeded: address & 0xfff), size)
                if s.dataBreakpoints != 0 { matchData(address, byteCount: size, isWrite: true) }
                return unsafe host.storeBytes(of: value, as: T.self)
            }
            if s.dataBreakpoints != 0 { matchData(address, byteCount: size, isWrite: true) }
            return writeDevice(physical, value)
        }
        try probeWrite(address, byteCount: size, segment)
        var bytes: (UInt64, UInt64) = (0, 0)
        unsafe withUnsafeMutableBytes(of: &bytes) { unsafe $0.storeBytes(of: value, as: T.self) }
        for index in 0..<size {
            let byte = unsafe withUnsafeBytes(of: bytes) { unsafe $0[index & 15] }
            try store(wrapLinear(address &+ UInt64(index)), byte, segment)
        }
    }

    /// Faults as a write of `byteCount` (at most 4096) bytes would, without writing.
    @inline(never)
    func probeWrite(_ address: UInt64, byteCount: Int, _ segment: UInt8) throws(GuestFault) {
        try checkCanonical(address, segment)
        let last = wrapLinear(address &+ UInt64(byteCount &- 1))
        try checkCanonical(last, segment)
        let (host, _, frame) = unsafe try fill(address, dataKind.union(.write))
        let inFirst = min(byteCount, 4096 &- Int(truncatingIfNeeded: address & 0xfff))
        if unsafe host != nil { try checkCodeWrite(frame, Int(truncatingIfNeeded: address & 0xfff), inFirst) }
        guard (last ^ address) & ~0xfff != 0 else { return }
        let (second, _, secondFrame) = unsafe try fill(last & ~0xfff, dataKind.union(.write))
        if unsafe second != nil { try checkCodeWrite(secondFrame, 0, byteCount &- inFirst) }
    }

    /// Before bytes that were decoded are overwritten, the running instruction has to be run alone.
    @inline(__always)
    func checkCodeWrite(_ frame: FrameIndex, _ offset: Int, _ byteCount: Int) throws(GuestFault) {
        let mask = shared.memory.codeChunkMask(frame)
        guard _slowPath(mask != 0), mask & GuestMemory.chunkMask(offset: offset, byteCount: byteCount) != 0 else { return }
        if s.allowsCodeWrite { shared.overwrite(frame) } else { throw .codeWrite }
        shared.memory.noteWrite(frame, offset: offset, byteCount: byteCount)
    }

    private func readDevice<T: BitwiseCopyable>(_ physical: UInt64, as: T.Type) -> T {
        var words: (UInt64, UInt64) = (0, 0)
        let size = MemoryLayout<T>.size
        words.0 = shared.environment.readPhysical(GuestPhysicalAddress(physical), byteCount: min(size, 8))
        if size > 8 { words.1 = shared.environment.readPhysical(GuestPhysicalAddress(physical &+ 8), byteCount: size &- 8) }
        return unsafe withUnsafeBytes(of: words) { unsafe $0.loadUnaligned(as: T.self) }
    }

    private func writeDevice<T: BitwiseCopyable>(_ physical: UInt64, _ value: T) {
        var words: (UInt64, UInt64) = (0, 0)
        let size = MemoryLayout<T>.size
        unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.storeBytes(of: value, as: T.self) }
        shared.environment.writePhysical(GuestPhysicalAddress(physical), byteCount: min(size, 8), value: words.0)
        if size > 8 { shared.environment.writePhysical(GuestPhysicalAddress(physical &+ 8), byteCount: size &- 8, value: words.1) }
    }

    // MARK: - accesses of the processor itself

    /// Reads a descriptor or another structure with supervisor rights, whatever the CPL.
    func loadSystem<T: BitwiseCopyable>(_ address: UInt64, as: T.Type) throws(GuestFault) -> T {
        let size = MemoryLayout<T>.size
        if Int(truncatingIfNeeded: address & 0xfff) &+ size <= 4096 {
            let (host, physical, _) = unsafe try fill(wrapLinear(address), .implicit)
            if let host = unsafe host { return unsafe host.loadUnaligned(as: T.self) }
            return readDevice(physical, as: T.self)
        }
        var value: (UInt64, UInt64) = (0, 0)
        for index in 0..<size {
            let (host, physical, _) = unsafe try fill(wrapLinear(address &+ UInt64(index)), .implicit)
            let byte: UInt8
            if let host = unsafe host { byte = unsafe host.load(as: UInt8.self) } else { byte = readDevice(physical, as: UInt8.self) }
            unsafe withUnsafeMutableBytes(of: &value) { unsafe $0[index & 15] = byte }
        }
        return unsafe withUnsafeBytes(of: value) { unsafe $0.loadUnaligned(as: T.self) }
    }

    /// Writes with supervisor rights, whatever the CPL (accessed and busy bits, stack frames of a delivery).
    func storeSystem<T: BitwiseCopyable>(_ address: UInt64, _ value: T) throws(GuestFault) {
        let size = MemoryLayout<T>.size
        let (first, physical, frame) = unsafe try fill(wrapLinear(address), [.implicit, .write])
        if Int(truncatingIfNeeded: address & 0xfff) &+ size <= 4096 {
            guard let host = unsafe first else { return writeDevice(physical, value) }
            unsafe host.storeBytes(of: value, as: T.self)
            return noteSystemWrite(frame, Int(truncatingIfNeeded: address & 0xfff), size)
        }
        var bytes: (UInt64, UInt64) = (0, 0)
        unsafe withUnsafeMutableBytes(of: &bytes) { unsafe $0.storeBytes(of: value, as: T.self) }
        _ = unsafe try fill(wrapLinear(address &+ UInt64(size &- 1)), [.implicit, .write])
        for index in 0..<size {
            let at = wrapLinear(address &+ UInt64(index))
            let byte = unsafe withUnsafeBytes(of: bytes) { unsafe $0[index & 15] }
            let (host, physical, frame) = unsafe try fill(at, [.implicit, .write])
            if let host = unsafe host {
                unsafe host.storeBytes(of: byte, as: UInt8.self)
                noteSystemWrite(frame, Int(truncatingIfNeeded: at & 0xfff), 1)
            } else {
                writeDevice(physical, byte)
            }
        }
    }

    /// The processor's own writes to decoded bytes drop the blocks at once: they come between instructions' own effects.
    private func noteSystemWrite(_ frame: FrameIndex, _ offset: Int, _ byteCount: Int) {
        let mask = shared.memory.codeChunkMask(frame)
        guard mask & GuestMemory.chunkMask(offset: offset, byteCount: byteCount) != 0 else { return }
        shared.memory.noteWrite(frame, offset: offset, byteCount: byteCount)
    }
}
