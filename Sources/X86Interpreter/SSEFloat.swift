internal import SoftFloat
internal import X86
internal import X86Decoder

/// Floating-point arithmetic (SDM vol. 1, 10.4.1, 11.4.1, 12.3).
extension Core {
    /// Takes over the flags an instruction raised, before it writes its result.
    ///
    /// - Throws: #XM for an unmasked exception, #UD in its place without CR4.OSXMMEXCPT.
    @inline(__always)
    func settleFloat(_ mxcsr: UInt32) throws(GuestFault) {
        if _slowPath(mxcsr & SSEArithmetic.unmaskedException != 0) { throw stop(mxcsr) }
        s.mxcsr = mxcsr
    }

    /// Keeps the flags: of overflow, underflow and inexact only when no element stopped before it was computed.
    @inline(never)
    private func stop(_ mxcsr: UInt32) -> GuestFault {
        let late: UInt32 = mxcsr & SSEArithmetic.stoppedBeforeComputation != 0 ? 0x38 : 0
        s.mxcsr = (mxcsr & ~late | s.mxcsr & late) & 0xffff
        return s.cr4 & CR4.osXMMExceptions != 0 ? .simdFloatingPoint : .invalidOpcode
    }

    /// 51, 58, 59, 5C-5F.
    @inline(never)
    func executeFloat(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        switch prefix {
        case .none: try packedFloat(i, as: SIMD4<Float>.self)
        case .h66: try packedFloat(i, as: SIMD2<Double>.self)
        case .f3: try scalarFloat(i, as: Float.self)
        case .f2: try scalarFloat(i, as: Double.self)
        }
    }

