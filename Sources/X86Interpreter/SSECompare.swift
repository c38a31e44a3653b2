internal import SoftFloat
internal import X86
internal import X86Decoder

/// Floating-point comparisons.
extension Core {
    /// CMPPS, CMPPD, CMPSS, CMPSD: ones where the predicate in the immediate's low three bits holds.
    @inline(never)
    func executeCompare(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        let predicate = i.immediate8 & 7
        var mxcsr = s.mxcsr
        switch prefix {
        case .none:
            let source = try vectorOperand(i).floats
            let target = xmm(i.reg, as: SIMD4<Float>.self)
            var result = SIMD4<UInt32>.zero
            for n in 0..<4 where SSEArithmetic.holds(predicate, target[n], source[n], mxcsr: &mxcsr) { result[n] = .max }
            try settleFloat(mxcsr)
            setXMM(i.reg, result)
        case .h66:
            let source = try vectorOperand(i).doubles
            let target = xmm(i.reg, as: SIMD2<Double>.self)
            var result = Vector.zero
            for n in 0..<2 where SSEArithmetic.holds(predicate, target[n], source[n], mxcsr: &mxcsr) { result[n] = .max }
            try settleFloat(mxcsr)
            setXMM(i.reg, result)
        case .f3:
            let holds = SSEArithmetic.holds(predicate, xmmLane(i.reg, 0, as: Float.self), try lowOperand(i, as: Float.self), mxcsr: &mxcsr)
            try settleFloat(mxcsr)
            setXMMLane(i.reg, 0, holds ? UInt32.max : 0)
        case .f2:
            let holds = SSEArithmetic.holds(
                predicate, xmmLane(i.reg, 0, as: Double.self), try lowOperand(i, as: Double.self), mxcsr: &mxcsr)
            try settleFloat(mxcsr)
            setXMMLane(i.reg, 0, holds ? UInt64.max : 0)
        }
    }

    /// UCOMISx (2E) and COMISx (2F).
    @inline(never)
    func executeFlagCompare(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        if prefix == .h66 { try compareToFlags(i, as: Double.self) } else { try compareToFlags(i, as: Float.self) }
    }

    private func compareToFlags<T: SSEScalar>(_ i: InstructionRef, as: T.Type) throws(GuestFault) {
        var mxcsr = s.mxcsr
        let source = try lowOperand(i, as: T.self)
        let order = SSEArithmetic.compare(xmmLane(i.reg, 0, as: T.self), source, signaling: i.opcodeByte == 0x2f, mxcsr: &mxcsr)
        try settleFloat(mxcsr)
        switch order {
        case .less: setArithmeticFlags(RFLAGS.carry)
        case .equal: setArithmeticFlags(RFLAGS.zero)
        case .greater: setArithmeticFlags(0)
        case .unordered: setArithmeticFlags(RFLAGS.zero | RFLAGS.parity | RFLAGS.carry)
        }
    }
}
