/// General-purpose registers by their encoding.
public enum GPR: Int, Sendable, CaseIterable {
    case rax = 0, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
}

/// Bits of RFLAGS (SDM vol. 1, 3.4.3).
public enum RFLAGS {
    public static let carry: UInt64 = 1 << 0
    public static let fixed: UInt64 = 1 << 1
    public static let parity: UInt64 = 1 << 2
    public static let auxiliary: UInt64 = 1 << 4
    public static let zero: UInt64 = 1 << 6
    public static let sign: UInt64 = 1 << 7
    public static let trap: UInt64 = 1 << 8
    public static let interrupt: UInt64 = 1 << 9
    public static let direction: UInt64 = 1 << 10
    public static let overflow: UInt64 = 1 << 11
    public static let ioPrivilege: UInt64 = 3 << 12
    public static let nestedTask: UInt64 = 1 << 14
    public static let resume: UInt64 = 1 << 16
    public static let virtual8086: UInt64 = 1 << 17
    public static let alignmentCheck: UInt64 = 1 << 18
    public static let virtualInterrupt: UInt64 = 1 << 19
    public static let virtualInterruptPending: UInt64 = 1 << 20
    public static let identification: UInt64 = 1 << 21
    /// CF, PF, AF, ZF, SF and OF.
    public static let arithmetic: UInt64 = 0x8d5
}

/// Bits of CR0 (SDM vol. 3A, 2.5).
public enum CR0 {
    public static let protection: UInt64 = 1 << 0
    public static let monitorCoprocessor: UInt64 = 1 << 1
    public static let emulation: UInt64 = 1 << 2
    public static let taskSwitched: UInt64 = 1 << 3
    public static let extensionType: UInt64 = 1 << 4
    public static let numericError: UInt64 = 1 << 5
    public static let writeProtect: UInt64 = 1 << 16
    public static let alignmentMask: UInt64 = 1 << 18
    public static let notWriteThrough: UInt64 = 1 << 29
    public static let cacheDisable: UInt64 = 1 << 30
    public static let paging: UInt64 = 1 << 31
}

/// Bits of CR4 (SDM vol. 3A, 2.5).
public enum CR4 {
    public static let virtual8086Extensions: UInt64 = 1 << 0
    public static let protectedVirtualInterrupts: UInt64 = 1 << 1
    public static let timeStampDisable: UInt64 = 1 << 2
    public static let debuggingExtensions: UInt64 = 1 << 3
    public static let pageSizeExtensions: UInt64 = 1 << 4
    public static let physicalAddressExtension: UInt64 = 1 << 5
    public static let machineCheck: UInt64 = 1 << 6
    public static let pageGlobal: UInt64 = 1 << 7
    public static let performanceCounter: UInt64 = 1 << 8
    public static let osFXSR: UInt64 = 1 << 9
    public static let osXMMExceptions: UInt64 = 1 << 10
    public static let userModeInstructionPrevention: UInt64 = 1 << 11
    public static let fsgsbase: UInt64 = 1 << 16
    public static let pcid: UInt64 = 1 << 17
    public static let osXSAVE: UInt64 = 1 << 18
    public static let smep: UInt64 = 1 << 20
    public static let smap: UInt64 = 1 << 21
}

/// Bits of IA32_EFER (SDM vol. 3A, 2.2.1; AMD64 APM vol. 2, 3.1.7).
public enum EFER {
    public static let syscall: UInt64 = 1 << 0
    public static let longModeEnable: UInt64 = 1 << 8
    public static let longModeActive: UInt64 = 1 << 10
    public static let noExecute: UInt64 = 1 << 11
    public static let fastFXSR: UInt64 = 1 << 14
}

/// Bits of DR6 (SDM vol. 3B, 18.2.3).
public enum DR6 {
    /// B0 to B3: the condition of breakpoint register n was met.
    public static let breakpoints: UInt64 = 0xf
    /// BD: an instruction was about to touch a debug register under general detect.
    public static let accessDetected: UInt64 = 1 << 13
    /// BS: single step.
    public static let singleStep: UInt64 = 1 << 14
    /// BT: a task switch to a TSS with its T flag set.
    public static let taskSwitch: UInt64 = 1 << 15
    /// What reads as one without features this processor lacks.
    public static let fixed: UInt64 = 0xffff_0ff0
}

/// Bits of DR7 (SDM vol. 3B, 18.2.4). Breakpoint n has its enables at bits 2 n (local) and 2 n + 1 (global), its kind at 16 + 4 n
/// and its length at 18 + 4 n.
public enum DR7 {
    /// L0 to L3 and LE, which a task switch clears.
    public static let localEnables: UInt64 = 0x155
    /// GD: accesses to debug registers raise #DB.
    public static let generalDetect: UInt64 = 1 << 13
    public static let fixed: UInt64 = 1 << 10
}

