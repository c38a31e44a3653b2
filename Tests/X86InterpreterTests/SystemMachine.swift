import GuestMemory
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

/// An environment of a few remembered values.
final class TinyEnvironment: VirtualCPUEnvironment {
    var interrupts: [UInt8] = []
    var nonMaskable = 0
    var hypercalls = 0
    var written: [(port: UInt16, byteCount: Int, value: UInt32)] = []
    var models: [UInt32: UInt64] = [MSR.x2apicTPR: 0]
    /// Leaf 0 EBX: "Auth" of AuthenticAMD unless a test wants "Genu".
    var vendor: UInt32 = 0x6874_7541

    func readPort(_ port: UInt16, byteCount: Int) -> UInt32 { 0x1234_5600 | UInt32(port & 0xff) }
    func writePort(_ port: UInt16, byteCount: Int, value: UInt32) { written.append((port, byteCount, value)) }
    func readPhysical(_ address: GuestPhysicalAddress, byteCount: Int) -> UInt64 { .max }
    func writePhysical(_ address: GuestPhysicalAddress, byteCount: Int, value: UInt64) {}
    func readMSR(_ index: UInt32) -> UInt64? { models[index] }
    func writeMSR(_ index: UInt32, _ value: UInt64) -> Bool { models.updateValue(value, forKey: index) != nil }
    func cpuid(leaf: UInt32, subleaf: UInt32) -> CPUIDResult { CPUIDResult(eax: leaf, ebx: vendor, ecx: 0, edx: 0) }
    func hypercall(_ cpu: any VirtualCPU) { hypercalls += 1 }
    func hasPendingInterrupt() -> Bool { !interrupts.isEmpty }
    func acknowledgeInterrupt() -> UInt8? { interrupts.isEmpty ? nil : interrupts.removeFirst() }
    func shouldLeave() -> Bool { false }
    func takeNMI() -> Bool {
        guard nonMaskable > 0 else { return false }
        nonMaskable -= 1
        return true
    }
    func readTSC() -> UInt64 { 0x1_0000_0002 }
}

/// What a handler found on its stack.
struct Taken: Equatable {
    var vector: UInt8
    var errorCode: UInt32?
    var rip: UInt64
    var cs: UInt16
    var flags: UInt64
    var rsp: UInt64
    var ss: UInt16
}

/// A machine of 2 MiB in long mode with a handler for every vector that halts, a GDT of every kind of segment and
/// identity-mapped pages: those below ``user`` for the kernel, those above for everybody.
final class TinyMachine {
    // Where things lie.
    static let gdt: UInt64 = 0x1000
    static let idt: UInt64 = 0x2000
    static let tss: UInt64 = 0x3000
    static let tables: UInt64 = 0x10000
    static let kernelCode: UInt64 = 0x8000
    static let kernelStack: UInt64 = 0x7000
    static let interruptStack: UInt64 = 0x6000
    static let doubleFaultStack: UInt64 = 0x5000
    static let handlers: UInt64 = 0x20000
    static let user: UInt64 = 0x40000
    static let userCode: UInt64 = 0x41000
    static let userStack: UInt64 = 0x43000
    static let userData: UInt64 = 0x44000
    /// A page that is mapped nowhere, and one whose entry has a reserved bit.
    static let unmapped: UInt64 = 0x50000

    // Selectors.
    static let code64: UInt16 = 0x08
    static let data: UInt16 = 0x10
    static let userCode32: UInt16 = 0x1b
    static let userData3: UInt16 = 0x23
    static let userCode64: UInt16 = 0x2b
    static let task: UInt16 = 0x30
    static let code32: UInt16 = 0x40
    static let absentData: UInt16 = 0x48
    static let absentCode: UInt16 = 0x50
    static let callGate: UInt16 = 0x60
    static let readOnlyData: UInt16 = 0x70

    let memory: GuestMemory
    let environment = TinyEnvironment()
    let cpu: Interpreter
    var core: Core { cpu.core }

    init() throws {
        memory = try GuestMemory(poolPageCount: 512)
        try memory.populate(GuestFrameNumber(0), count: 512)
        cpu = Interpreter(index: 0, memory: memory, environment: environment)
        try buildTables()
        try buildPages()
        enterLongMode()
    }

    func store<T: FixedWidthInteger & BitwiseCopyable>(_ address: UInt64, _ value: T) throws {
        try memory.store(GuestPhysicalAddress(address), value)
    }

    func load<T: FixedWidthInteger & BitwiseCopyable>(_ address: UInt64, as: T.Type) throws -> T {
        try memory.load(GuestPhysicalAddress(address), as: T.self)
    }

    func place(_ bytes: [UInt8], at address: UInt64) throws {
        try memory.write(GuestPhysicalAddress(address), bytes: bytes)
    }

    // MARK: - tables

