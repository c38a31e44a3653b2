internal import GuestMemory
internal import X86
internal import X86Decoder
internal import X86Interpreter

/// Goes from block to block: finds or makes translations, enters them, and hands the interpreter what they leave to it.
@safe
final class Dispatcher: TranslationHost {
    /// Owned by the translator, as this is.
    private let unownedInterpreter: Unmanaged<Interpreter>
    private let arena: StateArena
    private let state: UnsafeMutableRawPointer
    private let code: CodeMemory
    private let common: CommonCode
    private let table: TranslationTable
    private let jumpCache: JumpCache
    private let space = BlockWorkspace()
    private let features = HostFeatures.detected
    private let options: TranslatorOptions
    private var links: [Link] = []
    private var position: Int
    /// The mode that the jump cache belongs to.
    private var mode = TranslationMode(tlb: -1, allowsSSE: false, localGeneration: 0, globalGeneration: 0)
    /// The arithmetic flags are in the state block, not with the interpreter.
    private var ownsFlags = false
    private(set) var statistics = TranslatorStatistics()

    private typealias Enter = @convention(c) (UnsafeMutableRawPointer, Int) -> UInt32
    private let enterCode: Enter

    init(interpreter: Interpreter, arena: StateArena, code: CodeMemory, options: TranslatorOptions) {
        unsafe unownedInterpreter = Unmanaged.passUnretained(interpreter)
        self.arena = arena
        unsafe state = arena.base
        self.code = code
        self.options = options
        let helper: @convention(c) (UnsafeRawPointer, UInt64, UInt32) -> Bool = { owner, address, access in
            let dispatcher = unsafe Unmanaged<Dispatcher>.fromOpaque(owner)
            return unsafe dispatcher._withUnsafeGuaranteedRef { $0.fill(address, access) }
        }
        var assembler = code.assembler(at: 0)
        common = unsafe CommonCode(&assembler, helper: unsafeBitCast(helper, to: Int.self))
        position = (assembler.position + 63) & ~63
        unsafe enterCode = unsafeBitCast(code.executableAddress + common.enter, to: Enter.self)
        table = TranslationTable(memory: interpreter.guestMemory)
        jumpCache = unsafe JumpCache(state, empty: code.executableAddress + common.exitAnywhere)
        unsafe state.storeBytes(of: Unmanaged.passUnretained(self).toOpaque(), toByteOffset: Layout.owner, as: UnsafeMutableRawPointer.self)
    }

    @inline(__always)
    private var interpreter: Interpreter { unsafe unownedInterpreter._withUnsafeGuaranteedRef { $0 } }

    // MARK: - running

    func runBlocks() throws(GuestFault) {
        do throws(GuestFault) {
            try runUntilAttention()
        } catch {
            giveFlags()
            throw error
        }
        giveFlags()
    }

    private func runUntilAttention() throws(GuestFault) {
        var entry = try findEntry()
        var isFirst = true
        while true {
            guard let here = entry else {
                giveFlags()
                statistics.interpretedBlocks &+= 1
                try interpreter.interpretBlock()
                if interpreter.attentionIsWanted { return }
                isFirst = false
                entry = try findEntry()
                continue
            }
            takeFlags()
            statistics.enteredBlocks &+= 1
            let exit = unsafe enterCode(state, here)
            switch exit >> ExitCode.kindShift {
            case ExitCode.link >> ExitCode.kindShift: entry = follow(links[Int(truncatingIfNeeded: exit)])
            case ExitCode.resume >> ExitCode.kindShift:
                setRIP(exit & ExitCode.positionMask)
                if interpreter.attentionIsWanted { return try makeProgress(isFirst) }
                // The block was dropped, and the jump cache did not know.
                jumpCache.remove(interpreter.rip, mode.tlb)
                entry = try findEntry()
            case ExitCode.interpret >> ExitCode.kindShift:
                setRIP(exit & ExitCode.positionMask)
                if options.countsInstructions { uncount(exit) }
                entry = nil
            default: entry = try findEntry()
            }
            isFirst = false
        }
    }

    /// Attention stops a block before its first instruction. Whoever raises it all the time must not stop the guest for good.
    private func makeProgress(_ isNeeded: Bool) throws(GuestFault) {
        guard isNeeded else { return }
        giveFlags()
        try interpreter.interpretBlock()
    }

    private func setRIP(_ position: UInt32) {
        interpreter.rip = unsafe state.load(fromByteOffset: Layout.ripPage, as: UInt64.self) &+ UInt64(position)
    }

    /// A block counts all of its instructions at once: takes off those that did not run.
    private func uncount(_ exit: UInt32) {
        let remaining = UInt64(exit >> ExitCode.remainingShift & ExitCode.remainingMask)
        let count = unsafe state.load(fromByteOffset: StateLayout.instructionCount, as: UInt64.self)
        unsafe state.storeBytes(of: count &- remaining, toByteOffset: StateLayout.instructionCount, as: UInt64.self)
    }

    // MARK: - flags

