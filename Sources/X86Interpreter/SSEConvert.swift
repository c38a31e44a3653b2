internal import SoftFloat
internal import X86
internal import X86Decoder

/// Conversions between singles, doubles and integers (SDM vol. 1, 11.4.1.6 and 11.4.2).
extension Core {
    @inline(never)
    func executeConversion(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        switch i.opcodeByte {
        case 0x2a:
            if prefix == .none || prefix == .h66 { try convertFromMMX(i, prefix) } else { try convertFromGeneral(i, prefix) }
        case 0x2c, 0x2d:
            if prefix == .none || prefix == .h66 { try convertToMMX(i, prefix) } else { try convertToGeneral(i, prefix) }
        case 0x5a: try convertPrecision(i, prefix)
        case 0x5b: try convertLongsAndSingles(i, prefix)
        default: try convertLongsAndDoubles(i, prefix)
        }
    }

    /// CVTSI2SS and CVTSI2SD.
    private func convertFromGeneral(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        var mxcsr = s.mxcsr
        let source = try generalOperand(i)
        let value = i.flags.contains(.rexW) ? Int64(bitPattern: source) : Int64(Int32(truncatingIfNeeded: source))
        if prefix == .f3 {
            let result = SSEArithmetic.from(value, as: Float.self, mxcsr: &mxcsr)
            try settleFloat(mxcsr)
            setXMMLane(i.reg, 0, result)
        } else {
            let result = SSEArithmetic.from(value, as: Double.self, mxcsr: &mxcsr)
            try settleFloat(mxcsr)
            setXMMLane(i.reg, 0, result)
        }
    }

    /// CVTSS2SI, CVTSD2SI (2D) and CVTTSS2SI, CVTTSD2SI (2C).
    private func convertToGeneral(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        if prefix == .f3 {
            try convertToGeneral(i, try lowOperand(i, as: Float.self))
        } else {
            try convertToGeneral(i, try lowOperand(i, as: Double.self))
        }
    }

    private func convertToGeneral<T: SSEScalar>(_ i: InstructionRef, _ source: T) throws(GuestFault) {
        var mxcsr = s.mxcsr
        let truncating = i.opcodeByte == 0x2c
        if i.flags.contains(.rexW) {
            let result = SSEArithmetic.int64(source, truncating: truncating, mxcsr: &mxcsr)
            try settleFloat(mxcsr)
            setRegister(i.regIndex, UInt64(bitPattern: result))
        } else {
            let result = SSEArithmetic.int32(source, truncating: truncating, mxcsr: &mxcsr)
            try settleFloat(mxcsr)
            setRegister(i.regIndex, UInt32(bitPattern: result))
        }
    }

    /// CVTPS2PD, CVTPD2PS, CVTSS2SD, CVTSD2SS.
    private func convertPrecision(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        var mxcsr = s.mxcsr
        switch prefix {
        case .none:
            let source = Vector(try lowOperand(i, as: UInt64.self), 0).floats
            let result = SIMD2(SSEArithmetic.widen(source.x, mxcsr: &mxcsr), SSEArithmetic.widen(source.y, mxcsr: &mxcsr))
            try settleFloat(mxcsr)
            setXMM(i.reg, result)
        case .h66:
            let source = try vectorOperand(i).doubles
            let result = SIMD4(SSEArithmetic.narrow(source.x, mxcsr: &mxcsr), SSEArithmetic.narrow(source.y, mxcsr: &mxcsr), 0, 0)
            try settleFloat(mxcsr)
            setXMM(i.reg, result)
        case .f3:
            let result = SSEArithmetic.widen(try lowOperand(i, as: Float.self), mxcsr: &mxcsr)
            try settleFloat(mxcsr)
            setXMMLane(i.reg, 0, result)
        case .f2:
            let result = SSEArithmetic.narrow(try lowOperand(i, as: Double.self), mxcsr: &mxcsr)
            try settleFloat(mxcsr)
            setXMMLane(i.reg, 0, result)
        }
    }