    private func buildTables() throws {
        let descriptors: [UInt64] = [
            0, 0x00af_9b00_0000_ffff, 0x00cf_9300_0000_ffff, 0x00cf_fb00_0000_ffff, 0x00cf_f300_0000_ffff, 0x00af_fb00_0000_ffff,
            0x0000_8900_3000_0fff, 0, 0x00cf_9b00_0000_ffff, 0x00cf_1300_0000_ffff, 0x00af_1b00_0000_ffff, 0,
            0x0000_ec00_0008_8100, 0, 0x00cf_9100_0000_ffff,
        ]
        for (index, value) in descriptors.enumerated() { try store(Self.gdt + UInt64(index) * 8, value) }
        for vector in 0..<256 { try setGate(UInt8(vector)) }
        try store(Self.tss + 4, Self.kernelStack)
        try store(Self.tss + 36, Self.interruptStack)
        try store(Self.tss + 44, Self.doubleFaultStack)
        // The I/O bitmap lies beyond the limit: no port is open to users.
        try store(Self.tss + 0x66, UInt16(0x1000))
    }

    /// The gate of a vector; `type` has present and DPL in it (8E: interrupt gate, 8F: trap gate, EE: open to users).
    func setGate(_ vector: UInt8, type: UInt8 = 0x8e, selector: UInt16 = code64, stack: UInt8 = 0) throws {
        let handler = Self.handlers + UInt64(vector) * 16
        let low = handler & 0xffff | UInt64(selector) << 16 | UInt64(stack) << 32 | UInt64(type) << 40 | (handler >> 16 & 0xffff) << 48
        try store(Self.idt + UInt64(vector) * 16, low)
        try store(Self.idt + UInt64(vector) * 16 + 8, handler >> 32)
        try place([0xf4], at: handler)
    }

    private func buildPages() throws {
        try store(Self.tables, Self.tables + 0x1000 | 7)
        try store(Self.tables + 0x1000, Self.tables + 0x2000 | 7)
        try store(Self.tables + 0x2000, Self.tables + 0x3000 | 7)
        for page in UInt64(0)..<512 {
            let address = page * 4096
            setPage(address, address | (address >= Self.user ? 7 : 3))
        }
        setPage(Self.unmapped, 0)
    }

    /// Writes the page-table entry of an address below 2 MiB.
    func setPage(_ address: UInt64, _ entry: UInt64) {
        do { try store(pageSlot(address), entry) } catch { preconditionFailure("the tables lie in memory") }
    }

    func pageSlot(_ address: UInt64) -> UInt64 { Self.tables + 0x3000 + address / 4096 * 8 }

    // MARK: - state

    private func enterLongMode() {
        var state = RegisterState()
        state.cr0 = CR0.protection | CR0.extensionType | CR0.paging | CR0.writeProtect | CR0.numericError
        state.cr3 = Self.tables
        state.cr4 = CR4.physicalAddressExtension | CR4.osFXSR
        state.efer = EFER.longModeEnable | EFER.longModeActive | EFER.syscall | EFER.noExecute
        state.gdtr = DescriptorTable(base: Self.gdt, limit: 0x77)
        state.idtr = DescriptorTable(base: Self.idt, limit: 0xfff)
        state.tr = Segment(selector: Self.task, base: Self.tss, limit: 0xfff, attributes: 0x8b)
        state.ldtr = .null
        cpu.registerState = state
        useKernel()
    }

    func useKernel() {
        setLevel(
            Segment(selector: Self.code64, base: 0, limit: .max, attributes: 0xa9b),
            Segment(selector: Self.data, base: 0, limit: .max, attributes: 0xc93), rip: Self.kernelCode, rsp: Self.kernelStack)
    }

    func useUser() {
        setLevel(
            Segment(selector: Self.userCode64, base: 0, limit: .max, attributes: 0xafb),
            Segment(selector: Self.userData3, base: 0, limit: .max, attributes: 0xcf3), rip: Self.userCode, rsp: Self.userStack)
    }

    func setLevel(_ code: Segment, _ stack: Segment, rip: UInt64, rsp: UInt64) {
        var state = cpu.registerState
        state[.cs] = code
        state[.ss] = stack
        for name in [SegmentName.ds, .es, .fs, .gs] { state[name] = stack }
        state.rip = rip
        state[.rsp] = rsp
        cpu.registerState = state
    }

    // MARK: - running

    /// Runs `bytes` at the current instruction pointer until the guest halts or falls.
    @discardableResult
    func run(_ bytes: [UInt8]) throws -> VirtualCPUExit {
        try place(bytes, at: core.s.rip)
        return cpu.run()
    }

    private static let withErrorCode: Set<UInt8> = [8, 10, 11, 12, 13, 14, 17]

    /// What the halted handler was entered with; nil when something else than a handler halted.
    func taken() throws -> Taken? {
        let rip = core.s.rip
        guard rip >= Self.handlers, rip < Self.handlers + 4096, rip % 16 == 1 else { return nil }
        let vector = UInt8((rip - Self.handlers) / 16)
        var at = core.rsp
        var errorCode: UInt32?
        if Self.withErrorCode.contains(vector) {
            errorCode = UInt32(truncatingIfNeeded: try load(at, as: UInt64.self))
            at += 8
        }
        let frame = try (0..<5).map { try load(at + UInt64($0) * 8, as: UInt64.self) }
        return Taken(
            vector: vector, errorCode: errorCode, rip: frame[0], cs: UInt16(frame[1]), flags: frame[2], rsp: frame[3], ss: UInt16(frame[4]))
    }

    /// Runs `bytes` and returns what handler was entered.
    func takenBy(_ bytes: [UInt8]) throws -> Taken? {
        try run(bytes)
        return try taken()
    }
}
