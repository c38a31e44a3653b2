import Synchronization
import VirtualCPU
import X86
import XenABI

/// All hypercalls of a guest with its own page tables, one row per number, with a column for 64-bit and one for 32-bit callers.
enum HypercallTable {
    typealias Handler = @Sendable (HypercallContext) throws(XenError) -> Int64

    struct Row: Sendable {
        let number: Int
        /// nil where the call does not exist in that mode.
        let in64Bit: Handler?
        let in32Bit: Handler?

        /// A call whose handler reads the caller's mode from its context.
        init(_ number: Int, _ both: @escaping Handler) {
            self.number = number
            in64Bit = both
            in32Bit = both
        }
    }

    /// Numbers the interface can name.
    static let size = 64

    private static let rows: [Row] = [
        Row(Hypercall.platformOp, Refused.afterReading),
        Row(Hypercall.memoryOp, MemoryOps.handle),
        Row(Hypercall.multicall, Multicall.handle),
        Row(Hypercall.setTimerOp, Timers.setTimerOp),
        Row(Hypercall.xenVersion, XenVersionOps.handle),
        Row(Hypercall.consoleIO, Refused.outright),
        Row(Hypercall.grantTableOp, GrantTableOps.handle),
        Row(Hypercall.vmAssist, VMAssistOps.handle),
        Row(Hypercall.vcpuOp, VCPUOps.handle),
        Row(Hypercall.mmuExtendedOp, Refused.mmuExtended),
        Row(Hypercall.schedOp, SchedOps.handle),
        Row(Hypercall.eventChannelOp, EventChannelOps.handle),
        Row(Hypercall.physdevOp, PhysdevOps.handle),
        Row(Hypercall.hvmOp, HVMOps.handle),
        Row(Hypercall.sysctl, Refused.afterReading),
        Row(Hypercall.domctl, Refused.afterReading),
        Row(Hypercall.xenpmuOp, Refused.unsupported),
        Row(Hypercall.deviceModelOp, Refused.deviceModel),
        Row(Hypercall.hypfsOp, Refused.outright),
        Row(Hypercall.pagingDomctlContinuation, Refused.afterReading),
    ]

    /// Rows by number.
    private static let table: [Row?] = {
        var table = [Row?](repeating: nil, count: size)
        for row in rows { table[row.number] = row }
        return table
    }()

    /// Handles VMCALL or VMMCALL: takes number and arguments out of the registers and puts the result into the first.
    static func dispatch(_ cpu: any VirtualCPU, _ vcpu: VCPU) {
        let is64Bit = cpu.is64Bit
        guard cpu.privilegeLevel == 0 else { return setResult(XenError.notPermitted.result, cpu, is64Bit) }
        let context = HypercallContext(vcpu: vcpu, cpu: cpu, is64Bit: is64Bit, arguments: arguments(cpu, is64Bit))
        let number = is64Bit ? cpu.general(.rax) : cpu.general(.rax) & 0xffff_ffff
        setResult(call(number, context), cpu, is64Bit)
    }

    /// Runs one call and counts it.
    static func call(_ number: UInt64, _ context: HypercallContext) -> Int64 {
        let index = Int(truncatingIfNeeded: min(number, UInt64(size)))
        context.domain.counters.bump(index)
        guard index < size, let row = table[index], let handler = context.is64Bit ? row.in64Bit : row.in32Bit else {
            return XenError.notImplemented.result
        }
        do throws(XenError) { return try handler(context) } catch { return error.result }
    }

    private static func arguments(_ cpu: any VirtualCPU, _ is64Bit: Bool) -> InlineArray<5, UInt64> {
        if is64Bit {
            return [cpu.general(.rdi), cpu.general(.rsi), cpu.general(.rdx), cpu.general(.r10), cpu.general(.r8)]
        }
        let mask: UInt64 = 0xffff_ffff
        return [
            cpu.general(.rbx) & mask, cpu.general(.rcx) & mask, cpu.general(.rdx) & mask, cpu.general(.rsi) & mask,
            cpu.general(.rdi) & mask,
        ]
    }

    private static func setResult(_ result: Int64, _ cpu: any VirtualCPU, _ is64Bit: Bool) {
        let value = UInt64(bitPattern: result)
        cpu.setGeneral(.rax, is64Bit ? value : value & 0xffff_ffff)
    }
}
