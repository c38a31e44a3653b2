import TestSupport

/// Random programs of some dozen instructions in 64-bit code that hand registers, flags and memory to each other, branch, call, loop, and
/// now and then touch memory where it faults, crosses pages, or holds the program itself.
///
/// RBX, R11 and R15 point into the data and are never written; RSP is a stack there; R14 counts loops. Instructions that leave flags
/// undefined are followed by one that defines them, so that engines can be compared without exemptions but AF.
struct ProgramGenerator {
    var random: SeededRandom
    private var code: [UInt8] = []
    /// Chances in 1000 of a wild memory operand.
    var wildness = 10
    var writesCode = false
    private var isInLoop = false

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func next() -> InstructionCase {
        code = []
        var program = InstructionCase(name: "program", code: [], startingFrom: MachineState(), memory: [])
        for _ in 0..<HostCPU.dataByteCount { program.memory.append(random.byte()) }
        for index in 0..<16 {
            program.state.gpr[index] = random.integer()
            program.state.xmm[index] = XMMValue(random.integer(), random.integer())
        }
        program.state.gpr[3] = HostCPU.dataAddress + 0x400
        program.state.gpr[11] = HostCPU.dataAddress + 0x800
        program.state.gpr[15] = HostCPU.dataAddress + 0x1000
        program.state.gpr[4] = HostCPU.dataAddress + 0x1800
        program.state.rflags = random.flags()
        for _ in 0..<8 + random.below(40) { step() }
        program.code = code
        program.undefinedFlags = 0x10
        return program
    }

    // MARK: - steps

    private mutating func step() {
        switch random.below(30) {
        case 0...5: arithmetic()
        case 6...9: move()
        case 10: shift()
        case 11: increment()
        case 12: conditional()
        case 13: lea()
        case 14, 15: stack()
        case 16: multiply()
        case 17: exchange()
        case 18, 19: jumpForward()
        case 20: callForward()
        case 21: loop()
        case 22: highByte()
        case 23, 24, 25: vector()
        case 26: code += random.pick([[0xf5], [0xf8], [0xf9], [0x90], [0xd9, 0xd0], [0xfc], [0x98], [0x48, 0x99], [0x0f, 0xae, 0xf0]])
        case 27: extend()
        case 28: if random.oneIn(2) { divide() } else { system() }
        default: if writesCode { overwrite() } else { bits() }
        }
    }

    private mutating func destination() -> UInt8 { random.pick([0, 1, 2, 5, 6, 7, 8, 9, 10, 12, 13]) }
    private mutating func source() -> UInt8 { UInt8(random.below(16)) }
    private mutating func condition() -> UInt8 { UInt8(random.below(16)) & 0xf }
    private mutating func width() -> Int { random.pick([1, 2, 4, 8]) }

    /// A comparison that defines every flag.
    private mutating func defineFlags() { emit([0x39], width: 8, reg: source(), rm: source()) }

    private mutating func arithmetic() {
        let operation = UInt8(random.below(8)) * 8
        let width = width()
        switch random.below(5) {
        case 0, 1: emit([operation + 3 - (width == 1 ? 1 : 0)], width: width, reg: destination(), rm: source())
        case 2: emitMemory([operation + (width == 1 ? 2 : 3)], width: width, reg: destination())
        case 3: emitMemory([operation + (width == 1 ? 0 : 1)], width: width, reg: source())
        default:
            emit([0x83 - (width == 1 ? 3 : 0)], width: width, reg: operation / 8, rm: destination())
            code.append(random.byte())
        }
    }

    private mutating func move() {
        let width = width()
        switch random.below(5) {
        case 0: emitMemory([width == 1 ? 0x8a : 0x8b], width: width, reg: destination())
        case 1: emitMemory([width == 1 ? 0x88 : 0x89], width: width, reg: source())
        case 2: emit([width == 1 ? 0x8a : 0x8b], width: width, reg: destination(), rm: source())
        case 3:
            emitMemory([width == 1 ? 0xc6 : 0xc7], width: width, reg: 0)
            for _ in 0..<min(width, 4) { code.append(random.byte()) }
        default:
            let rm = destination()
            code += [rm >= 8 ? 0x41 : 0x40, 0xb8 | rm & 7] + (0..<4).map { _ in random.byte() }
        }
    }

    private mutating func shift() {
        let width = width()
        let kind = UInt8(random.pick([0, 1, 4, 5, 7]))
        if random.oneIn(2) {
            emit([width == 1 ? 0xc0 : 0xc1], width: width, reg: kind, rm: destination())
            code.append(UInt8(random.below(8)))
        } else {
            code += [0xb1, UInt8(random.below(8))]
            emit([width == 1 ? 0xd2 : 0xd3], width: width, reg: kind, rm: destination())
        }
        defineFlags()
    }

    private mutating func increment() {
        let width = width()
        if random.oneIn(2) {
            emit([width == 1 ? 0xfe : 0xff], width: width, reg: UInt8(random.below(2)), rm: destination())
        } else {
            emitMemory([width == 1 ? 0xfe : 0xff], width: width, reg: UInt8(random.below(2)))
        }
    }

