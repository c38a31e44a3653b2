#if arch(x86_64)
import Glibc
import SoftFloat

/// The host's own x87 and SSE units: runs one instruction between FXRSTOR and FXSAVE of a given image.
///
/// The image carries control words, flags and registers in and out, so that a test sees exactly what the processor did,
/// unmasked x87 exceptions included (they only become pending). Unmasked SSE exceptions would fault: keep them masked.
@safe final class HostFPU {
    private let image: UnsafeMutableRawPointer
    private let code: UnsafeMutableRawPointer
    private typealias Stub = @convention(c) (UnsafeMutableRawPointer) -> Void

    /// `instruction` may use RDI + 528 … RDI + 543 as its memory operand.
    init(_ instruction: [UInt8]) {
        unsafe image = UnsafeMutableRawPointer.allocate(byteCount: 1024, alignment: 64)
        unsafe image.initializeMemory(as: UInt8.self, repeating: 0, count: 1024)
        let page = unsafe mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let page = unsafe page, unsafe page != MAP_FAILED else { fatalError("no page for host code") }
        unsafe code = page
        // stmxcsr [rdi+512]; fnstcw [rdi+516]; fxrstor64 [rdi]; …; fxsave64 [rdi]; fninit; fldcw; ldmxcsr; ret
        let bytes: [UInt8] =
            [0x0f, 0xae, 0x9f, 0, 2, 0, 0, 0xd9, 0xbf, 4, 2, 0, 0, 0x48, 0x0f, 0xae, 0x0f] + instruction
            + [0x48, 0x0f, 0xae, 0x07, 0xdb, 0xe3, 0xd9, 0xaf, 4, 2, 0, 0, 0x0f, 0xae, 0x97, 0, 2, 0, 0, 0xc3]
        unsafe code.copyMemory(from: bytes, byteCount: bytes.count)
        guard unsafe mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0 else { fatalError("no host code") }
        set(UInt16(0x37f), at: 0)
        set(UInt32(0x1f80), at: 24)
    }

    deinit {
        unsafe munmap(code, 4096)
        unsafe image.deallocate()
    }

    func run() {
        let stub = unsafe unsafeBitCast(code, to: Stub.self)
        unsafe stub(image)
    }

    func set<T: BitwiseCopyable>(_ value: T, at offset: Int) { unsafe image.storeBytes(of: value, toByteOffset: offset, as: T.self) }
    func get<T: BitwiseCopyable>(_ offset: Int, as: T.Type = T.self) -> T { unsafe image.loadUnaligned(fromByteOffset: offset, as: T.self) }

    static let memory = 528

    var mxcsr: UInt32 {
        get { self.get(24) }
        set { set(newValue, at: 24) }
    }
    var statusWord: UInt16 { self.get(2) }

    /// Loads the x87 stack: `registers[0]` is ST(0), the rest is empty; flags clear.
    func loadStack(_ registers: [Extended80], controlWord: UInt16) {
        set(controlWord, at: 0)
        let top = (8 - registers.count) & 7
        set(UInt16(top << 11), at: 2)
        set(UInt8(truncatingIfNeeded: registers.isEmpty ? 0 : 0xff << top), at: 4)
        for (i, value) in registers.enumerated() { setRegister(i, value) }
    }

    func setRegister(_ i: Int, _ value: Extended80) {
        set(value.significand, at: 32 + i * 16)
        set(value.signExponent, at: 40 + i * 16)
    }

    func register(_ i: Int) -> Extended80 { Extended80(significand: get(32 + i * 16), signExponent: get(40 + i * 16)) }
}
#endif