/// Model-specific register numbers that several targets name.
public enum MSR {
    public static let tsc: UInt32 = 0x10
    public static let apicBase: UInt32 = 0x1b
    public static let tscAdjust: UInt32 = 0x3b
    public static let sysenterCS: UInt32 = 0x174
    public static let sysenterESP: UInt32 = 0x175
    public static let sysenterEIP: UInt32 = 0x176
    public static let pat: UInt32 = 0x277
    public static let tscDeadline: UInt32 = 0x6e0
    /// First of the 256 x2APIC registers.
    public static let x2apicFirst: UInt32 = 0x800
    public static let x2apicLast: UInt32 = 0x8ff
    /// The task priority register: MOV to and from CR8 arrive here too, shifted left by four.
    public static let x2apicTPR: UInt32 = 0x808
    public static let efer: UInt32 = 0xc000_0080
    public static let star: UInt32 = 0xc000_0081
    public static let lstar: UInt32 = 0xc000_0082
    public static let cstar: UInt32 = 0xc000_0083
    public static let sfmask: UInt32 = 0xc000_0084
    public static let fsBase: UInt32 = 0xc000_0100
    public static let gsBase: UInt32 = 0xc000_0101
    public static let kernelGSBase: UInt32 = 0xc000_0102
    public static let tscAux: UInt32 = 0xc000_0103
}

/// Segment registers by their encoding.
public enum SegmentName: Int, Sendable, CaseIterable {
    case es = 0, cs, ss, ds, fs, gs
}

/// A segment register with its hidden part.
public struct Segment: BitwiseCopyable, Equatable, Sendable {
    public var selector: UInt16
    /// Bits 0-3 type, 4 S, 5-6 DPL, 7 P, 8 AVL, 9 L, 10 D/B, 11 G: the layout Xen's records use.
    public var attributes: UInt16
    /// In bytes, granularity already applied.
    public var limit: UInt32
    public var base: UInt64

    @inlinable
    public init(selector: UInt16, base: UInt64, limit: UInt32, attributes: UInt16) {
        self.selector = selector
        self.base = base
        self.limit = limit
        self.attributes = attributes
    }

    /// Not usable: what a null selector leaves behind.
    public static let null = Segment(selector: 0, base: 0, limit: 0, attributes: 0)

    @inlinable public var type: UInt16 { attributes & 0xf }
    @inlinable public var isCodeOrData: Bool { attributes & 0x10 != 0 }
    @inlinable public var privilege: UInt8 { UInt8(truncatingIfNeeded: attributes &>> 5) & 3 }
    @inlinable public var isPresent: Bool { attributes & 0x80 != 0 }
    @inlinable public var isLong: Bool { attributes & 0x200 != 0 }
    @inlinable public var isBig: Bool { attributes & 0x400 != 0 }
}

/// GDTR or IDTR.
public struct DescriptorTable: BitwiseCopyable, Equatable, Sendable {
    public var base: UInt64
    public var limit: UInt16

    @inlinable
    public init(base: UInt64 = 0, limit: UInt16 = 0) {
        self.base = base
        self.limit = limit
    }
}

/// Everything about one vCPU but its floating-point state: what a builder sets, a dump shows and engines agree on.
public struct RegisterState: Equatable, Sendable {
    /// RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 … R15.
    public var general: [UInt64]
    public var rip: UInt64
    public var rflags: UInt64
    /// ES, CS, SS, DS, FS, GS.
    public var segments: [Segment]
    public var ldtr: Segment
    public var tr: Segment
    public var gdtr: DescriptorTable
    public var idtr: DescriptorTable
    public var cr0: UInt64
    public var cr2: UInt64
    public var cr3: UInt64
    public var cr4: UInt64
    public var efer: UInt64
    public var dr0: UInt64
    public var dr1: UInt64
    public var dr2: UInt64
    public var dr3: UInt64
    public var dr6: UInt64
    public var dr7: UInt64

    /// The state after INIT (SDM vol. 3A, table 9-1), EIP 0 instead of the reset vector.
    public init() {
        general = Array(repeating: 0, count: 16)
        rip = 0
        rflags = RFLAGS.fixed
        segments = Array(repeating: Segment(selector: 0, base: 0, limit: 0xffff, attributes: 0x93), count: 6)
        segments[SegmentName.cs.rawValue].attributes = 0x9b
        ldtr = Segment(selector: 0, base: 0, limit: 0xffff, attributes: 0x82)
        tr = Segment(selector: 0, base: 0, limit: 0xffff, attributes: 0x8b)
        gdtr = DescriptorTable(base: 0, limit: 0xffff)
        idtr = DescriptorTable(base: 0, limit: 0xffff)
        cr0 = CR0.extensionType
        cr2 = 0
        cr3 = 0
        cr4 = 0
        efer = 0
        (dr0, dr1, dr2, dr3) = (0, 0, 0, 0)
        dr6 = DR6.fixed
        dr7 = DR7.fixed
    }

    public subscript(_ register: GPR) -> UInt64 {
        get { general[register.rawValue] }
        set { general[register.rawValue] = newValue }
    }

    public subscript(_ name: SegmentName) -> Segment {
        get { segments[name.rawValue] }
        set { segments[name.rawValue] = newValue }
    }
}

/// The four registers CPUID answers with.
public struct CPUIDResult: BitwiseCopyable, Equatable, Sendable {
    public var eax: UInt32
    public var ebx: UInt32
    public var ecx: UInt32
    public var edx: UInt32

    @inlinable
    public init(eax: UInt32 = 0, ebx: UInt32 = 0, ecx: UInt32 = 0, edx: UInt32 = 0) {
        self.eax = eax
        self.ebx = ebx
        self.ecx = ecx
        self.edx = edx
    }
}
