internal import X86Interpreter

/// Where translated code keeps what it needs, as displacements from RSP, which holds the state block's address (see ``StateArena``).
enum Layout {
    // MARK: words of the translator among the interpreter's registers

    /// Linear address of the page that the running code lies in. Code is translated by physical position; this is its RIP.
    static let ripPage = StateLayout.words
    /// Arithmetic flags while they are in no register: byte 0 is OF, byte 1 what LAHF gives.
    static let flags = StateLayout.words + 8
    static let hostRSP = StateLayout.words + 16
    static let temporary = StateLayout.words + 24
    /// Not zero while XMM0 to XMM15 and MXCSR are the guest's (32 bits).
    static let vectorsAreLive = StateLayout.words + 32
    static let hostMXCSR = StateLayout.words + 36
    /// The ``Translator``, for helpers.
    static let owner = StateLayout.words + 40
    static let missedAddress = StateLayout.words + 48
    static let missedAccess = StateLayout.words + 56

    // MARK: jump cache

    /// For each TLB mode an array of instruction pointers and one of entry points.
    static let jumpCacheCount = 4096
    static let jumpCacheModes = 3
    static let jumpCacheByteCount = jumpCacheModes * jumpCacheCount * 16
    /// Odd; the slot is the top 12 bits of the low 32 bits of the product.
    static let jumpCacheMultiplier: UInt32 = 0x9e37_79b1

    static func jumpCacheRIPs(_ mode: Int) -> Int { StateArena.extraOffset + mode * jumpCacheCount * 16 }
    static func jumpCacheEntries(_ mode: Int) -> Int { jumpCacheRIPs(mode) + jumpCacheCount * 8 }

    static func jumpCacheSlot(_ rip: UInt64) -> Int {
        Int(truncatingIfNeeded: (UInt32(truncatingIfNeeded: rip) &* jumpCacheMultiplier) &>> 20)
    }

    // MARK: TLB

    static func tlb(_ mode: Int) -> Int { mode * StateLayout.tlbEntryCount * StateLayout.tlbEntryByteCount }
    /// From bit 12 of an address to the entry's byte offset.
    static let tlbShift: UInt8 = 7
    static let tlbMask: Int32 = 0x7fe0
}

/// What translated code says when it leaves: two bits of kind, and what belongs to it.
enum ExitCode {
    /// The rest is a link's number.
    static let link: UInt32 = 0
    /// Bits 0-11 are RIP's position in its page; nothing of the block has run.
    static let resume: UInt32 = 1 << 30
    /// The same; the instruction there is for the interpreter. Bits 19-25 count the block's instructions from it on.
    static let interpret: UInt32 = 2 << 30
    /// RIP is complete in the state.
    static let anywhere: UInt32 = 3 << 30

    static let kindShift: UInt32 = 30
    static let positionMask: UInt32 = 0xfff
    static let widthShift: UInt32 = 12
    static let widthMask: UInt32 = 31
    static let isWrite: UInt32 = 1 << 17
    static let checksAlignment: UInt32 = 1 << 18
    static let remainingShift: UInt32 = 19
    static let remainingMask: UInt32 = 127
}
