internal import X86
internal import X86Decoder

/// PCMPESTRM, PCMPESTRI, PCMPISTRM, PCMPISTRI (SDM vol. 2B, 4.1): two short strings compared element by element.
extension Core {
    @inline(never)
    func executeStringCompare(_ i: InstructionRef) throws(GuestFault) {
        let source = try unalignedOperand(i)
        let target = xmm(i.reg, as: Vector.self)
        let isExplicit = i.opcodeByte < 0x62
        let isWide = i.flags.contains(.rexW)
        var comparison = StringComparison(target, source, control: i.immediate8)
        if isExplicit {
            comparison.firstCount = comparison.count(rax, isWide: isWide)
            comparison.secondCount = comparison.count(rdx, isWide: isWide)
        } else {
            comparison.firstCount = comparison.countToZero(target)
            comparison.secondCount = comparison.countToZero(source)
        }
        let bits = comparison.result
        if i.opcodeByte & 1 != 0 {
            setRegister(1, comparison.index(bits))
        } else {
            setXMM(0, comparison.mask(bits))
        }
        setArithmeticFlags(comparison.flags(bits))
    }
}

/// One comparison: elements of both strings, their lengths, and the control byte.
private struct StringComparison {
    let control: UInt8
    /// Elements of a register: 16 bytes or 8 words.
    let elementCount: Int
    let first: Vector
    let second: Vector
    var firstCount = 0
    var secondCount = 0

    init(_ first: Vector, _ second: Vector, control: UInt8) {
        self.control = control
        self.first = first
        self.second = second
        elementCount = control & 1 != 0 ? 8 : 16
    }

    /// Element `n`, extended by the signedness of the control byte.
    private func element(_ vector: Vector, _ n: Int) -> Int32 {
        switch control & 3 {
        case 0: Int32(vector.bytes[n])
        case 1: Int32(vector.words[n])
        case 2: Int32(vector.signedBytes[n])
        default: Int32(vector.signedWords[n])
        }
    }

    /// The length in a register: its magnitude, cut to the element count.
    func count(_ register: UInt64, isWide: Bool) -> Int {
        let value = isWide ? Int64(bitPattern: register) : Int64(Int32(truncatingIfNeeded: register))
        return Int(truncatingIfNeeded: min(value.magnitude, UInt64(truncatingIfNeeded: elementCount)))
    }

    func countToZero(_ vector: Vector) -> Int {
        for n in 0..<elementCount where element(vector, n) == 0 { return n }
        return elementCount
    }

    /// A bit for each element of the second string, polarity applied.
    var result: UInt32 {
        var bits: UInt32 = 0
        for n in 0..<elementCount where matches(n) { bits |= 1 &<< UInt32(truncatingIfNeeded: n) }
        switch control &>> 4 & 3 {
        case 1: return bits ^ ((1 &<< UInt32(truncatingIfNeeded: elementCount)) &- 1)
        case 3: return bits ^ ((1 &<< UInt32(truncatingIfNeeded: secondCount)) &- 1)
        default: return bits
        }
    }

    private func matches(_ n: Int) -> Bool {
        switch control &>> 2 & 3 {
        case 0: n < secondCount && equalsAny(element(second, n))
        case 1: n < secondCount && isInRange(element(second, n))
        case 2: equalsEach(n)
        default: startsHere(n)
        }
    }

    private func equalsAny(_ value: Int32) -> Bool {
        for k in 0..<firstCount where element(first, k) == value { return true }
        return false
    }

    /// The first string holds pairs of bounds.
    private func isInRange(_ value: Int32) -> Bool {
        for pair in 0..<firstCount / 2 where element(first, pair &* 2) <= value && value <= element(first, pair &* 2 &+ 1) { return true }
        return false
    }

    private func equalsEach(_ n: Int) -> Bool {
        if n >= firstCount || n >= secondCount { return n >= firstCount && n >= secondCount }
        return element(first, n) == element(second, n)
    }

    /// The first string, as far as the register reaches, stands at element `n` of the second.
    private func startsHere(_ n: Int) -> Bool {
        for k in 0..<min(firstCount, elementCount &- n) {
            if n &+ k >= secondCount || element(first, k) != element(second, n &+ k) { return false }
        }
        return true
    }

    /// The lowest or, with bit 6, highest set bit; the element count when there is none.
    func index(_ bits: UInt32) -> UInt32 {
        if bits == 0 { return UInt32(truncatingIfNeeded: elementCount) }
        let found = control & 0x40 != 0 ? 31 &- bits.leadingZeroBitCount : bits.trailingZeroBitCount
        return UInt32(truncatingIfNeeded: found)
    }

    /// The bits as they are or, with bit 6, spread over the elements.
    func mask(_ bits: UInt32) -> Vector {
        guard control & 0x40 != 0 else { return Vector(UInt64(bits), 0) }
        var bytes = SIMD16<UInt8>.zero
        let shift = control & 1
        for n in 0..<16 where bits &>> UInt32(truncatingIfNeeded: n &>> Int(truncatingIfNeeded: shift)) & 1 != 0 { bytes[n] = .max }
        return Vector(lanes: bytes)
    }

    func flags(_ bits: UInt32) -> UInt64 {
        var flags: UInt64 = bits != 0 ? RFLAGS.carry : 0
        if secondCount < elementCount { flags |= RFLAGS.zero }
        if firstCount < elementCount { flags |= RFLAGS.sign }
        if bits & 1 != 0 { flags |= RFLAGS.overflow }
        return flags
    }
}
