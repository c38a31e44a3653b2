package import GuestMemory
internal import Synchronization
package import X86
internal import X86Decoder

/// A translator as the interpreter sees it: it runs in place of ``Core/runBlocks(once:)`` and calls back for what it does not translate.
package protocol TranslationHost: AnyObject {
    /// Runs from the interpreter's RIP until something waits for the caller.
    ///
    /// - Throws: what stopped an instruction; the interpreter's state names it then and every instruction before it is complete.
    func runBlocks() throws(GuestFault)
    /// Forgets what was translated from a frame. No translated code is running.
    func dropTranslations(in frame: FrameIndex)
}

/// Where emitted code finds the state, as byte offsets from ``StateArena/base``. Swift promises no layout, so the compiler is asked.
package enum StateLayout {
    package static let registers = 0
    /// Bases of ES, CS, SS, DS, FS, GS, eight bytes each.
    package static let segmentBases = 18 * 8
    package static let xmm = Core.xmmOffset
    /// 252 bytes that the interpreter leaves to a translator.
    package static let words = 768
    package static let attention = Core.attentionOffset
    package static let rip = offset(\.rip)
    /// RFLAGS without its six arithmetic flags, 64 bits.
    package static let systemFlags = offset(\.systemFlags)
    /// Not 0 while an interrupt waits for RFLAGS.IF (one byte): STI is the interpreter's then.
    package static let interruptWaits = offset(\.interruptWaits)
    package static let mxcsr = offset(\.mxcsr)
    package static let instructionCount = offset(\.instructionCount)
    package static let tlbEntryByteCount = MemoryLayout<TLBEntry>.stride
    package static let tlbEntryCount = TLBEntry.count
    package static let readTag = StateArena.tlbOffset + entryOffset(\.readTag)
    package static let writeTag = StateArena.tlbOffset + entryOffset(\.writeTag)
    package static let addend = StateArena.tlbOffset + entryOffset(\.addend)

    /// Where a segment register's selector is, by encoding.
    package static func selector(_ number: Int) -> Int {
        guard let offset = MemoryLayout<Segment>.offset(of: \.selector) else { preconditionFailure("a stored property has an offset") }
        return Core.segmentOffset + number * 16 + offset
    }

    private static func offset<T>(_ path: KeyPath<CPUState, T>) -> Int {
        guard let offset = MemoryLayout<CPUState>.offset(of: path) else { preconditionFailure("a stored property has an offset") }
        return Core.stateOffset + offset
    }

    private static func entryOffset<T>(_ path: KeyPath<TLBEntry, T>) -> Int {
        guard let offset = MemoryLayout<TLBEntry>.offset(of: path) else { preconditionFailure("a stored property has an offset") }
        return offset
    }
}

/// What decides how code is translated and which translations are valid.
package struct TranslationMode: Equatable {
    /// Which TLB: 0 supervisor, 1 user, 2 supervisor with user pages open.
    package var tlb: Int
    /// SSE instructions raise neither #UD nor #NM, and no floating-point exception is unmasked.
    package var allowsSSE: Bool
    /// Advance when translations that are not global, or all, were dropped.
    package var localGeneration: UInt32
    package var globalGeneration: UInt32

    package init(tlb: Int, allowsSSE: Bool, localGeneration: UInt32, globalGeneration: UInt32) {
        self.tlb = tlb
        self.allowsSSE = allowsSSE
        self.localGeneration = localGeneration
        self.globalGeneration = globalGeneration
    }
}

extension Interpreter {
    /// Connects what runs translated code. Once, before the vCPU runs.
    package func attach(_ host: any TranslationHost) { unsafe context.blocks.translation = host }

    package var guestMemory: GuestMemory { context.memory }
    package var attentionIsWanted: Bool { context.attention.isRaised }

    /// Nil where code has to be interpreted: outside of 64-bit code, at CPL 1 and 2, while every access has to be looked at, behind STI
    /// and MOV SS.
    package var translationMode: TranslationMode? {
        let core = core
        guard core.s.codeSize == .bits64, core.s.tlbMode != .uncached, core.s.cpl == 0 || core.s.cpl == 3, !core.s.interruptShadow else {
            return nil
        }
        let masks: UInt32 = 0x1f80
        let allowsSSE =
            core.s.cr0 & (CR0.emulation | CR0.taskSwitched) == 0 && core.s.cr4 & CR4.osFXSR != 0 && core.s.mxcsr & masks == masks
        return TranslationMode(
            tlb: core.s.tlbMode.rawValue, allowsSSE: allowsSSE, localGeneration: core.s.localGeneration,
            globalGeneration: core.s.globalGeneration)
    }

    /// The six arithmetic flags, in their places in RFLAGS.
    package var arithmeticFlags: UInt64 {
        get { core.arithmeticFlags }
        set { core.setArithmeticFlags(newValue) }
    }

    package var rip: UInt64 {
        get { core.s.rip }
        set { core.s.rip = newValue }
    }

    /// Runs one decoded block at RIP.
    package func interpretBlock() throws(GuestFault) { try core.runBlocks(once: true) }

    /// The frame that the code at RIP lies in.
    ///
    /// - Throws: the fault of the instruction fetch.
    package func locateCode() throws(GuestFault) -> (frame: FrameIndex, isGlobal: Bool) {
        core.s.nextRIP = core.s.rip
        return try core.fetchFrame(core.codeLinear(core.s.rip))
    }

    /// Says that bytes of a frame were translated: stores there take the slow path from now on.
    package func markTranslated(_ frame: FrameIndex, chunks: UInt64) { core.mark(frame, chunks) }

    /// Makes the current TLB's entry fit an access.
    ///
    /// - Returns: false where the interpreter has to run the instruction: it faults, crosses pages, reaches no RAM, or writes to code.
    package func fillEntry(_ address: UInt64, byteCount: Int, isWrite: Bool) -> Bool {
        guard Core.isCanonical(address), Int(truncatingIfNeeded: address & 0xfff) &+ byteCount <= 4096 else { return false }
        do throws(GuestFault) {
            _ = unsafe try core.fill(address, isWrite ? core.dataKind.union(.write) : core.dataKind)
        } catch {
            return false
        }
        let entry = unsafe core.s.tlb + TLBEntry.slot(address)
        return unsafe (isWrite ? entry.pointee.writeTag : entry.pointee.readTag) == address & ~0xfff
    }
}
