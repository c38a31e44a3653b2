import GuestMemory
import SoftFloat
import VirtualCPU
import X86
import X86Decoder

@testable import X86Interpreter

/// Nothing answers: x87 code needs no devices.
private final class NoEnvironment: VirtualCPUEnvironment {
    func readPort(_ port: UInt16, byteCount: Int) -> UInt32 { .max }
    func writePort(_ port: UInt16, byteCount: Int, value: UInt32) {}
    func readPhysical(_ address: GuestPhysicalAddress, byteCount: Int) -> UInt64 { .max }
    func writePhysical(_ address: GuestPhysicalAddress, byteCount: Int, value: UInt64) {}
    func readMSR(_ index: UInt32) -> UInt64? { nil }
    func writeMSR(_ index: UInt32, _ value: UInt64) -> Bool { false }
    func cpuid(leaf: UInt32, subleaf: UInt32) -> CPUIDResult { CPUIDResult() }
    func hypercall(_ cpu: any VirtualCPU) {}
    func hasPendingInterrupt() -> Bool { false }
    func acknowledgeInterrupt() -> UInt8? { nil }
    func shouldLeave() -> Bool { false }
    func takeNMI() -> Bool { false }
    func readTSC() -> UInt64 { 0 }
}

/// A vCPU without paging that executes x87 and state instructions one by one. [ESI] is ``data``.
final class X87Machine {
    static let data: UInt64 = 0x2000
    static let code: UInt64 = 0x1000

    let memory: GuestMemory
    let cpu: Interpreter
    var core: Core { cpu.core }

    init(_ codeSize: CodeSize = .bits32) throws {
        memory = try GuestMemory(poolPageCount: 16)
        try memory.populate(GuestFrameNumber(0), count: 8)
        cpu = Interpreter(index: 0, memory: memory, environment: NoEnvironment())
        for number in 0..<6 {
            let type: UInt16 = number == 1 ? 0xc9b : 0xc93
            core.setSegment(number, Segment(selector: UInt16(8 * number + 8), base: 0, limit: 0xffff_ffff, attributes: type))
        }
        core.s.cr0 = CR0.protection | CR0.extensionType | CR0.numericError
        core.s.cr4 = CR4.osFXSR | CR4.osXMMExceptions | CR4.osXSAVE
        core.s.xcr0 = 3
        core.s.codeSize = codeSize
        core.setFile(6, Self.data)
    }

    /// Decodes and executes every instruction of `bytes`; a fault leaves the rest undone.
    func run(_ bytes: [UInt8]) throws(GuestFault) {
        var start = 0
        while start < bytes.count {
            let rest = Array(bytes[start...])
            let decoded = unsafe rest.withUnsafeBytes { unsafe Decoder.decode($0, codeSize: core.s.codeSize) }.instruction
            core.blockRIP = Self.code &+ UInt64(start)
            try execute(decoded)
            start += Int(decoded.length)
        }
    }

    private func execute(_ decoded: Instruction) throws(GuestFault) {
        let row = UnsafeMutablePointer<Instruction>.allocate(capacity: 1)
        defer { unsafe row.deallocate() }
        unsafe row.initialize(to: decoded)
        let i = unsafe InstructionRef(row)
        switch i.opcode {
        case 0xd8...0xdf, 0x9b, 0x177: try core.executeX87(i)
        case 0x1ae: try core.executeFXState(i)
        default: throw .invalidOpcode
        }
    }

    func load<T: FixedWidthInteger & BitwiseCopyable>(_ offset: UInt64, as: T.Type) throws -> T {
        try memory.load(GuestPhysicalAddress(Self.data + offset), as: T.self)
    }

    func store<T: FixedWidthInteger & BitwiseCopyable>(_ offset: UInt64, _ value: T) throws {
        try memory.store(GuestPhysicalAddress(Self.data + offset), value)
    }
}

/// Short programs by name.
enum X87Code {
    static let fld1: [UInt8] = [0xd9, 0xe8]
    static let fldz: [UInt8] = [0xd9, 0xee]
    static let fldpi: [UInt8] = [0xd9, 0xeb]
    static let fdivp: [UInt8] = [0xde, 0xf9]
    static let fninit: [UInt8] = [0xdb, 0xe3]
    static let fnclex: [UInt8] = [0xdb, 0xe2]
    static let fwait: [UInt8] = [0x9b]
    static let emms: [UInt8] = [0x0f, 0x77]
    /// With the operand at [ESI].
    static let fldcw: [UInt8] = [0xd9, 0x2e]
    static let fnstsw: [UInt8] = [0xdd, 0x3e]
    static let fnstenv: [UInt8] = [0xd9, 0x36]
    static let fldenv: [UInt8] = [0xd9, 0x26]
    static let fnsave: [UInt8] = [0xdd, 0x36]
    static let frstor: [UInt8] = [0xdd, 0x26]
    static let fistp32: [UInt8] = [0xdb, 0x1e]
    static let fisttp32: [UInt8] = [0xdb, 0x0e]
    static let fld64: [UInt8] = [0xdd, 0x06]
    static let fstp32: [UInt8] = [0xd9, 0x1e]
    static let fxsave: [UInt8] = [0x0f, 0xae, 0x06]
    static let fxrstor: [UInt8] = [0x0f, 0xae, 0x0e]
    static let fxsave64: [UInt8] = [0x48, 0x0f, 0xae, 0x06]
    static let fxrstor64: [UInt8] = [0x48, 0x0f, 0xae, 0x0e]
    static let xsave: [UInt8] = [0x0f, 0xae, 0x26]
    static let xrstor: [UInt8] = [0x0f, 0xae, 0x2e]
    static let xsaveopt: [UInt8] = [0x0f, 0xae, 0x36]
}
