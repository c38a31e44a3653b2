internal import GuestMemory
internal import X86
internal import X86Decoder

/// From an instruction pointer to a decoded block.
extension Core {
    /// The block at `s.rip`: from the jump cache, else by translating the address, else decoded now.
    ///
    /// - Throws: the fault of the instruction fetch (#PF, #GP for addresses that are not canonical or beyond the code segment).
    @inline(__always)
    func currentBlock() throws(GuestFault) -> UnsafeMutablePointer<Block> {
        let rip = s.rip
        let entry = unsafe shared.jumpCache + JumpCacheEntry.slot(rip)
        if unsafe entry.pointee.rip == rip, let block = unsafe entry.pointee.block,
            unsafe entry.pointee.tag == s.localTag || entry.pointee.tag == s.globalTag, unsafe block.pointee.isValid
        {
            return unsafe block
        }
        return unsafe try lookUpBlock(rip, entry)
    }

    @inline(never)
    private func lookUpBlock(_ rip: UInt64, _ entry: UnsafeMutablePointer<JumpCacheEntry>) throws(GuestFault) -> UnsafeMutablePointer<Block>
    {
        let address = try codeLinear(rip)
        let (frame, isGlobal) = try fetchFrame(address)
        let key = BlockCache.key(frame, Int(truncatingIfNeeded: address & 0xfff), s.codeSize)
        if let block = unsafe shared.blocks.find(key) {
            if unsafe block.pointee.crossesPage {
                let (second, _) = try fetchFrame((address & ~0xfff) &+ 4096)
                if unsafe block.pointee.secondFrame == second.rawValue { return unsafe block }
                shared.blocks.dropBlocks(in: frame, memory: shared.memory)
            } else {
                unsafe entry.pointee = JumpCacheEntry(rip: rip, tag: isGlobal ? s.globalTag : s.localTag, block: block)
                return unsafe block
            }
        }
        let block = unsafe try decodeBlock(address, frame, key)
        if unsafe !block.pointee.crossesPage {
            unsafe entry.pointee = JumpCacheEntry(rip: rip, tag: isGlobal ? s.globalTag : s.localTag, block: block)
        }
        return unsafe block
    }

    /// Linear address of an instruction pointer, code segment limit applied.
    func codeLinear(_ rip: UInt64) throws(GuestFault) -> UInt64 {
        if s.codeSize == .bits64 {
            guard Core.isCanonical(rip) else { throw .generalProtection() }
            return rip
        }
        let code = segment(1)
        guard rip <= UInt64(code.limit) else { throw .generalProtection() }
        return (rip &+ code.base) & 0xffff_ffff
    }

    /// The pool frame that an instruction is fetched from.
    func fetchFrame(_ address: UInt64) throws(GuestFault) -> (FrameIndex, isGlobal: Bool) {
        let slot = TLBEntry.slot(address)
        let index = s.tlbMode.rawValue &* TLBEntry.count &+ slot
        let entry = unsafe shared.tlbBase[index]
        if entry.executeTag == address & ~0xfff {
            let host = Int(truncatingIfNeeded: address & ~0xfff) &+ entry.addend
            let frame = unsafe (host &- Int(bitPattern: shared.memory.unsafePoolBase)) &>> 12
            noteFetch(address, isGlobal: isGlobalEntry(index))
            return (FrameIndex(UInt32(truncatingIfNeeded: frame)), isGlobalEntry(index))
        }
        let kind: AccessKind = s.cpl == 3 ? [.execute, .user] : .execute
        let (host, physical, frame) = unsafe try fill(address, kind)
        if unsafe host == nil {
            shared.crash =
                "instruction fetch at 0x\(String(address, radix: 16)) from guest-physical 0x\(String(physical, radix: 16)), where no memory is"
            s.exitReason = .noCodeMemory
            throw .leave
        }
        let isGlobal = s.tlbMode == .uncached ? false : isGlobalEntry(index)
        noteFetch(address, isGlobal: isGlobal)
        return (frame, isGlobal)
    }

    // MARK: - decoding

