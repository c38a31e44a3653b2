import Glibc
import Synchronization

/// Runs pieces of user-mode machine code on the processor the tests run on: the oracle of the differential tests.
///
/// Code and data lie at fixed addresses below 2 GiB, so that one test program means the same here and in an emulator.
/// One program runs at a time. A program must end at its own end, or by an exception; it must not touch FS, GS or memory
/// other than the data, nor loop for ever.
public final class HostCPU: Sendable {
    /// Where a test program is put; the page behind it is not mapped.
    public static let codeAddress: UInt64 = 0x1001_0000
    public static let codeCapacity = 4096
    /// The test data: two pages, with nothing mapped around them.
    public static let dataAddress: UInt64 = 0x1002_0000
    public static let dataByteCount = 8192

    public enum Mode: Sendable, CaseIterable {
        case bits64
        /// Compatibility mode: registers above the eighth and the upper halves mean nothing.
        case bits32
    }

    /// nil where the host is not x86-64 Linux or refuses pages that are writable and executable.
    public static let shared: HostCPU? = HostCPU()
    /// Whether the host's kernel lets user code enter a 32-bit code segment.
    public static let runs32Bit: Bool = shared.map { $0.probe32Bit() } ?? false

    private let trampoline: Trampoline
    private let recorder = FlightRecorder()
    private let lock = Mutex(())

    private init?() {
        #if arch(x86_64)
        trampoline = Trampoline(control: UInt32(HostContext.controlAddress))
        let readWrite = PROT_READ | PROT_WRITE
        guard map(HostContext.trampolineAddress, 8192, readWrite | PROT_EXEC),
            map(UInt(Self.codeAddress), Self.codeCapacity, readWrite | PROT_EXEC),
            map(UInt(Self.dataAddress), Self.dataByteCount, readWrite),
            map(HostContext.signalStackAddress, HostContext.signalStackByteCount, readWrite)
        else { return nil }
        copy(trampoline.bytes, to: HostContext.trampolineAddress)
        HostContext.installHandlers()
        #else
        return nil
        #endif
    }

    /// Runs `code` from `state` and stores the registers it leaves in `state`, its memory in `memory`.
    ///
    /// - Parameters:
    ///   - code: instructions; a jump to the way out is put behind them. The rest of the page is INT3.
    ///   - state: of RFLAGS only the arithmetic flags and DF are loaded.
    ///   - memory: the data pages, ``dataByteCount`` bytes.
    /// - Returns: the outcome; after an exception `state.rip` is the saved RIP, else the end of `code`.
    public func run(code: [UInt8], state: inout MachineState, memory: inout [UInt8], mode: Mode = .bits64) -> Outcome {
        precondition(memory.count == Self.dataByteCount && code.count <= Self.codeCapacity - 16)
        return lock.withLock { _ in
            let entry = prepare(code, state, memory, mode)
            recorder?.record(code, state, mode)
            HostContext.call(entry)
            recorder?.record("idle")
            return collect(&state, &memory, end: Self.codeAddress + UInt64(code.count), mode)
        }
    }

    /// Returns the address of the trampoline to call.
    private func prepare(_ code: [UInt8], _ state: MachineState, _ memory: [UInt8], _ mode: Mode) -> UInt {
        typealias Slot = Trampoline.Slot
        var page = [UInt8](repeating: 0xcc, count: Self.codeCapacity)
        let exit = UInt32(HostContext.trampolineAddress) + UInt32(trampoline.exit)
        let leave =
            mode == .bits64
            ? [0xff, 0x24, 0x25] + little(UInt32(HostContext.controlAddress) + UInt32(Slot.exit))  // jmp [exit]
            : [0xea] + little(exit) + [0x33, 0]  // jmp 33:exit
        page.replaceSubrange(0..<code.count + leave.count, with: code + leave)
        copy(page, to: UInt(Self.codeAddress))
        copy(memory, to: UInt(Self.dataAddress))
        for (index, word) in state.fxsaveImage.enumerated() { HostContext[Slot.testFX + index * 8] = word }
        for index in 0..<16 { HostContext[Slot.gpr + index * 8] = state.gpr[index] }
        HostContext[Slot.flags] = state.rflags & 0xcd5 | 0x202
        HostContext[Slot.entry] = Self.codeAddress
        HostContext[Slot.farEntry] = Self.codeAddress | 0x23 << 32
        HostContext[Slot.exit] = UInt64(exit)
        HostContext[HostContext.recover] = UInt64(HostContext.trampolineAddress) + UInt64(trampoline.recover)
        HostContext[HostContext.vector] = HostContext.noVector
        return HostContext.trampolineAddress + UInt(mode == .bits64 ? 0 : trampoline.enter32)
    }

    private func collect(_ state: inout MachineState, _ memory: inout [UInt8], end: UInt64, _ mode: Mode) -> Outcome {
        typealias Slot = Trampoline.Slot
        for index in 0..<16 { state.gpr[index] = HostContext[Slot.gpr + index * 8] }
        if mode == .bits32 { for index in 0..<16 { state.gpr[index] = index < 8 ? state.gpr[index] & 0xffff_ffff : 0 } }
        // IF is the kernel's, RF is set in the image a fault saves.
        state.rflags = HostContext[Slot.flagsOut] & ~0x1_0200
        state.load(fxsaveImage: (0..<64).map { HostContext[Slot.testFX + $0 * 8] })
        memory = read(Self.dataByteCount, from: UInt(Self.dataAddress))
        let vector = HostContext[HostContext.vector]
        guard vector != HostContext.noVector else {
            state.rip = end
            return .finished
        }
        state.rip = HostContext[HostContext.rip]
        let hasCode = [8, 10, 11, 12, 13, 14, 17].contains(vector)
        let code = hasCode ? UInt32(truncatingIfNeeded: HostContext[HostContext.errorCode]) : 0
        return .exception(vector: UInt8(truncatingIfNeeded: vector), errorCode: code)
    }

    private func probe32Bit() -> Bool {
        var state = MachineState()
        var memory = [UInt8](repeating: 0, count: Self.dataByteCount)
        state.gpr[1] = 6
        // inc ecx in 32-bit code, a REX prefix in 64-bit code; then mov [data], ecx.
        let code: [UInt8] = [0x41, 0x89, 0x0d] + little(UInt32(Self.dataAddress))
        return run(code: code, state: &state, memory: &memory, mode: .bits32) == .finished && memory[0] == 7
    }
}

private func map(_ address: UInt, _ byteCount: Int, _ protection: Int32) -> Bool {
    let fixedNoReplace: Int32 = 0x10_0000
    let wanted = unsafe UnsafeMutableRawPointer(bitPattern: address)
    let found = unsafe mmap(wanted, byteCount, protection, MAP_PRIVATE | MAP_ANONYMOUS | fixedNoReplace, -1, 0)
    return unsafe found == wanted
}

private func copy(_ bytes: [UInt8], to address: UInt) {
    unsafe bytes.withUnsafeBytes { source in
        guard let start = unsafe UnsafeMutableRawPointer(bitPattern: address), let from = source.baseAddress else { return }
        unsafe start.copyMemory(from: from, byteCount: source.count)
    }
}

private func read(_ count: Int, from address: UInt) -> [UInt8] {
    unsafe [UInt8](UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: count))
}
