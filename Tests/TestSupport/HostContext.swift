import Glibc

/// The control block that Swift, the trampoline and the signal handler share, and the handler itself. Everything is at a
/// fixed address, because the handler may neither allocate nor initialise anything.
enum HostContext {
    static var trampolineAddress: UInt { 0x1000_0000 }
    static var controlAddress: UInt { 0x1000_1000 }

    /// Far from the data: with RSP inside it the kernel would take a program to be on it already.
    static var signalStackAddress: UInt { 0x6000_0000_0000 }
    static var signalStackByteCount: Int { 0x2_0000 }

    // Offsets behind those of the trampoline.
    static var thread: Int { 2048 }
    static var recover: Int { 2056 }
    static var vector: Int { 2064 }
    static var errorCode: Int { 2072 }
    static var rip: Int { 2080 }
    static var noVector: UInt64 { ~0 }

    static subscript(offset: Int) -> UInt64 {
        get { unsafe control.load(fromByteOffset: offset, as: UInt64.self) }
        set { unsafe control.storeBytes(of: newValue, toByteOffset: offset, as: UInt64.self) }
    }

    private static var control: UnsafeMutableRawPointer {
        unsafe UnsafeMutableRawPointer(bitPattern: controlAddress).unsafelyUnwrapped
    }

    /// Calls trampoline code on a thread with an alternate signal stack: the stack pointer is test data while it runs.
    static func call(_ address: UInt) {
        let memory = unsafe UnsafeMutableRawPointer(bitPattern: signalStackAddress)
        var stack = unsafe stack_t(ss_sp: memory, ss_flags: 0, ss_size: signalStackByteCount)
        var previous = unsafe stack_t()
        unsafe sigaltstack(&stack, &previous)
        self[thread] = UInt64(pthread_self())
        let code = unsafe unsafeBitCast(address, to: (@convention(c) () -> Void).self)
        code()
        self[thread] = 0
        unsafe sigaltstack(&previous, nil)
    }

    static func installHandlers() {
        for signal in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP] {
            let previous = unsafe previousAction(signal)
            var action = sigaction()
            unsafe action.__sigaction_handler.sa_sigaction = { unsafe HostContext.handle($0, $1, $2) }
            action.sa_flags = Int32(SA_SIGINFO) | Int32(SA_ONSTACK)
            unsafe sigaction(signal, &action, previous)
        }
    }

    /// Where the action is kept that was in force before ours: in the control page, 160 bytes for each of signals 4 to 11.
    private static func previousAction(_ signal: Int32) -> UnsafeMutablePointer<sigaction> {
        unsafe (control + 2560 + Int(signal - SIGILL) * 160).assumingMemoryBound(to: sigaction.self)
    }

    /// Takes the registers out of the context and makes the kernel return to the trampoline's way out.
    private static func handle(_ signal: Int32, _: UnsafeMutablePointer<siginfo_t>?, _ raw: UnsafeMutableRawPointer?) {
        guard let raw = unsafe raw, self[thread] == UInt64(pthread_self()) else {
            // Not a test program's: let it happen again for whoever was there before, so that crashes stay visible.
            unsafe sigaction(signal, previousAction(signal), nil)
            return
        }
        // Offsets in ucontext_t (glibc sys/ucontext.h): gregs from 40, fpregs at 224.
        let registers = unsafe (raw + 40).assumingMemoryBound(to: UInt64.self)
        saveRegister(0, unsafe registers[13]); saveRegister(1, unsafe registers[14])
        saveRegister(2, unsafe registers[12]); saveRegister(3, unsafe registers[11])
        saveRegister(4, unsafe registers[15]); saveRegister(5, unsafe registers[10])
        saveRegister(6, unsafe registers[9]); saveRegister(7, unsafe registers[8])
        for index in 0..<8 { saveRegister(8 + index, unsafe registers[index]) }
        self[Trampoline.Slot.flagsOut] = unsafe registers[17]
        self[rip] = unsafe registers[16]
        self[errorCode] = unsafe registers[19]
        self[vector] = unsafe registers[20]
        if let image = unsafe (raw + 224).load(as: UnsafeRawPointer?.self) {
            unsafe (control + Trampoline.Slot.testFX).copyMemory(from: image, byteCount: 512)
        }
        unsafe registers[16] = self[recover]
        unsafe registers[17] = 0x202
        unsafe registers[18] = registers[18] & ~0xffff | 0x33
    }

    private static func saveRegister(_ index: Int, _ value: UInt64) { self[Trampoline.Slot.gpr + index * 8] = value }
}
