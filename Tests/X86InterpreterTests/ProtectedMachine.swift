import GuestMemory
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

/// A frame that a 32-bit handler found, or the stack of a new task.
struct Frame32: Equatable {
    var vector: UInt8
    var errorCode: UInt32?
    var eip: UInt32
    var cs: UInt16
    var flags: UInt64
}

/// A machine in flat 32-bit protected mode with segments of all kinds, two 32-bit tasks and a 16-bit one, and a handler for every
/// vector that halts. Paging is off; ``enablePaging()`` maps everything one to one.
final class ProtectedMachine {
    static let gdt: UInt64 = 0x1000
    static let idt: UInt64 = 0x2000
    static let taskA: UInt64 = 0x3000
    static let taskB: UInt64 = 0x3200
    static let task16: UInt64 = 0x3400
    static let ldt: UInt64 = 0x3600
    static let stack: UInt64 = 0x7000
    static let stackB: UInt64 = 0x6000
    static let code: UInt64 = 0x8000
    static let codeB: UInt64 = 0x9000
    static let directory: UInt64 = 0x10000
    static let handlers: UInt64 = 0x20000
    static let userCode: UInt64 = 0x41000
    static let userStack: UInt64 = 0x43000

    // Selectors.
    static let code32: UInt16 = 0x08
    static let data: UInt16 = 0x10
    static let userCode32: UInt16 = 0x1b
    static let userData: UInt16 = 0x23
    static let selectorA: UInt16 = 0x28
    static let selectorB: UInt16 = 0x30
    static let selector16: UInt16 = 0x38
    static let code16: UInt16 = 0x40
    static let data16: UInt16 = 0x48
    static let localTable: UInt16 = 0x50
    static let taskGate: UInt16 = 0x58
    static let callGate16: UInt16 = 0x60
    static let absentData: UInt16 = 0x68
    static let absentTask: UInt16 = 0x70
    static let shortTask: UInt16 = 0x78
    static let callGate32: UInt16 = 0x80
    static let conformingCode: UInt16 = 0x88
    static let executeOnlyCode: UInt16 = 0x90
    static let readOnlyData: UInt16 = 0x98
    static let absentCode: UInt16 = 0xa0

    let memory: GuestMemory
    let environment = TinyEnvironment()
    let cpu: Interpreter
    var core: Core { cpu.core }

