/// A general register of the host, by its number in encodings.
struct HostRegister: Equatable {
    let number: UInt8

    static let rax = HostRegister(number: 0)
    static let rcx = HostRegister(number: 1)
    static let rdx = HostRegister(number: 2)
    static let rbx = HostRegister(number: 3)
    /// Holds the address of the state block while translated code runs.
    static let rsp = HostRegister(number: 4)
    static let rbp = HostRegister(number: 5)
    static let rsi = HostRegister(number: 6)
    static let rdi = HostRegister(number: 7)
    static let r8 = HostRegister(number: 8)
    static let r9 = HostRegister(number: 9)
    /// Scratch: the linear address of a memory operand.
    static let r10 = HostRegister(number: 10)
    /// Scratch: what to add to it.
    static let r11 = HostRegister(number: 11)
    static let r12 = HostRegister(number: 12)
    /// Scratch: tags, and guest registers that live in memory.
    static let r13 = HostRegister(number: 13)
    static let r14 = HostRegister(number: 14)
    /// Guest RSP.
    static let r15 = HostRegister(number: 15)

    static let address = r10
    static let addend = r11
    static let scratch = r13
    static let guestRSP = r15

    /// Where a guest register lives while translated code runs; nil for R10, R11, R13 and R15, which stay in the state block.
    @inline(__always)
    static func holding(guest number: UInt8) -> HostRegister? {
        // Bit n: guest register n has the host register of its number.
        let same: UInt16 = 0b0101_0011_1110_1111
        if same &>> UInt16(truncatingIfNeeded: number) & 1 != 0 { return HostRegister(number: number) }
        return number == 4 ? guestRSP : nil
    }

    /// The guest registers that are loaded when translated code is entered, and stored when it is left.
    static let heldGuests: [UInt8] = (0..<16).filter { holding(guest: $0) != nil }
}
