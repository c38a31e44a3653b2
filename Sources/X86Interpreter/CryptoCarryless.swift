internal import X86
internal import X86Decoder

extension Core {
    /// PCLMULQDQ: bit 0 of the immediate chooses the destination's half, bit 4 the source's.
    @inline(never)
    func executeCarrylessMultiply(_ i: InstructionRef) throws(GuestFault) {
        let source = try vectorOperand(i)
        let target = xmm(i.reg, as: Vector.self)
        let a = i.immediate8 & 1 != 0 ? target.y : target.x
        let b = i.immediate8 & 0x10 != 0 ? source.y : source.x
        setXMM(i.reg, carrylessProduct(a, b))
    }

    /// The product of two polynomials over GF(2).
    private func carrylessProduct(_ a: UInt64, _ b: UInt64) -> Vector {
        var low: UInt64 = 0
        var high: UInt64 = 0
        for n: UInt64 in 0..<64 {
            let mask = 0 &- (b &>> n & 1)
            low ^= a &<< n & mask
            high ^= (a &>> 1) &>> (63 &- n) & mask
        }
        return Vector(low, high)
    }
}
