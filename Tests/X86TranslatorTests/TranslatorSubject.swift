import GuestMemory
import Synchronization
import TestSupport
import VirtualCPU
import X86

@testable import X86Interpreter
@testable import X86Translator

/// The translator as the subject of differential tests: programs run at CPL 3 with nothing but their code and data mapped,
/// where ``HostCPU`` has them. Exceptions are taken from the core before anybody delivers them.
@safe
final class TranslatorSubject: @unchecked Sendable {
    private static let tables: UInt64 = 0x1000
    private static let codePage = GuestPhysicalAddress(0x1_0000)
    private static let dataPages = GuestPhysicalAddress(0x2_0000)
    /// A program that has not ended after so many blocks is broken.
    private static let mostResumes = 100_000

    private let memory: GuestMemory
    private let environment = SilentEnvironment()
    private let translator: Translator
    private var interpreter: Interpreter { translator.oracle }
    private let mode: HostCPU.Mode
    private let codeFrame: FrameIndex
    private let code: UnsafeMutableRawPointer
    private let data: UnsafeMutableRawPointer

    /// One engine, to be handed to ``Differential``.
    static func engine() throws -> Differential.Engine {
        let subject = try TranslatorSubject(.bits64)
        return { program, state, memory in subject.run(program.code, &state, &memory) }
    }

    /// The same machine with the interpreter alone.
    static func interpreterEngine() throws -> Differential.Engine {
        let subject = try TranslatorSubject(.bits64, translates: false)
        return { program, state, memory in subject.run(program.code, &state, &memory) }
    }

    private let translates: Bool
    var statistics: TranslatorStatistics { translator.statistics }
    /// From any thread.
    func requestAttention() { translator.requestAttention() }

    init(_ mode: HostCPU.Mode, translates: Bool = true, _ change: (inout TranslatorOptions) -> Void = { _ in }) throws {
        self.translates = translates
        self.mode = mode
        memory = try GuestMemory(poolPageCount: 64)
        try memory.populate(GuestFrameNumber(0), count: 48)
        try Self.writeTables(memory)
        var options = TranslatorOptions()
        change(&options)
        translator = try Translator(index: 0, memory: memory, environment: environment, options: options)
        guard let code = memory.lookup(Self.codePage.frame), let data = memory.lookup(Self.dataPages.frame) else {
            preconditionFailure("pages that were populated are there")
        }
        codeFrame = code.frame
        unsafe self.code = memory.unsafePointer(code.frame)
        // Frames populated in one call of a fresh pool follow each other.
        unsafe self.data = memory.unsafePointer(data.frame)
        translator.registerState = Self.registers(mode)
    }

    /// Four levels that map the code page and the two data pages for user mode, at the oracle's addresses.
    private static func writeTables(_ memory: GuestMemory) throws {
        let user: UInt64 = 0x67
        try memory.store(GuestPhysicalAddress(tables), tables + 0x1000 | user)
        try memory.store(GuestPhysicalAddress(tables + 0x1000), tables + 0x2000 | user)
        try memory.store(GuestPhysicalAddress(tables + 0x2000 + (HostCPU.codeAddress >> 21) * 8), tables + 0x3000 | user)
        func map(_ address: UInt64, _ physical: GuestPhysicalAddress) throws {
            try memory.store(GuestPhysicalAddress(tables + 0x3000 + (address >> 12 & 511) * 8), physical.rawValue | user)
        }
        try map(HostCPU.codeAddress, codePage)
        try map(HostCPU.dataAddress, dataPages)
        try map(HostCPU.dataAddress + 4096, dataPages + 4096)
    }

    private static func registers(_ mode: HostCPU.Mode) -> RegisterState {
        var state = RegisterState()
        let data = Segment(selector: 0x2b, base: 0, limit: 0xffff_ffff, attributes: 0xcf3)
        state.segments = Array(repeating: data, count: 6)
        state[.cs] = Segment(
            selector: mode == .bits64 ? 0x33 : 0x23, base: 0, limit: 0xffff_ffff, attributes: mode == .bits64 ? 0xafb : 0xcfb)
        state.cr0 = CR0.protection | CR0.extensionType | CR0.numericError | CR0.writeProtect | CR0.paging
        state.cr3 = tables
        state.cr4 = CR4.physicalAddressExtension | CR4.osFXSR | CR4.osXMMExceptions
        state.efer = EFER.longModeEnable | EFER.longModeActive | EFER.noExecute
        state.rflags = RFLAGS.fixed | RFLAGS.interrupt
        return state
    }