    private mutating func conditional() {
        switch random.below(3) {
        case 0: emit([0x0f, 0x90 | condition()], width: 1, reg: 0, rm: destination())
        case 1: emit([0x0f, 0x40 | condition()], width: random.pick([2, 4, 8]), reg: destination(), rm: source())
        default: emitMemory([0x0f, 0x40 | condition()], width: random.pick([4, 8]), reg: destination())
        }
    }

    private mutating func lea() { emitMemory([0x8d], width: random.pick([2, 4, 8]), reg: destination()) }

    private mutating func stack() {
        let register = destination()
        switch random.below(5) {
        case 0: code += register >= 8 ? [0x41, 0x50 | register & 7] : [0x50 | register]
        case 1: code += register >= 8 ? [0x41, 0x58 | register & 7] : [0x58 | register]
        case 2: code += [0x6a, random.byte()]
        case 3: emitMemory([0xff], width: 4, reg: 6)
        default: code += [0x54, 0x58 | UInt8(random.below(3))]
        }
    }

    private mutating func multiply() {
        if random.oneIn(2) {
            emit([0x0f, 0xaf], width: random.pick([2, 4, 8]), reg: destination(), rm: source())
        } else {
            emit([0xf7], width: random.pick([2, 4, 8]), reg: UInt8(4 + random.below(2)), rm: source())
        }
        defineFlags()
    }

    private mutating func divide() {
        code += random.oneIn(2) ? [0x31, 0xd2] : [0x48, 0x99]
        // Mostly a divisor that does not fault.
        if !random.oneIn(8) { code += [0xb9, random.byte() | 1, 0, 0, 0] }
        emit([0xf7], width: random.pick([4, 8]), reg: UInt8(6 + random.below(2)), rm: random.oneIn(20) ? source() : 1)
        defineFlags()
    }

    /// PUSHFQ and POP; a selector; a bit anywhere in memory.
    private mutating func system() {
        switch random.below(4) {
        case 3: string()
        case 0:
            let register = destination()
            code += [0x9c, register >= 8 ? 0x41 : 0x40, 0x58 | register & 7]
            // AF may be undefined: clear it in the copy.
            code += [register >= 8 ? 0x49 : 0x48, 0x0f, 0xba, 0xf0 | register & 7, 4]
        case 1: emit([0x8c], width: random.pick([2, 4, 8]), reg: random.pick([0, 1, 2, 3]), rm: destination())
        default:
            let register = destination()
            code += [register >= 8 ? 0x49 : 0x48, 0xc7, 0xc0 | register & 7] + little(UInt32(bitPattern: Int32(random.below(4000) - 2000)))
            let opcode: UInt8 = random.pick([0xa3, 0xab, 0xb3, 0xbb])
            emitMemory([0x0f, opcode], width: random.pick([2, 4, 8]), reg: register, lock: opcode != 0xa3 && random.oneIn(3))
            defineFlags()
        }
    }

    /// REP MOVS and REP STOS from and to the data, overlapping at times, with a few elements or none.
    private mutating func string() {
        code += [0x48, 0x8d, 0xb3] + little(UInt32(random.below(0x600)))  // lea rsi, [rbx + ...]
        code += random.oneIn(3) ? [0x48, 0x8d, 0x7e, UInt8(random.below(16))] : [0x48, 0x8d, 0xbb] + little(UInt32(random.below(0xc00)))
        code += [0xb9, random.oneIn(4) ? 0 : random.byte(), 0, 0, 0, 0xf3]
        code += random.pick([[0xa4], [0x66, 0xa5], [0xa5], [0x48, 0xa5], [0xaa], [0x66, 0xab], [0xab], [0x48, 0xab]])
    }

    private mutating func exchange() {
        let width = width()
        switch random.below(4) {
        case 0: emit([width == 1 ? 0x86 : 0x87], width: width, reg: destination(), rm: destination())
        case 1: emitMemory([width == 1 ? 0x86 : 0x87], width: width, reg: destination())
        case 2: emitMemory([0x0f, width == 1 ? 0xc0 : 0xc1], width: width, reg: destination(), lock: random.oneIn(2))
        default: emitMemory([0x0f, width == 1 ? 0xb0 : 0xb1], width: width, reg: source(), lock: random.oneIn(2))
        }
    }

    private mutating func bits() {
        emit([0x0f, 0xba], width: random.pick([4, 8]), reg: UInt8(4 + random.below(4)), rm: destination())
        code.append(random.byte())
        let register = destination()
        code += [register >= 8 ? 0x49 : 0x48, 0x0f, 0xc8 | register & 7]
        defineFlags()
    }

    private mutating func extend() {
        let opcode: UInt8 = random.pick([0xb6, 0xb7, 0xbe, 0xbf])
        if random.oneIn(2) {
            emit([0x0f, opcode], width: random.pick([4, 8]), reg: destination(), rm: source(), forcesREX: true)
        } else {
            emitMemory([0x0f, opcode], width: random.pick([4, 8]), reg: destination())
        }
    }

