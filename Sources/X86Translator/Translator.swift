public import GuestMemory
public import VirtualCPU
public import X86
internal import X86Interpreter

/// A vCPU whose 64-bit code runs as host instructions, on hosts of the same architecture.
///
/// Registers, memory management, exceptions and every instruction that is not translated are the interpreter's; see decision 0040. All
/// calls but the two requests belong to the vCPU's thread.
@safe
public final class Translator: VirtualCPU {
    private let interpreter: Interpreter
    private let dispatcher: Dispatcher

    /// Makes a vCPU in the state after INIT. It observes `memory` for writes to decoded code from now on.
    ///
    /// - Throws: ``TranslatorError`` where the host cannot run translated code; nothing observes `memory` then.
    public convenience init(index: Int, memory: GuestMemory, environment: any VirtualCPUEnvironment) throws(TranslatorError) {
        try self.init(index: index, memory: memory, environment: environment, options: TranslatorOptions())
    }

    init(
        index: Int, memory: GuestMemory, environment: any VirtualCPUEnvironment, options: TranslatorOptions
    ) throws(TranslatorError) {
        try Self.checkHost()
        let arena = StateArena(extraByteCount: Layout.jumpCacheByteCount)
        let code = try CodeMemory(byteCount: options.codeByteCount)
        interpreter = Interpreter(index: index, memory: memory, environment: environment, arena: arena)
        dispatcher = Dispatcher(interpreter: interpreter, arena: arena, code: code, options: options)
        interpreter.attach(dispatcher)
    }

    /// - Throws: why translated code cannot run on this host.
    public static func checkHost() throws(TranslatorError) {
        #if arch(x86_64)
        _ = try CodeMemory(byteCount: 4096)
        #else
        throw .otherArchitecture
        #endif
    }

    /// The interpreter inside, for tests.
    var oracle: Interpreter { interpreter }
    var statistics: TranslatorStatistics { dispatcher.statistics }

    // MARK: - VirtualCPU

    public var index: Int { interpreter.index }
    public var instructionCount: UInt64 { interpreter.instructionCount }
    public func run() -> VirtualCPUExit { interpreter.run() }
    public func requestAttention() { interpreter.requestAttention() }
    public func requestTLBFlush() { interpreter.requestTLBFlush() }
    public var registerState: RegisterState {
        get { interpreter.registerState }
        set { interpreter.registerState = newValue }
    }
    public var floatingPointImage: [UInt8]? { interpreter.floatingPointImage }
    public func general(_ register: GPR) -> UInt64 { interpreter.general(register) }
    public func setGeneral(_ register: GPR, _ value: UInt64) { interpreter.setGeneral(register, value) }
    public var is64Bit: Bool { interpreter.is64Bit }
    public var privilegeLevel: Int { interpreter.privilegeLevel }
    public var interruptsEnabled: Bool { interpreter.interruptsEnabled }
    public func readLinear(_ address: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        unsafe interpreter.readLinear(address, into: buffer)
    }
    public func writeLinear(_ address: UInt64, from buffer: UnsafeRawBufferPointer) -> Bool {
        unsafe interpreter.writeLinear(address, from: buffer)
    }
}

/// What tests and measurements vary.
struct TranslatorOptions {
    var codeByteCount = 128 << 20
    var countsInstructions = true
    /// Handlers of exceptions and interrupts see the arithmetic flags as they are, not only those that the code behind may still read.
    var keepsExactFlags = true
}

/// What a translator has done, for tests and measurements.
struct TranslatorStatistics {
    var translatedBlocks = 0
    var translatedInstructions = 0
    var enteredBlocks = 0
    var interpretedBlocks = 0
    var misses = 0
    var codeFlushes = 0
}