    /// Decodes the block at `rip` and keeps it.
    private func decodeBlock(_ address: UInt64, _ frame: FrameIndex, _ key: UInt64) throws(GuestFault) -> UnsafeMutablePointer<Block> {
        let flushes = shared.blocks.flushCount
        let block = unsafe shared.blocks.reserve()
        if shared.blocks.flushCount != flushes { forgetBlocks() }
        let (rows, byteCount, second) = unsafe try decode(into: block, address, frame, key, most: Block.maximumInstructions)
        unsafe shared.blocks.insert(block, rows: rows, frame: frame, second: second)
        let start = Int(truncatingIfNeeded: address & 0xfff)
        mark(frame, GuestMemory.chunkMask(offset: start, byteCount: min(byteCount, 4096 &- start)))
        if let second { mark(second, 1) }
        return unsafe block
    }

    /// The instruction at `s.rip` as a block of its own that no cache holds.
    func scratchBlock() throws(GuestFault) -> UnsafeMutablePointer<Block> {
        let address = try codeLinear(s.rip)
        let (frame, _) = try fetchFrame(address)
        _ = unsafe try decode(into: shared.scratch, address, frame, 0, most: 1)
        return unsafe shared.scratch
    }

    /// Decodes until an instruction that ends a block, the end of the page, or `most` instructions.
    private func decode(
        into block: UnsafeMutablePointer<Block>, _ address: UInt64, _ frame: FrameIndex, _ key: UInt64, most: Int
    ) throws(GuestFault) -> (rows: Int, byteCount: Int, second: FrameIndex?) {
        let rows = unsafe block.instructions
        let page = unsafe shared.memory.unsafePointer(frame)
        let start = Int(truncatingIfNeeded: address & 0xfff)
        var count = 0
        var offset = 0
        var ended = false
        var second: FrameIndex?
        while count < most && !ended && start &+ offset < 4096 {
            let left = 4096 &- start &- offset
            var row = unsafe decodeOne(page + (start &+ offset), left, offset)
            if row == nil {
                // The instruction runs into the next page: only as the first of its block.
                if count > 0 { break }
                (row, second) = unsafe try decodeCrossing(page, start, left, address)
                ended = true
            }
            guard var row else { break }
            ended = ended || row.flags.contains(.endsBlock) || row.flags.contains(.invalid)
            lower(&row)
            unsafe (rows + count).initialize(to: row)
            offset &+= Int(row.length)
            count &+= 1
        }
        var end = Instruction()
        end.code = UInt16(Operation.endOfBlock.rawValue)
        end.offset = UInt16(truncatingIfNeeded: offset)
        unsafe (rows + count).initialize(to: end)
        unsafe block.initialize(
            to: Block(
                key: key, isValid: true, crossesPage: second != nil, instructionCount: UInt16(truncatingIfNeeded: count),
                secondFrame: second?.rawValue ?? 0))
        return (count + 1, offset, second)
    }

    func mark(_ frame: FrameIndex, _ chunks: UInt64) {
        if shared.memory.markCode(frame, chunks: chunks) { dropWriteEntries(of: frame) }
    }

    /// Decodes the instruction at `bytes`; nil when it needs bytes beyond `available`.
    private func decodeOne(_ bytes: UnsafeMutableRawPointer, _ available: Int, _ offset: Int) -> Instruction? {
        let result = unsafe Decoder.decode(
            UnsafeRawBufferPointer(start: bytes, count: min(available, 15)), codeSize: s.codeSize, offsetInBlock: offset)
        return result.status == .complete ? result.instruction : nil
    }

    /// The instruction whose first `left` bytes end a page. Its row may lie in one page after all: then the second is nil.
    private func decodeCrossing(
        _ page: UnsafeMutableRawPointer, _ start: Int, _ left: Int, _ address: UInt64
    ) throws(GuestFault) -> (Instruction?, FrameIndex?) {
        let (second, _) = try fetchFrame((address & ~0xfff) &+ 4096)
        var bytes: (UInt64, UInt64) = (0, 0)
        let row = unsafe withUnsafeMutableBytes(of: &bytes) { buffer in
            unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(start: page + start, count: left))
            unsafe (buffer.baseAddress! + left).copyMemory(from: shared.memory.unsafePointer(second), byteCount: 15 - left)
            return unsafe Decoder.decode(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[0..<15]), codeSize: s.codeSize)
        }
        // Only the sixteenth byte is missing now, and no instruction has one.
        guard row.status == .complete else { throw .generalProtection() }
        return (row.instruction, second)
    }
}
