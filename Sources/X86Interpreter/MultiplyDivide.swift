internal import X86

/// MUL, IMUL, DIV and IDIV (SDM vol. 2). Flags the architecture leaves undefined keep their values.
extension Core {
    /// IMUL with two or three operands: the low half of the product; CF and OF say that it lost something.
    @inline(__always)
    func multiplySigned<T: OperandWord>(_ a: T, _ b: T) -> T {
        let product = T.SignedWord(truncatingIfNeeded: a).multipliedReportingOverflow(by: T.SignedWord(truncatingIfNeeded: b))
        setCarryOverflow(carry: product.overflow, overflow: product.overflow)
        return T(truncatingIfNeeded: product.partialValue)
    }

    /// AX, DX:AX, EDX:EAX or RDX:RAX by halves.
    private func setWideAccumulator<T: OperandWord>(high: T, low: T) {
        if T.self == UInt8.self {
            setByte(atOffset: 0, UInt8(truncatingIfNeeded: low))
            setByte(atOffset: 1, UInt8(truncatingIfNeeded: high))
        } else {
            setRegister(0, low)
            setRegister(2, high)
        }
    }

    private func wideAccumulator<T: OperandWord>(as: T.Type) -> (high: T, low: T) {
        let high = T.self == UInt8.self ? T(truncatingIfNeeded: byte(atOffset: 1)) : register(2, as: T.self)
        return (high, register(0, as: T.self))
    }

    func multiplyWideUnsigned<T: OperandWord>(_ operand: T) {
        let product = register(0, as: T.self).multipliedFullWidth(by: operand)
        setWideAccumulator(high: product.high, low: T(truncatingIfNeeded: product.low))
        setCarryOverflow(carry: product.high != 0, overflow: product.high != 0)
    }

    func multiplyWideSigned<T: OperandWord>(_ operand: T) {
        let a = T.SignedWord(truncatingIfNeeded: register(0, as: T.self))
        let product = a.multipliedFullWidth(by: T.SignedWord(truncatingIfNeeded: operand))
        let low = T(truncatingIfNeeded: product.low)
        let isLarge = product.high != (topBit(low) ? -1 : 0)
        setWideAccumulator(high: T(truncatingIfNeeded: product.high), low: low)
        setCarryOverflow(carry: isLarge, overflow: isLarge)
    }

    /// - Throws: #DE when the divisor is zero or the quotient too large; nothing has changed then.
    func divideUnsigned<T: OperandWord>(by divisor: T) throws(GuestFault) {
        let (high, low) = wideAccumulator(as: T.self)
        guard divisor > high else { throw .divideError }
        let result = divisor.dividingFullWidth((high, low))
        setWideAccumulator(high: result.remainder, low: result.quotient)
    }

    /// - Throws: #DE when the divisor is zero or the quotient does not fit; nothing has changed then.
    func divideSigned<T: OperandWord>(by divisor: T) throws(GuestFault) {
        let (high, low) = wideAccumulator(as: T.self)
        let isNegative = topBit(high)
        let dividesByNegative = topBit(divisor)
        // Magnitudes: the most negative values turn into themselves, which is right for unsigned numbers.
        let lowMagnitude = isNegative ? 0 &- low : low
        let highMagnitude = isNegative ? ~high &+ (low == 0 ? 1 : 0) : high
        let magnitude = dividesByNegative ? 0 &- divisor : divisor
        guard magnitude > highMagnitude else { throw .divideError }
        let result = magnitude.dividingFullWidth((highMagnitude, lowMagnitude))
        let isQuotientNegative = isNegative != dividesByNegative
        let most: T = 1 &<< T(truncatingIfNeeded: T.bitWidth &- 1)
        guard result.quotient < most || (isQuotientNegative && result.quotient == most) else { throw .divideError }
        setWideAccumulator(
            high: isNegative ? 0 &- result.remainder : result.remainder,
            low: isQuotientNegative ? 0 &- result.quotient : result.quotient)
    }
}