    /// Byte instructions on AH to BH, without REX.
    private mutating func highByte() {
        let opcode: UInt8 = random.pick([0x00, 0x28, 0x30, 0x38, 0x88, 0x86])
        let rm = UInt8(random.pick([0, 1, 2, 4, 5, 6]))
        code += [opcode, 0xc0 | UInt8(4 + random.below(4)) << 3 | rm]
    }

    private mutating func vector() {
        let (reg, rm) = (source(), source())
        switch random.below(6) {
        case 0: emit([0x0f, 0xfe], width: 4, reg: reg, rm: rm, prefix: 0x66)
        case 1: emitMemory([0x0f, 0x6f], width: 4, reg: reg, prefix: 0xf3)
        case 2: emitMemory([0x0f, 0x7f], width: 4, reg: reg, prefix: 0xf3)
        case 3: emitMemory([0x0f, 0xef], width: 4, reg: reg, prefix: 0x66)
        case 4: emit([0x0f, 0x7e], width: 8, reg: reg, rm: destination(), prefix: 0x66)
        default: emit([0x0f, 0x6e], width: 8, reg: reg, rm: rm, prefix: 0x66)
        }
    }

    // MARK: - transfers

    private mutating func jumpForward() {
        let isNear = random.oneIn(3)
        code += isNear ? [0x0f, 0x80 | condition(), 0, 0, 0, 0] : [0x70 | condition(), 0]
        let at = code.count
        for _ in 0..<1 + random.below(2) where code.count < at + 40 { simpleStep() }
        if isNear { code[at - 4] = UInt8(code.count - at) } else { code[at - 1] = UInt8(code.count - at) }
    }

    /// A step without branches of its own.
    private mutating func simpleStep() {
        switch random.below(4) {
        case 0: arithmetic()
        case 1: move()
        case 2: increment()
        default: lea()
        }
    }

    /// CALL over a jump, then a return to that jump; or an indirect jump.
    private mutating func callForward() {
        switch random.below(3) {
        case 0: code += [0xe8, 2, 0, 0, 0, 0xeb, 1, 0xc3]
        case 1: code += [0x48, 0x8d, 0x05, 2, 0, 0, 0, 0xff, 0xe0]  // lea rax, [rip+2]; jmp rax
        default: code += [0x48, 0x8d, 0x05, 4, 0, 0, 0, 0xff, 0xd0, 0xeb, 1, 0xc3]  // lea rax, [rip+4]; call rax; jmp; ret
        }
    }

    private mutating func loop() {
        guard !isInLoop else { return simpleStep() }
        isInLoop = true
        defer { isInLoop = false }
        code += [0x41, 0xbe, UInt8(2 + random.below(20)), 0, 0, 0]
        let start = code.count
        for _ in 0..<1 + random.below(3) { simpleStep() }
        code += [0x49, 0xff, 0xce, 0x75, UInt8(truncatingIfNeeded: start - code.count - 5)]
    }

    /// Stores a byte into the immediate of an instruction a little further on.
    private mutating func overwrite() {
        let distance = UInt8(1 + random.below(2))
        code += [0xc6, 0x05, distance == 1 ? 1 : 2, 0, 0, 0, random.byte()]
        code += distance == 1 ? [0xb0, 0x11] : [0x40, 0xb6, 0x22]
    }

    // MARK: - encodings

    private mutating func prefixes(_ width: Int, _ prefix: UInt8?, _ lock: Bool, _ rex: UInt8, _ forces: Bool) {
        if lock { code.append(0xf0) }
        if width == 2 { code.append(0x66) }
        if let prefix { code.append(prefix) }
        let all = rex | (width == 8 ? 8 : 0)
        if all != 0 || width == 1 || forces { code.append(0x40 | all) }
    }

    private mutating func emit(
        _ opcode: [UInt8], width: Int, reg: UInt8, rm: UInt8, prefix: UInt8? = nil, forcesREX: Bool = false
    ) {
        prefixes(width, prefix, false, (reg >> 3) << 2 | rm >> 3, forcesREX)
        code += opcode + [0xc0 | (reg & 7) << 3 | rm & 7]
    }

    private mutating func emitMemory(_ opcode: [UInt8], width: Int, reg: UInt8, prefix: UInt8? = nil, lock: Bool = false) {
        let base: UInt8 = random.pick([3, 3, 11, 15, 4])
        prefixes(width, prefix, lock, (reg >> 3) << 2 | base >> 3, false)
        code += opcode + [0x80 | (reg & 7) << 3 | base & 7]
        if base & 7 == 4 { code.append(0x24) }
        var displacement = Int32(random.below(256) - 128)
        if random.below(1000) < wildness { displacement = random.pick([0x1000, -0x1000, 0x7ff0_0000, 0x0c00, 0x17fc]) }
        code += little(UInt32(bitPattern: displacement))
    }

    private func little(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32($0 * 8)) } }
}