    init() throws {
        memory = try GuestMemory(poolPageCount: 512)
        try memory.populate(GuestFrameNumber(0), count: 512)
        cpu = Interpreter(index: 0, memory: memory, environment: environment)
        try buildTables()
        var state = RegisterState()
        state.cr0 = CR0.protection | CR0.extensionType | CR0.numericError
        state.cr4 = CR4.osFXSR
        state.gdtr = DescriptorTable(base: Self.gdt, limit: 0xa7)
        state.idtr = DescriptorTable(base: Self.idt, limit: 0x7ff)
        state.tr = Segment(selector: Self.selectorA, base: Self.taskA, limit: 0x1ff, attributes: 0x8b)
        state.ldtr = .null
        cpu.registerState = state
        useKernel()
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

    private func buildTables() throws {
        let descriptors: [UInt64] = [
            0, 0x00cf_9b00_0000_ffff, 0x00cf_9300_0000_ffff, 0x00cf_fb00_0000_ffff, 0x00cf_f300_0000_ffff,
            0x0000_8b00_3000_01ff, 0x0000_8900_3200_01ff, 0x0000_8100_3400_002b,
            0x0000_9b00_0000_ffff, 0x0000_9300_0000_ffff, 0x0000_8200_3600_000f,
            0x0000_e500_0030_0000, 0x0000_e400_0040_9000, 0x00cf_1300_0000_ffff, 0x0000_0900_3200_01ff, 0x0000_8900_3200_0066,
            0x0000_ec02_0008_9000, 0x00cf_9f00_0000_ffff, 0x00cf_9900_0000_ffff, 0x00cf_9100_0000_ffff, 0x00cf_1b00_0000_ffff,
        ]
        for (index, value) in descriptors.enumerated() { try store(Self.gdt + UInt64(index) * 8, value) }
        // The LDT: null, then data of the kernel.
        try store(Self.ldt + 8, UInt64(0x00cf_9300_0000_ffff))
        for vector in 0..<256 { try setGate(UInt8(vector)) }
        try store(Self.taskA + 4, UInt32(Self.stack))
        try store(Self.taskA + 8, UInt32(Self.data))
        try store(Self.taskA + 0x66, UInt16(0x88))
        try fillTaskB()
        try fillTask16()
    }

    /// A gate to the vector's handler; type 8E: 32-bit interrupt gate, 86: 16-bit, EE: open to users, E5 with a TSS: task gate.
    func setGate(_ vector: UInt8, type: UInt8 = 0xee, selector: UInt16 = code32) throws {
        let handler = Self.handlers + UInt64(vector) * 16
        let low = handler & 0xffff | UInt64(selector) << 16 | UInt64(type) << 40 | (handler >> 16 & 0xffff) << 48
        try store(Self.idt + UInt64(vector) * 8, low)
        try place([0xf4], at: handler)
    }

    /// Task B runs at ``codeB`` with registers 0xB0 … 0xB7, its stack at ``stackB``.
    func fillTaskB() throws {
        try store(Self.taskB + 4, UInt32(Self.stackB))
        try store(Self.taskB + 8, UInt32(Self.data))
        try store(Self.taskB + 0x1c, UInt32(Self.directory))
        try store(Self.taskB + 0x20, UInt32(Self.codeB))
        try store(Self.taskB + 0x24, UInt32(2))
        for number in UInt64(0)..<8 { try store(Self.taskB + 0x28 + number * 4, UInt32(0xb0 + number)) }
        try store(Self.taskB + 0x38, UInt32(Self.stackB))
        for (number, selector) in [Self.data, Self.code32, Self.data, Self.data, 0, 0].enumerated() {
            try store(Self.taskB + 0x48 + UInt64(number) * 4, UInt32(selector))
        }
        try store(Self.taskB + 0x60, UInt32(Self.localTable))
        try place([0xf4], at: Self.codeB)
    }

    private func fillTask16() throws {
        try store(Self.task16 + 0x0e, UInt16(Self.codeB))
        try store(Self.task16 + 0x10, UInt16(2))
        for number in UInt64(0)..<8 { try store(Self.task16 + 0x12 + number * 2, UInt16(0xc0 + number)) }
        try store(Self.task16 + 0x1a, UInt16(Self.stackB))
        for (number, selector) in [Self.data16, Self.code16, Self.data16, Self.data16].enumerated() {
            try store(Self.task16 + 0x22 + UInt64(number) * 2, selector)
        }
    }

    // MARK: - state

    func useKernel() {
        setLevel(
            Segment(selector: Self.code32, base: 0, limit: .max, attributes: 0xc9b),
            Segment(selector: Self.data, base: 0, limit: .max, attributes: 0xc93), eip: Self.code, esp: Self.stack)
    }

    func useUser() {
        setLevel(
            Segment(selector: Self.userCode32, base: 0, limit: .max, attributes: 0xcfb),
            Segment(selector: Self.userData, base: 0, limit: .max, attributes: 0xcf3), eip: Self.userCode, esp: Self.userStack)
    }

    func use16Bit() {
        setLevel(
            Segment(selector: Self.code16, base: 0, limit: 0xffff, attributes: 0x9b),
            Segment(selector: Self.data16, base: 0, limit: 0xffff, attributes: 0x93), eip: Self.code, esp: Self.stack)
    }

    /// Virtual-8086 code at 800:0 with its stack at 700:0.
    func useVirtual8086(ioPrivilege: UInt64, flags: UInt64 = 0) {
        var state = cpu.registerState
        state.rflags = RFLAGS.fixed | RFLAGS.virtual8086 | ioPrivilege << 12 | flags
        for number in 0..<6 { state.segments[number] = Segment(selector: 0x700, base: 0x7000, limit: 0xffff, attributes: 0xf3) }
        state[.cs] = Segment(selector: 0x800, base: 0x8000, limit: 0xffff, attributes: 0xf3)
        state.rip = 0
        state[.rsp] = 0x100
        cpu.registerState = state
        core.s.cpl = 3
        core.updateCodeSize()
    }

    private func setLevel(_ code: Segment, _ stack: Segment, eip: UInt64, esp: UInt64) {
        var state = cpu.registerState
        state[.cs] = code
        for name in [SegmentName.ss, .ds, .es, .fs, .gs] { state[name] = stack }
        state.rip = eip
        state[.rsp] = esp
        cpu.registerState = state
    }

    /// 32-bit paging: 2 MiB one to one, for everybody.
    func enablePaging() throws {
        try store(Self.directory, UInt32(Self.directory + 0x1000 | 7))
        for page in UInt64(0)..<512 { try setPage(page * 4096, UInt32(page * 4096 | 7)) }
        var state = cpu.registerState
        state.cr0 |= CR0.paging
        state.cr3 = Self.directory
        cpu.registerState = state
    }

    func setPage(_ address: UInt64, _ entry: UInt32) throws {
        try store(Self.directory + 0x1000 + address / 4096 * 4, entry)
    }

    // MARK: - running

    @discardableResult
    func run(_ bytes: [UInt8]) throws -> VirtualCPUExit {
        try place(bytes, at: core.s.rip + core.segment(1).base)
        return cpu.run()
    }

    private static let withErrorCode: Set<UInt8> = [8, 10, 11, 12, 13, 14, 17]

    /// What the halted handler was entered with, through a 32-bit gate; nil when something else halted.
    func taken() throws -> Frame32? {
        let eip = core.s.rip
        guard eip >= Self.handlers, eip < Self.handlers + 4096, eip % 16 == 1 else { return nil }
        let vector = UInt8((eip - Self.handlers) / 16)
        var at = core.segment(2).base + core.rsp
        var errorCode: UInt32?
        if Self.withErrorCode.contains(vector) {
            errorCode = try load(at, as: UInt32.self)
            at += 4
        }
        let frame = try (0..<3).map { try load(at + UInt64($0) * 4, as: UInt32.self) }
        return Frame32(
            vector: vector, errorCode: errorCode, eip: frame[0], cs: UInt16(truncatingIfNeeded: frame[1]), flags: UInt64(frame[2]))
    }

    func takenBy(_ bytes: [UInt8]) throws -> Frame32? {
        try run(bytes)
        return try taken()
    }

    /// Type byte of a descriptor.
    func access(_ selector: UInt16) throws -> UInt8 { try load(Self.gdt + UInt64(selector & ~7) + 5, as: UInt8.self) }

    /// A far jump or call with an immediate pointer in 32-bit code.
    static func far(_ opcode: UInt8, _ selector: UInt16) -> [UInt8] {
        [opcode, 0, 0, 0, 0, UInt8(selector & 0xff), UInt8(selector >> 8)]
    }
}
