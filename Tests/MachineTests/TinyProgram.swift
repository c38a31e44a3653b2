import TestSupport

/// 32-bit machine code for a kernel of a few bytes at 1 MiB, put together call by call. Its data stands behind the code.
struct TinyProgram {
    private static let base: UInt32 = 0x10_0000
    private static let dataOffset = 0x1000
    private var code: [UInt8] = []
    private var data: [UInt8] = []
    /// The instruction that makes a hypercall: VMCALL or VMMCALL.
    var hypercall: [UInt8] = [0x0f, 0x01, 0xd9]

    mutating func add(_ bytes: UInt8...) { code += bytes }

    /// Puts words into memory and returns their address.
    mutating func place(_ words: [UInt32]) -> UInt32 {
        defer { for word in words { data += ELFWriter.little(word) } }
        return Self.base + UInt32(Self.dataOffset + data.count)
    }

    /// MOV of an immediate: 0 EAX, 1 ECX, 2 EDX, 3 EBX.
    mutating func load(_ register: UInt8, _ value: UInt32) { code += [0xb8 + register] + ELFWriter.little(value) }

    /// Writes to the hypervisor's log port.
    mutating func log(_ text: String) {
        load(2, 0xe9)
        for byte in text.utf8 { code += [0xb0, byte, 0xee] }
    }

    mutating func store(byte: UInt8, at address: UInt32) { code += [0xc6, 0x05] + ELFWriter.little(address) + [byte] }
    mutating func store(word: UInt32, at address: UInt32) { code += [0xc7, 0x05] + ELFWriter.little(address) + ELFWriter.little(word) }

    mutating func call(_ number: UInt32, _ command: UInt32, argument: [UInt32]) {
        let address = place(argument)
        load(0, number)
        load(3, command)
        load(1, address)
        code += hypercall
    }

    /// Writes to the console's ring and raises its port.
    mutating func print(_ text: String) {
        for (index, byte) in text.utf8.enumerated() { store(byte: byte, at: 0xfeff_f400 + UInt32(index)) }
        store(word: UInt32(text.utf8.count), at: 0xfeff_fc0c)
        call(32, 4, argument: [2])
    }

    /// JMP back to the first instruction.
    mutating func repeatForever() { code += [0xe9] + ELFWriter.little(UInt32(bitPattern: -Int32(code.count + 5))) }

    /// SCHEDOP_shutdown.
    mutating func shutDown(_ reason: UInt32) { call(29, 2, argument: [reason]) }

    /// LIDT of a table without entries, then UD2.
    mutating func tripleFault() {
        code += [0x0f, 0x01, 0x1d] + ELFWriter.little(place([0, 0])) + [0x0f, 0x0b]
    }

    /// SCHEDOP_poll of no port until a moment of system time.
    mutating func sleep(untilNanoseconds time: UInt64) {
        call(29, 3, argument: [0, 0, UInt32(truncatingIfNeeded: time), UInt32(truncatingIfNeeded: time >> 32)])
    }

    var bytes: [UInt8] {
        precondition(code.count <= Self.dataOffset, "a tiny program is tiny")
        return code + [UInt8](repeating: 0xf4, count: Self.dataOffset - code.count) + data
    }
}