    /// CVTDQ2PS, CVTPS2DQ (66), CVTTPS2DQ (F3).
    private func convertLongsAndSingles(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        var mxcsr = s.mxcsr
        let source = try vectorOperand(i)
        var result = source.signedLongs
        for n in 0..<4 {
            if prefix == .none {
                let value = SSEArithmetic.from(Int64(source.signedLongs[n]), as: Float.self, mxcsr: &mxcsr)
                result[n] = Int32(bitPattern: value.bitPattern)
            } else {
                result[n] = SSEArithmetic.int32(source.floats[n], truncating: prefix == .f3, mxcsr: &mxcsr)
            }
        }
        try settleFloat(mxcsr)
        setXMM(i.reg, result)
    }

    /// CVTTPD2DQ (66), CVTPD2DQ (F2), CVTDQ2PD (F3).
    private func convertLongsAndDoubles(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        if prefix == .f3 {
            let source = Vector(try lowOperand(i, as: UInt64.self), 0).signedLongs
            return setXMM(i.reg, SIMD2(Double(source.x), Double(source.y)))
        }
        var mxcsr = s.mxcsr
        let result = longs(try vectorOperand(i).doubles, truncating: prefix == .h66, &mxcsr)
        try settleFloat(mxcsr)
        setXMM(i.reg, Vector(result, 0))
    }

    private func longs(_ source: SIMD2<Double>, truncating: Bool, _ mxcsr: inout UInt32) -> UInt64 {
        let low = SSEArithmetic.int32(source.x, truncating: truncating, mxcsr: &mxcsr)
        let high = SSEArithmetic.int32(source.y, truncating: truncating, mxcsr: &mxcsr)
        return UInt64(UInt32(bitPattern: low)) | UInt64(UInt32(bitPattern: high)) &<< 32
    }

    // MARK: - MMX registers

    /// CVTPI2PS, and CVTPI2PD (66), which leaves the FPU alone when its source is memory.
    private func convertFromMMX(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        let touchesFPU = !i.isMemory || prefix == .none
        if touchesFPU { try raisePendingX87() }
        let source = Vector(i.isMemory ? try loadOperand(i, as: UInt64.self) : mmx(i.rm), 0).signedLongs
        if touchesFPU { enterMMX() }
        if prefix == .h66 { return setXMM(i.reg, SIMD2(Double(source.x), Double(source.y))) }
        var mxcsr = s.mxcsr
        let result = SIMD2(
            SSEArithmetic.from(Int64(source.x), as: Float.self, mxcsr: &mxcsr),
            SSEArithmetic.from(Int64(source.y), as: Float.self, mxcsr: &mxcsr))
        try settleFloat(mxcsr)
        setXMMLane(i.reg, 0, result)
    }

    /// CVTPS2PI, CVTPD2PI (2D) and the truncating forms (2C).
    private func convertToMMX(_ i: InstructionRef, _ prefix: MandatoryPrefix) throws(GuestFault) {
        try raisePendingX87()
        let truncating = i.opcodeByte == 0x2c
        var mxcsr = s.mxcsr
        let result: UInt64
        if prefix == .h66 {
            result = longs(try vectorOperand(i).doubles, truncating: truncating, &mxcsr)
        } else {
            let source = Vector(try lowOperand(i, as: UInt64.self), 0).floats
            let low = SSEArithmetic.int32(source.x, truncating: truncating, mxcsr: &mxcsr)
            let high = SSEArithmetic.int32(source.y, truncating: truncating, mxcsr: &mxcsr)
            result = UInt64(UInt32(bitPattern: low)) | UInt64(UInt32(bitPattern: high)) &<< 32
        }
        // The FPU turns to MMX even when the conversion raises #XM.
        enterMMX()
        try settleFloat(mxcsr)
        setMMX(i.reg, result)
    }
}