    /// Runs a program and leaves what it made of the registers and the data in the arguments.
    func run(_ program: [UInt8], _ state: inout MachineState, _ bytes: inout [UInt8]) -> Outcome {
        let core = interpreter.core
        core.shared.blocks.dropBlocks(in: codeFrame, memory: memory)
        // UD2 behind the program: its end is where that is refused.
        unsafe copy(program + [0x0f, 0x0b], to: code)
        unsafe copy(bytes, to: data)
        load(state, core)
        let fault = runToFault(core)
        store(&state, core)
        bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: data, count: HostCPU.dataByteCount))
        state.rip = fault.kind == .trap ? core.s.nextRIP : core.s.rip
        if fault == .invalidOpcode && state.rip == HostCPU.codeAddress + UInt64(program.count) { return .finished }
        return .exception(vector: fault.vector, errorCode: fault.hasErrorCode ? fault.errorCode : 0)
    }

    private func copy(_ bytes: [UInt8], to pointer: UnsafeMutableRawPointer) {
        unsafe bytes.withUnsafeBytes { unsafe pointer.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    }

    /// Does what the run loop does between instructions, until one of them faults.
    private func runToFault(_ core: Core) -> GuestFault {
        memory.rendezvous.enter()
        defer { memory.rendezvous.leave() }
        for _ in 0..<Self.mostResumes {
            core.shared.attention.lower()
            core.shared.requests.withLock { $0 = InterpreterContext.Requests() }
            do throws(GuestFault) {
                if translates { try (unsafe core.shared.blocks.translation!).runBlocks() } else { try core.runBlocks() }
            } catch {
                switch error.kind {
                case .fault, .trap: return error
                case .leave: break
                case .codeWrite:
                    if let fault = stepOverCodeWrite(core) { return fault }
                }
            }
        }
        preconditionFailure("the program does not end")
    }

    private func stepOverCodeWrite(_ core: Core) -> GuestFault? {
        core.s.allowsCodeWrite = true
        defer {
            core.s.allowsCodeWrite = false
            core.shared.finishOverwriting()
        }
        do throws(GuestFault) { try core.step() } catch { return error.kind == .leave ? nil : error }
        return nil
    }

    private func load(_ state: MachineState, _ core: Core) {
        for number in 0..<16 { core.setFile(number, state.gpr[number]) }
        core.s.systemFlags = RFLAGS.fixed | RFLAGS.interrupt | state.rflags & RFLAGS.direction
        core.setArithmeticFlags(state.rflags)
        core.s.rip = HostCPU.codeAddress
        for number in 0..<16 {
            core.setXMM(UInt8(number), SIMD2(state.xmm[number].low, state.xmm[number].high))
        }
        core.s.mxcsr = state.mxcsr
        core.s.fcw = state.x87.control
        core.s.fsw = state.x87.status
        core.s.ftw = state.x87.tags
        let top = Int(state.x87.status >> 11 & 7)
        for (index, register) in state.x87.st.enumerated() {
            core.setX87Significand(top + index, register.significand)
            core.setX87SignExponent(top + index, register.signAndExponent)
        }
    }

    private func store(_ state: inout MachineState, _ core: Core) {
        for number in 0..<16 {
            state.gpr[number] = mode == .bits64 ? core.file(number) : number < 8 ? core.file(number) & 0xffff_ffff : 0
            let vector = core.xmm(UInt8(number), as: SIMD2<UInt64>.self)
            state.xmm[number] = XMMValue(vector[0], vector[1])
        }
        state.rflags = core.rflags
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

/// Nothing outside of the processor: no device, no interrupt.
private final class SilentEnvironment: VirtualCPUEnvironment {
    func readPort(_ port: UInt16, byteCount: Int) -> UInt32 { ~0 }
    func writePort(_ port: UInt16, byteCount: Int, value: UInt32) {}
    func readPhysical(_ address: GuestPhysicalAddress, byteCount: Int) -> UInt64 { ~0 }
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