    private func scalarFloat<T: SSEScalar>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        var mxcsr = s.mxcsr
        let source = try lowOperand(i, as: T.self)
        let result = Core.arithmetic(i.opcodeByte, xmmLane(i.reg, 0, as: T.self), source, &mxcsr)
        try settleFloat(mxcsr)
        setXMMLane(i.reg, 0, result)
    }

    private func packedFloat<V: SIMD & BitwiseCopyable>(_ i: InstructionRef, as: V.Type) throws(GuestFault) where V.Scalar: SSEScalar {
        var mxcsr = s.mxcsr
        let source = try vectorOperand(i).lanes(as: V.self)
        var result = xmm(i.reg, as: V.self)
        for n in 0..<V.scalarCount { result[n] = Core.arithmetic(i.opcodeByte, result[n], source[n], &mxcsr) }
        try settleFloat(mxcsr)
        setXMM(i.reg, result)
    }

    @inline(__always)
    private static func arithmetic<T: SSEScalar>(_ opcode: UInt8, _ a: T, _ b: T, _ mxcsr: inout UInt32) -> T {
        switch opcode {
        case 0x51: SSEArithmetic.squareRoot(b, mxcsr: &mxcsr)
        case 0x58: SSEArithmetic.add(a, b, mxcsr: &mxcsr)
        case 0x59: SSEArithmetic.multiply(a, b, mxcsr: &mxcsr)
        case 0x5c: SSEArithmetic.subtract(a, b, mxcsr: &mxcsr)
        case 0x5d: SSEArithmetic.minimum(a, b, mxcsr: &mxcsr)
        case 0x5e: SSEArithmetic.divide(a, b, mxcsr: &mxcsr)
        default: SSEArithmetic.maximum(a, b, mxcsr: &mxcsr)
        }
    }

    // MARK: - horizontal

    /// HADDPx (7C), HSUBPx (7D), ADDSUBPx (D0): 66 doubles, F2 singles.
    @inline(never)
    func executeHorizontal(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        if prefix == .h66 { try horizontal(i, as: SIMD2<Double>.self) } else { try horizontal(i, as: SIMD4<Float>.self) }
    }

    private func horizontal<V: SIMD & BitwiseCopyable>(_ i: InstructionRef, as: V.Type) throws(GuestFault) where V.Scalar: SSEScalar {
        var mxcsr = s.mxcsr
        let source = try vectorOperand(i).lanes(as: V.self)
        let target = xmm(i.reg, as: V.self)
        var result = target
        let half = V.scalarCount / 2
        for n in 0..<V.scalarCount {
            if i.opcodeByte == 0xd0 {
                result[n] = Core.sum(target[n], source[n], subtracting: n & 1 == 0, &mxcsr)
            } else {
                let pair = n < half ? target : source
                let first = (n < half ? n : n &- half) &* 2
                result[n] = Core.sum(pair[first], pair[first &+ 1], subtracting: i.opcodeByte == 0x7d, &mxcsr)
            }
        }
        try settleFloat(mxcsr)
        setXMM(i.reg, result)
    }

    private static func sum<T: SSEScalar>(_ a: T, _ b: T, subtracting: Bool, _ mxcsr: inout UInt32) -> T {
        subtracting ? SSEArithmetic.subtract(a, b, mxcsr: &mxcsr) : SSEArithmetic.add(a, b, mxcsr: &mxcsr)
    }

    // MARK: - dot products

    /// DPPS and DPPD: bits 4-7 of the immediate choose the products, bits 0-3 where the sum goes.
    @inline(never)
    func executeDotProduct(_ i: InstructionRef) throws(GuestFault) {
        if i.opcodeByte == 0x41 { try dotProduct(i, as: SIMD2<Double>.self) } else { try dotProduct(i, as: SIMD4<Float>.self) }
    }

    private func dotProduct<V: SIMD & BitwiseCopyable>(_ i: InstructionRef, as: V.Type) throws(GuestFault) where V.Scalar: SSEScalar {
        var mxcsr = s.mxcsr
        let source = try vectorOperand(i).lanes(as: V.self)
        let target = xmm(i.reg, as: V.self)
        let control = i.immediate8
        var sums = V.zero
        for n in 0..<V.scalarCount where control &>> UInt8(truncatingIfNeeded: n &+ 4) & 1 != 0 {
            sums[n] = SSEArithmetic.multiply(target[n], source[n], mxcsr: &mxcsr)
        }
        try settleFloat(mxcsr)
        var width = V.scalarCount
        while width > 1 {
            width /= 2
            for n in 0..<width { sums[n] = SSEArithmetic.add(sums[2 &* n], sums[2 &* n &+ 1], mxcsr: &mxcsr) }
            try settleFloat(mxcsr)
        }
        var result = V.zero
        for n in 0..<V.scalarCount where control &>> UInt8(truncatingIfNeeded: n) & 1 != 0 { result[n] = sums[0] }
        setXMM(i.reg, result)
    }

    // MARK: - rounding

    /// ROUNDPS (08), ROUNDPD (09), ROUNDSS (0A), ROUNDSD (0B).
    @inline(never)
    func executeRound(_ i: InstructionRef) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x08: try roundPacked(i, as: SIMD4<Float>.self)
        case 0x09: try roundPacked(i, as: SIMD2<Double>.self)
        case 0x0a: try roundScalar(i, as: Float.self)
        default: try roundScalar(i, as: Double.self)
        }
    }

    private func roundPacked<V: SIMD & BitwiseCopyable>(_ i: InstructionRef, as: V.Type) throws(GuestFault) where V.Scalar: SSEScalar {
        var mxcsr = s.mxcsr
        var result = try vectorOperand(i).lanes(as: V.self)
        for n in 0..<V.scalarCount { result[n] = SSEArithmetic.integral(result[n], control: i.immediate8, mxcsr: &mxcsr) }
        try settleFloat(mxcsr)
        setXMM(i.reg, result)
    }

    private func roundScalar<T: SSEScalar>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        var mxcsr = s.mxcsr
        let result = SSEArithmetic.integral(try lowOperand(i, as: T.self), control: i.immediate8, mxcsr: &mxcsr)
        try settleFloat(mxcsr)
        setXMMLane(i.reg, 0, result)
    }

    // MARK: - approximations

    /// RSQRTPS, RSQRTSS (52), RCPPS, RCPSS (53): they know no exceptions and take denormals for zeros.
    @inline(never)
    func executeReciprocal(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        let isRoot = i.opcodeByte == 0x52
        if prefix == .f3 {
            let source = try lowOperand(i, as: Float.self)
            return setXMMLane(i.reg, 0, Core.reciprocal(source, ofRoot: isRoot))
        }
        var result = try vectorOperand(i).floats
        for n in 0..<4 { result[n] = Core.reciprocal(result[n], ofRoot: isRoot) }
        setXMM(i.reg, result)
    }

    /// Better than the 12 bits that are promised; results below the normal numbers are zeros.
    private static func reciprocal(_ a: Float, ofRoot isRoot: Bool) -> Float {
        if a.isNaN { return Float(bitPattern: a.bitPattern | 0x40_0000) }
        let operand = a.isSubnormal ? (a.sign == .minus ? -0.0 : 0) : a
        if isRoot && operand < 0 { return Float(bitPattern: 0xffc0_0000) }
        if isRoot && operand == 0 { return 1 / operand }
        let result = isRoot ? 1 / operand.squareRoot() : 1 / operand
        return result.isSubnormal ? (result.sign == .minus ? -0.0 : 0) : result
    }
}
