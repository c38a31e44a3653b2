internal import X86
internal import X86Decoder

/// What one vCPU holds beside its register file, in one flat value behind one pointer.
///
/// Arithmetic flags are kept lazily: each instruction leaves four words, and a flag is worked out when somebody asks.
///
///     ZF  zeroSource == 0            SF  bit 63 of signSource        PF  even parity of the low byte of signSource
///     CF  bit 63 of carries          OF  bit 63 ^ bit 62 of carries  AF  bit 4 of auxiliary
@safe
struct CPUState {
    var zeroSource: UInt64 = 1
    var signSource: UInt64 = 1
    var carries: UInt64 = 0
    var auxiliary: UInt64 = 0

    /// The next instruction, valid between blocks. A control transfer writes its target here.
    var rip: UInt64 = 0
    /// What follows the instruction that stopped with a fault.
    var nextRIP: UInt64 = 0
    /// RFLAGS without its six arithmetic flags.
    var systemFlags: UInt64 = RFLAGS.fixed
    /// Instructions retired.
    var instructionCount: UInt64 = 0

    /// The TLB of the current privilege and access mode.
    var tlb: UnsafeMutablePointer<TLBEntry>
    /// Which of the TLBs `tlb` is.
    var tlbMode: TLBMode = .supervisor
    /// What a jump-cache entry must carry to be valid in the current mode: local for all, global for global pages.
    var localTag: UInt64 = 0
    var globalTag: UInt64 = 0
    /// Counts flushes; part of the tags.
    var localGeneration: UInt32 = 1
    var globalGeneration: UInt32 = 1

    var cpl: UInt8 = 0
    var codeSize: CodeSize = .bits16
    /// True for one instruction after STI, MOV SS and POP SS: interrupts stay closed.
    var interruptShadow = false
    /// True while an interrupt waits for RFLAGS.IF: opening interrupts has to look at once.
    var interruptWaits = false
    /// True between the delivery of an NMI and the next IRET.
    var nmiBlocked = false
    /// True while an NMI came during another one; IRET delivers it.
    var nmiWaits = false
    /// Set by an instruction that cleared TF on its way into a handler: no single-step trap follows it.
    var cancelsStep = false
    /// True while RFLAGS.TF makes every instruction a block of its own.
    var isStepping = false
    /// True for one instruction after MOV SS and POP SS: debug exceptions wait for its end.
    var debugShadow = false
    /// True between a task switch's point of no return and whoever looks at what went wrong behind it.
    var switchedTask = false
    /// True while alignment checks are on.
    var checksAlignment = false
    /// Which of DR0 to DR3 match instructions, data and ports now: bit n for DRn. All zero: nothing has to be looked at.
    var instructionBreakpoints: UInt8 = 0
    var dataBreakpoints: UInt8 = 0
    var portBreakpoints: UInt8 = 0
    /// Bits of DR6 that a debug exception at the next instruction boundary will bring.
    var pendingDebug: UInt64 = 0
    /// True while a store may overwrite decoded bytes without stopping first.
    var allowsCodeWrite = false
    /// Why the engine has to leave to its caller at the next boundary.
    var exitReason: ExitReason = .none

    var cr0: UInt64 = CR0.extensionType
    var cr2: UInt64 = 0
    var cr3: UInt64 = 0
    var cr4: UInt64 = 0
    var efer: UInt64 = 0
    var xcr0: UInt64 = 1
    var dr0: UInt64 = 0
    var dr1: UInt64 = 0
    var dr2: UInt64 = 0
    var dr3: UInt64 = 0
    var dr6: UInt64 = 0xffff_0ff0
    var dr7: UInt64 = 0x400
    /// The four page-directory-pointer entries of PAE paging, loaded when CR3 is.
    var pdpte0: UInt64 = 0
    var pdpte1: UInt64 = 0
    var pdpte2: UInt64 = 0
    var pdpte3: UInt64 = 0

    var gdtr = DescriptorTable()
    var idtr = DescriptorTable()

    var star: UInt64 = 0
    var lstar: UInt64 = 0
    var cstar: UInt64 = 0
    var sfmask: UInt64 = 0
    var kernelGSBase: UInt64 = 0
    var sysenterCS: UInt64 = 0
    var sysenterESP: UInt64 = 0
    var sysenterEIP: UInt64 = 0
    var tscAux: UInt64 = 0
    /// What Xen 4.17 shows a new vCPU: write-back, write-through, UC-, UC, write-combining, write-protect, UC, UC.
    var pat: UInt64 = 0x0000_0501_0007_0406

    var mxcsr: UInt32 = 0x1f80
    /// x87 control and status words, with TOP inside the status word; bit n of the tag word: physical register n is in use.
    var fcw: UInt16 = 0x37f
    var fsw: UInt16 = 0
    var ftw: UInt8 = 0
    var fop: UInt16 = 0
    var fip: UInt64 = 0
    var fdp: UInt64 = 0
    var fcs: UInt16 = 0
    var fds: UInt16 = 0

    enum ExitReason: UInt8 {
        case none
        case halted
        case shutdown
        case noCodeMemory
    }
}

/// The rules a TLB's entries were filled under; each has its own array, so that changing rules costs a pointer.
enum TLBMode: Int {
    /// CPL 0-2. With SMAP, user pages are not in it.
    case supervisor = 0
    /// CPL 3.
    case user = 1
    /// CPL 0-2 with RFLAGS.AC: user pages are open despite SMAP.
    case supervisorOpen = 2
    /// Never filled: every access takes the slow path (alignment checks or data breakpoints are on).
    case uncached = 3

    static let count = 4
}

/// One software TLB entry. A tag is the page's linear address, or ``invalidTag(slot:)``.
struct TLBEntry {
    var readTag: UInt64
    var writeTag: UInt64
    var executeTag: UInt64
    /// What to add to a linear address of the page to get its host address.
    var addend: Int

    static let count = 1024

    @inline(__always)
    static func slot(_ address: UInt64) -> Int { Int(truncatingIfNeeded: (address &>> 12) & 1023) }

    /// A tag no linear address of this slot matches: its index bits differ from the slot's own.
    static func invalidTag(slot: Int) -> UInt64 { slot == count - 1 ? 0 : ~0xfff }
}