    /// From the interpreter's form to that of translated code.
    private func takeFlags() {
        guard !ownsFlags else { return }
        ownsFlags = true
        let flags = interpreter.arithmeticFlags
        let word = UInt16(truncatingIfNeeded: (flags & 0xd5) << 8 | 0x200 | flags >> 11 & 1)
        unsafe state.storeBytes(of: word, toByteOffset: Layout.flags, as: UInt16.self)
    }

    private func giveFlags() {
        guard ownsFlags else { return }
        ownsFlags = false
        let word = UInt64(unsafe state.load(fromByteOffset: Layout.flags, as: UInt16.self))
        interpreter.arithmeticFlags = word >> 8 & 0xd5 | (word & 1) << 11
    }

    // MARK: - finding

    /// The entry of the translation at RIP; nil where the interpreter runs the next block.
    ///
    /// - Throws: the fault of the instruction fetch.
    private func findEntry() throws(GuestFault) -> Int? {
        guard let mode = interpreter.translationMode else { return nil }
        if mode != self.mode { change(to: mode) }
        let rip = interpreter.rip
        if let entry = jumpCache.find(rip, mode.tlb) {
            unsafe state.storeBytes(of: rip & ~0xfff, toByteOffset: Layout.ripPage, as: UInt64.self)
            return entry
        }
        let (frame, isGlobal) = try interpreter.locateCode()
        let key = TranslationTable.key(frame, Int(truncatingIfNeeded: rip & 0xfff), tlb: mode.tlb, allowsSSE: mode.allowsSSE)
        let translation = translation(key)
        guard translation.isTranslated else { return nil }
        let entry = code.executableAddress + Int(translation.entry)
        jumpCache.insert(rip, mode.tlb, entry, isGlobal: isGlobal)
        unsafe state.storeBytes(of: rip & ~0xfff, toByteOffset: Layout.ripPage, as: UInt64.self)
        return entry
    }

    private func change(to mode: TranslationMode) {
        if mode.allowsSSE != self.mode.allowsSSE || mode.globalGeneration != self.mode.globalGeneration {
            jumpCache.clear()
        } else if mode.localGeneration != self.mode.localGeneration {
            jumpCache.clearLocal()
        }
        self.mode = mode
    }

    /// The translation for a key. Made at once: interpreting a block a few times before was never faster, not even for a boot.
    private func translation(_ key: UInt64) -> Translation { table.find(key) ?? translate(key) }

    /// A link's target is known or made, and the link leads there from now on.
    private func follow(_ link: Link) -> Int? {
        setRIP(link.target)
        let flushes = statistics.codeFlushes
        let target = translation(TranslationTable.key(link.key, position: link.target))
        guard target.isTranslated else { return nil }
        let entry = link.flagsAreSaved ? target.entry : target.hostEntry
        // A translation made just now may have thrown all others away, the one with this link among them.
        if flushes == statistics.codeFlushes { code.assembler(at: 0).patch(Int(link.site), to: Int(entry)) }
        return code.executableAddress + Int(target.entry)
    }

    // MARK: - translating

    private func translate(_ key: UInt64) -> Translation {
        if position + BlockTranslator.mostBytes > code.byteCount || table.isFull { dropAll() }
        let frame = TranslationTable.frame(key)
        let start = Int(truncatingIfNeeded: key & 0xfff)
        var block = BlockTranslator(
            code.assembler(at: position), common, space, key: key, mode: mode.tlb, firstLink: links.count,
            options: options)
        let page = unsafe UnsafeRawPointer(interpreter.guestMemory.unsafePointer(frame))
        let byteCount = unsafe block.decode(page, start, features, allowsSSE: mode.allowsSSE)
        interpreter.markTranslated(frame, chunks: GuestMemory.chunkMask(offset: start, byteCount: max(byteCount, 1)))
        guard block.rowCount > 0 else {
            let none = Translation(key: key, hostEntry: -1, entry: -1, leave: -1)
            table.insert(none)
            return none
        }
        let translation = block.translate(start)
        position = (block.a.position + 15) & ~15
        links.append(contentsOf: block.links)
        table.insert(translation)
        statistics.translatedBlocks &+= 1
        statistics.translatedInstructions &+= block.rowCount
        return translation
    }

    private func dropAll() {
        table.dropAll()
        jumpCache.clear()
        links.removeAll(keepingCapacity: true)
        position = (common.end + 63) & ~63
        statistics.codeFlushes &+= 1
    }

    func dropTranslations(in frame: FrameIndex) {
        let assembler = code.assembler(at: 0)
        table.drop(frame) { translation in
            guard translation.isTranslated else { return }
            var here = assembler
            here.position = Int(translation.entry)
            here.jump(to: Int(translation.leave))
        }
    }

    // MARK: - misses

    private func fill(_ address: UInt64, _ access: UInt32) -> Bool {
        statistics.misses &+= 1
        let width = Int(access >> ExitCode.widthShift & ExitCode.widthMask)
        if access & ExitCode.checksAlignment != 0 && address & UInt64(width - 1) != 0 { return false }
        return interpreter.fillEntry(address, byteCount: width, isWrite: access & ExitCode.isWrite != 0)
    }
}
