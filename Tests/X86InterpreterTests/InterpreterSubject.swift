import GuestMemory
import Synchronization
import TestSupport
import VirtualCPU
import X86

@testable import X86Interpreter

/// The interpreter as an engine of the differential tests: a vCPU at CPL 3 with flat segments and four-level paging, where
/// nothing but the code page and the two data pages of ``HostCPU`` is mapped.
final class InterpreterSubject {
    private static let tables: UInt64 = 0x1000
    private static let codePage: UInt64 = 0x5000
    private static let dataPage: UInt64 = 0x6000

    private let memory: GuestMemory
    private let cpu: Interpreter
    private var core: Core { cpu.core }
    /// Control bits that differ from what user programs find: set in CR0, clear in CR4.
    var extraCR0: UInt64 = 0
    var clearedCR4: UInt64 = 0

    init() throws {
        memory = try GuestMemory(poolPageCount: 16)
        try memory.populate(GuestFrameNumber(0), count: 8)
        cpu = Interpreter(index: 0, memory: memory, environment: SilentEnvironment())
        try mapPages()
    }

    /// An engine for `Differential`.
    static func engine() throws -> Differential.Engine {
        let subject = try InterpreterSubject()
        return { program, state, memory in subject.run(program, &state, &memory) }
    }

    /// One table of each level: the code at linear 0x1001_0000, the data at 0x1002_0000, all of it user's and writable.
    private func mapPages() throws {
        precondition(HostCPU.codeAddress == 0x1001_0000 && HostCPU.dataAddress == 0x1002_0000, "the tables map these addresses")
        let flags: UInt64 = 7
        let entries: [(table: UInt64, index: UInt64, target: UInt64)] = [
            (0, 0, Self.tables + 0x1000), (1, 0, Self.tables + 0x2000), (2, 0x80, Self.tables + 0x3000),
            (3, 0x10, Self.codePage), (3, 0x20, Self.dataPage), (3, 0x21, Self.dataPage + 0x1000),
        ]
        for entry in entries {
            try memory.store(GuestPhysicalAddress(Self.tables + entry.table * 0x1000 + entry.index * 8), entry.target | flags)
        }
    }

    // MARK: - running

    /// Runs a program to its end, where UD2 stands, or to its first exception.
    func run(_ program: InstructionCase, _ state: inout MachineState, _ data: inout [UInt8]) -> Outcome {
        do {
            try memory.write(GuestPhysicalAddress(Self.codePage), bytes: program.code + [0x0f, 0x0b])
            try memory.write(GuestPhysicalAddress(Self.dataPage), bytes: data)
            forgetCode()
            load(state, program.mode)
            let fault = firstFault()
            save(&state)
            state.rip = fault.kind == .trap ? core.s.nextRIP : core.s.rip
            data = try memory.bytes(GuestPhysicalAddress(Self.dataPage), count: data.count)
            if state.rip == HostCPU.codeAddress + UInt64(program.code.count) && fault == .invalidOpcode { return .finished }
            return .exception(vector: fault.vector, errorCode: fault.hasErrorCode ? fault.errorCode : 0)
        } catch {
            preconditionFailure("the subject's memory is smaller than the test's: \(error)")
        }
    }

    private func firstFault() -> GuestFault {
        while true {
            do throws(GuestFault) { try core.runBlocks() } catch { return error }
        }
    }

    /// The code was replaced behind the interpreter's back, between two runs.
    private func forgetCode() {
        if let (frame, _) = memory.lookup(GuestFrameNumber(Self.codePage >> 12)) {
            cpu.context.blocks.dropBlocks(in: frame, memory: memory)
        }
        cpu.context.requests.withLock { $0 = InterpreterContext.Requests() }
        cpu.context.attention.store(0, ordering: .relaxed)
    }

    // MARK: - state

    private func load(_ state: MachineState, _ mode: HostCPU.Mode) {
        var registers = RegisterState()
        registers.general = state.gpr
        registers.rip = HostCPU.codeAddress
        registers.rflags = state.rflags & 0xcd5 | RFLAGS.fixed | RFLAGS.interrupt
        for number in 0..<6 {
            registers.segments[number] = Segment(selector: 0x2b, base: 0, limit: 0xffff_ffff, attributes: 0xcf3)
        }
        let code: (selector: UInt16, attributes: UInt16) = mode == .bits64 ? (0x33, 0xafb) : (0x23, 0xcfb)
        registers[.cs] = Segment(selector: code.selector, base: 0, limit: 0xffff_ffff, attributes: code.attributes)
        registers.cr0 = CR0.protection | CR0.monitorCoprocessor | CR0.extensionType | CR0.numericError | CR0.writeProtect | CR0.paging | extraCR0
        registers.cr3 = Self.tables
        registers.cr4 = (CR4.physicalAddressExtension | CR4.osFXSR | CR4.osXMMExceptions) & ~clearedCR4
        registers.efer = EFER.longModeEnable | EFER.longModeActive | EFER.noExecute
        cpu.registerState = registers
        for index in 0..<16 { core.setXMM(UInt8(index), SIMD2(state.xmm[index].low, state.xmm[index].high)) }
        core.s.mxcsr = state.mxcsr
        core.s.fcw = state.x87.control
        core.s.fsw = state.x87.status
        core.s.ftw = state.x87.tags
        let top = Int(state.x87.status >> 11 & 7)
        for index in 0..<8 {
            core.setX87Significand(top + index, state.x87.st[index].significand)
            core.setX87SignExponent(top + index, state.x87.st[index].signAndExponent)
        }
    }

    private func save(_ state: inout MachineState) {
        let registers = cpu.registerState
        state.gpr = registers.general
        state.rflags = registers.rflags
        for index in 0..<16 {
            let value = core.xmm(UInt8(index), as: SIMD2<UInt64>.self)
            state.xmm[index] = XMMValue(value.x, value.y)
        }
        state.mxcsr = core.s.mxcsr
        state.x87.control = core.s.fcw
        state.x87.status = core.s.fsw
        state.x87.tags = core.s.ftw
        let top = Int(core.s.fsw >> 11 & 7)
        for index in 0..<8 {
            state.x87.st[index] = X87State.Register(
                significand: core.x87Significand(top + index), signAndExponent: core.x87SignExponent(top + index))
        }
    }
}

/// No device, no interrupt, no hypercall: user programs reach none.
private final class SilentEnvironment: VirtualCPUEnvironment {
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
