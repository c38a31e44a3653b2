internal import X86Interpreter

/// The routines that all blocks share: the ways in and out, TLB misses, vector registers. Written once at the start of code memory.
struct CommonCode {
    /// C function (state block, entry point) -> exit code.
    private(set) var enter = 0
    /// Leaves with the exit code in R10; flags are in memory.
    private(set) var exit = 0
    /// Leaves to the instruction pointer in R10; flags are in memory.
    private(set) var exitAnywhere = 0
    /// Called with an address in R10 and an access in R11; comes back when the TLB holds it, else leaves. Destroys flags.
    private(set) var miss = 0
    /// Called to make the vector registers the guest's.
    private(set) var loadVectors = 0
    private(set) var end = 0

    /// - Parameter helper: C function (owner, address, access) -> whether the TLB holds the address now.
    init(_ a: inout Assembler, helper: Int) {
        emitEnter(&a)
        emitExit(&a)
        exitAnywhere = a.position
        a.storeState(StateLayout.rip, .r10)
        a.loadImmediate32(.r10, ExitCode.anywhere)
        a.jump(to: exit)
        emitMiss(&a, helper)
        emitLoadVectors(&a)
        end = a.position
    }

    /// Keeps RBX, RBP and R12 to R15 on the caller's stack; translated code has one of its own below the state block.
    private mutating func emitEnter(_ a: inout Assembler) {
        enter = a.position
        a.bytes(0x53, 0x55)
        for low in UInt8(4)...7 { a.bytes(0x41, 0x50 | low) }
        a.emitAddress(.one(0x89), 4, base: .rdi, index: nil, scale: 0, Int32(Layout.hostRSP))
        a.move(.r11, .rsi)
        a.move(.rsp, .rdi)
        for guest in HostRegister.heldGuests {
            if let host = HostRegister.holding(guest: guest) { a.loadState(host, Int(guest) * 8) }
        }
        a.emit(.one(0xff, is64: false), 4, .r11)
    }

    private mutating func emitExit(_ a: inout Assembler) {
        exit = a.position
        for guest in HostRegister.heldGuests {
            if let host = HostRegister.holding(guest: guest) { a.storeState(Int(guest) * 8, host) }
        }
        compareVectors(&a, 0)
        let vectors = a.jump(5)
        let back = a.position
        a.emit(.one(0x8b, is64: false), 0, .r10)
        a.loadState(.rsp, Layout.hostRSP)
        for low in (UInt8(4)...7).reversed() { a.bytes(0x41, 0x58 | low) }
        a.bytes(0x5d, 0x5b, 0xc3)
        a.patch(vectors, to: a.position)
        moveVectors(&a, 0x29, 0)
        a.emitState(.two(0xae, is64: false), 3, StateLayout.mxcsr)
        a.emitState(.two(0xae, is64: false), 2, Layout.hostMXCSR)
        a.storeState32(Layout.vectorsAreLive, 0)
        a.jump(to: back)
    }

    private mutating func emitLoadVectors(_ a: inout Assembler) {
        loadVectors = a.position
        let depth = 8
        a.emitState(.two(0xae, is64: false), 3, Layout.hostMXCSR + depth)
        a.emitState(.two(0xae, is64: false), 2, StateLayout.mxcsr + depth)
        moveVectors(&a, 0x28, depth)
        a.storeState32(Layout.vectorsAreLive + depth, 1)
        a.byte(0xc3)
    }

    /// MOVAPS of all vector registers to (29) or from (28) the state block.
    private func moveVectors(_ a: inout Assembler, _ opcode: UInt8, _ depth: Int) {
        for number in UInt8(0)..<16 {
            a.emitState(.two(opcode, is64: false), number, StateLayout.xmm + Int(number) * 16 + depth)
        }
    }

    private func compareVectors(_ a: inout Assembler, _ depth: Int) {
        a.emitState(.one(0x83, is64: false), 7, Layout.vectorsAreLive + depth)
        a.byte(0)
    }

    /// Registers that the helper may change and that hold the guest's.
    private static let clobbered: [HostRegister] = [.rcx, .rdx, .rsi, .rdi, .r8, .r9, .rax]

    private mutating func emitMiss(_ a: inout Assembler, _ helper: Int) {
        miss = a.position
        // The return address and a word of alignment lie below the state block.
        let depth = 16
        a.add(.rsp, .rsp, -8)
        for register in Self.clobbered { a.storeState(Int(register.number) * 8 + depth, register) }
        a.storeState(Layout.missedAddress + depth, .r10)
        a.storeState(Layout.missedAccess + depth, .r11)
        compareVectors(&a, depth)
        let first = a.jump(4)
        moveVectors(&a, 0x29, depth)
        a.patch(first, to: a.position)
        a.loadState(.rdi, Layout.owner + depth)
        a.move(.rsi, .r10)
        a.emit(.one(0x8b, is64: false), 2, .r11)
        a.loadImmediate(.rax, Int64(helper))
        a.emit(.one(0xff, is64: false), 2, .rax)
        a.emit(.one(0x8b, is64: false), 11, .rax)
        compareVectors(&a, depth)
        let second = a.jump(4)
        moveVectors(&a, 0x28, depth)
        a.patch(second, to: a.position)
        for register in Self.clobbered { a.loadState(register, Int(register.number) * 8 + depth) }
        a.loadState(.r10, Layout.missedAddress + depth)
        a.emit(Assembler.Opcode(code: 0x84, needsREX: true), 11, .r11)
        let failed = a.jump(4)
        a.add(.rsp, .rsp, 8)
        a.byte(0xc3)
        a.patch(failed, to: a.position)
        a.add(.rsp, .rsp, Int32(depth))
        a.loadState(.r10, Layout.missedAccess)
        a.jump(to: exit)
    }
}
