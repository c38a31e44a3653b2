/// The machine code that enters and leaves a test program on the host CPU. All of it addresses the control block
/// absolutely, below 2 GiB, because every register is test data.
struct Trampoline {
    /// Offsets in the control block.
    enum Slot {
        static let gpr = 0  // 16 × 8: in, and out again
        static let flags = 128
        static let entry = 136  // where to jump: 64-bit offset
        static let farEntry = 144  // 32-bit offset, selector
        static let hostStack = 160
        static let exit = 168  // address of the 64-bit way out, for `jmp [exit]`
        static let flagsOut = 192  // PUSHFQ writes the 8 bytes below its end
        static let hostFX = 512
        static let testFX = 1024
    }

    private(set) var bytes: [UInt8] = []
    private(set) var enter32 = 0
    private(set) var exit = 0
    private(set) var recover = 0
    private let control: UInt32

    /// - Parameter control: address of the control block.
    init(control: UInt32) {
        self.control = control
        emitEntry()
        emit([0xff, 0x24, 0x25], Slot.entry)  // jmp [entry]
        enter32 = bytes.count
        emit32BitEntry()
        exit = bytes.count
        emitExit()
        recover = bytes.count
        emitReturn()
    }

    private mutating func emitEntry() {
        emitHostSave()
        emitLoad()
    }

    private mutating func emitHostSave() {
        bytes += [0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57, 0x9c]  // push rbx rbp r12 r13 r14 r15, pushfq
        emit([0x48, 0x89, 0x24, 0x25], Slot.hostStack)  // mov [hostStack], rsp
        emit([0x48, 0x0f, 0xae, 0x04, 0x25], Slot.hostFX)  // fxsave64
    }

    private mutating func emitLoad() {
        emit([0x48, 0x0f, 0xae, 0x0c, 0x25], Slot.testFX)  // fxrstor64
        emit([0xbc], Slot.flags)  // mov esp, flags
        bytes.append(0x9d)  // popfq
        for register in 0..<16 { emitMove(0x8b, register) }
    }

    /// Compatibility mode needs data segments, which 64-bit code does without.
    private mutating func emit32BitEntry() {
        emitHostSave()
        bytes += [0xb8, 0x2b, 0, 0, 0, 0x8e, 0xd8, 0x8e, 0xc0]  // mov eax, 2b; mov ds, eax; mov es, eax
        emitLoad()
        emit([0xff, 0x2c, 0x25], Slot.farEntry)  // jmp far [farEntry]
    }

    private mutating func emitExit() {
        for register in 0..<16 { emitMove(0x89, register) }
        emit([0xbc], Slot.flagsOut + 8)
        bytes.append(0x9c)  // pushfq
        emit([0x48, 0x0f, 0xae, 0x04, 0x25], Slot.testFX)
        emitReturn()
    }

    private mutating func emitReturn() {
        emit([0x48, 0x8b, 0x24, 0x25], Slot.hostStack)
        emit([0x48, 0x0f, 0xae, 0x0c, 0x25], Slot.hostFX)
        bytes += [0x9d, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3]
    }

    /// MOV between a register and its slot.
    private mutating func emitMove(_ opcode: UInt8, _ register: Int) {
        let low = UInt8(truncatingIfNeeded: register & 7) << 3
        emit([register < 8 ? 0x48 : 0x4c, opcode, 0x04 | low, 0x25], Slot.gpr + register * 8)
    }

    private mutating func emit(_ opcode: [UInt8], _ slot: Int) {
        bytes += opcode + little(control + UInt32(slot))
    }
}

func little(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32($0 * 8)) } }
