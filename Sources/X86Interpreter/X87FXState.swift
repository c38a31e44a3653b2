internal import SoftFloat
internal import X86
internal import X86Decoder

/// FXSAVE, XSAVE and their kin: the memory forms of 0F AE (SDM vol. 1, 10.5 and chapter 13).
///
/// The XSAVE area is the standard form of x87 and SSE state: 512 bytes of FXSAVE image and 64 of header.
extension Core {
    /// State components.
    private static let x87Component: UInt64 = 1
    private static let sseComponent: UInt64 = 2
    static let mxcsrMask: UInt32 = 0xffff

    /// 0F AE /0 … /6 with a memory operand.
    ///
    /// - Throws: #UD, #NM, #GP(0) for misaligned operands, reserved MXCSR bits and bad headers, and what memory throws.
    @inline(never)
    func executeFXState(_ i: InstructionRef) throws(GuestFault) {
        guard i.isMemory else { throw .invalidOpcode }
        switch i.modRM &>> 3 & 7 {
        case 0: try fxsave(i)
        case 1: try fxrstor(i)
        case 2: try ldmxcsr(i)
        case 3: try stmxcsr(i)
        case 4: try xsave(i)
        case 5: try xrstor(i)
        case 6: try xsaveopt(i)
        default: throw .invalidOpcode
        }
    }

    // MARK: - FXSAVE and FXRSTOR

    private func checkFX(_ i: InstructionRef, isWrite: Bool) throws(GuestFault) {
        if s.cr0 & (CR0.emulation | CR0.taskSwitched) != 0 { throw .deviceNotAvailable }
        try checkOperand(i, byteCount: 512, isWrite: isWrite)
        if linear(i) & 15 != 0 { throw .generalProtection() }
    }

    /// EFER.FFXSR: the kernel's FXSAVE leaves XMM registers out.
    private var movesXMM: Bool { s.efer & EFER.fastFXSR == 0 || s.cpl != 0 || s.codeSize != .bits64 }

    func fxsave(_ i: InstructionRef) throws(GuestFault) {
        try checkFX(i, isWrite: true)
        try probeWrite(linear(i), byteCount: 512, i.segment)
        try storeX87Image(i)
        try storeMXCSRImage(i)
        if movesXMM { try storeXMMImage(i) }
    }

    func fxrstor(_ i: InstructionRef) throws(GuestFault) {
        try checkFX(i, isWrite: false)
        let mxcsr = try loadMXCSRImage(i)
        // Touch the last page first: a fault must leave everything as it was.
        _ = try load(operandAddress(i, 511), i.segment, as: UInt8.self)
        try loadX87Image(i)
        s.mxcsr = mxcsr
        if movesXMM { try loadXMMImage(i) }
    }

    // MARK: - MXCSR

    private func checkSSE() throws(GuestFault) {
        if s.cr0 & CR0.emulation != 0 || s.cr4 & CR4.osFXSR == 0 { throw .invalidOpcode }
        if s.cr0 & CR0.taskSwitched != 0 { throw .deviceNotAvailable }
    }

    func ldmxcsr(_ i: InstructionRef) throws(GuestFault) {
        try checkSSE()
        let value = try loadOperand(i, as: UInt32.self)
        if value & ~Core.mxcsrMask != 0 { throw .generalProtection() }
        s.mxcsr = value
    }

    func stmxcsr(_ i: InstructionRef) throws(GuestFault) {
        try checkSSE()
        try storeOperand(i, s.mxcsr)
    }

    // MARK: - XSAVE and XRSTOR

    private func checkX(_ i: InstructionRef, isWrite: Bool) throws(GuestFault) -> UInt64 {
        if s.cr4 & CR4.osXSAVE == 0 { throw .invalidOpcode }
        if s.cr0 & CR0.taskSwitched != 0 { throw .deviceNotAvailable }
        try checkOperand(i, byteCount: 576, isWrite: isWrite)
        if linear(i) & 63 != 0 { throw .generalProtection() }
        return (rax & 0xffff_ffff | rdx &<< 32) & s.xcr0
    }

    func xsave(_ i: InstructionRef) throws(GuestFault) {
        let requested = try checkX(i, isWrite: true)
        try saveComponents(i, requested, written: requested)
    }

    /// XSAVEOPT writes no component that is in its initial state.
    func xsaveopt(_ i: InstructionRef) throws(GuestFault) {
        let requested = try checkX(i, isWrite: true)
        try saveComponents(i, requested, written: requested & componentsInUse)
    }

    private func saveComponents(_ i: InstructionRef, _ requested: UInt64, written: UInt64) throws(GuestFault) {
        try probeWrite(linear(i), byteCount: 576, i.segment)
        let header = try load(operandAddress(i, 512), i.segment, as: UInt64.self)
        if written & Core.x87Component != 0 { try storeX87Image(i) }
        if requested & Core.sseComponent != 0 { try storeMXCSRImage(i) }
        if written & Core.sseComponent != 0 { try storeXMMImage(i) }
        try store(operandAddress(i, 512), header & ~requested | requested & componentsInUse, i.segment)
    }

    /// XINUSE: the components that are not in their initial state. MXCSR counts for SSE.
    private var componentsInUse: UInt64 {
        var components: UInt64 = 0
        var isInitial = s.fcw == 0x37f && s.fsw == 0 && s.ftw == 0 && s.fop == 0 && s.fip == 0 && s.fdp == 0
        for index in 0..<8 where x87Significand(index) != 0 || x87SignExponent(index) != 0 { isInitial = false }
        if !isInitial { components |= Core.x87Component }
        var bits = SIMD2<UInt64>.zero
        for number in 0..<UInt8(16) { bits |= xmm(number, as: SIMD2<UInt64>.self) }
        if bits != .zero || s.mxcsr != 0x1f80 { components |= Core.sseComponent }
        return components
    }

    func xrstor(_ i: InstructionRef) throws(GuestFault) {
        let requested = try checkX(i, isWrite: false)
        let present = try load(operandAddress(i, 512), i.segment, as: UInt64.self)
        let compaction = try load(operandAddress(i, 520), i.segment, as: UInt64.self)
        let reserved = try load(operandAddress(i, 528), i.segment, as: UInt64.self)
        // The compacted form is not offered by CPUID.
        if compaction != 0 || reserved != 0 || present & ~s.xcr0 != 0 { throw .generalProtection() }
        let mxcsr = try loadMXCSRImage(i)
        if requested & Core.x87Component != 0 {
            if present & Core.x87Component != 0 { try loadX87Image(i) } else { resetX87() }
        }
        guard requested & Core.sseComponent != 0 else { return }
        s.mxcsr = mxcsr
        if present & Core.sseComponent != 0 { try loadXMMImage(i) } else { resetXMM() }
    }

    /// The initial state of the x87 component: as FNINIT, and the registers are zero.
    private func resetX87() {
        initializeX87()
        for index in 0..<8 {
            setX87Significand(index, 0)
            setX87SignExponent(index, 0)
        }
    }

    private func resetXMM() {
        for number in 0..<UInt8(16) where number < 8 || s.codeSize == .bits64 { setXMM(number, SIMD2<UInt64>.zero) }
    }

    // MARK: - parts of the image (SDM vol. 1, table 10-2)

    private func storeX87Image(_ i: InstructionRef) throws(GuestFault) {
        let controls =
            UInt64(truncatingIfNeeded: s.fcw) | UInt64(truncatingIfNeeded: s.fsw) &<< 16
            | UInt64(truncatingIfNeeded: s.ftw) &<< 32 | UInt64(truncatingIfNeeded: s.fop & 0x7ff) &<< 48
        try store(operandAddress(i, 0), controls, i.segment)
        let wide = i.flags.contains(.rexW)
        try store(operandAddress(i, 8), wide ? s.fip : s.fip & 0xffff_ffff | UInt64(truncatingIfNeeded: s.fcs) &<< 32, i.segment)
        try store(operandAddress(i, 16), wide ? s.fdp : s.fdp & 0xffff_ffff | UInt64(truncatingIfNeeded: s.fds) &<< 32, i.segment)
        for number in 0..<8 {
            let value = x87(number)
            let offset = 32 &+ UInt64(truncatingIfNeeded: number) &* 16
            try store(operandAddress(i, offset), value.significand, i.segment)
            try store(operandAddress(i, offset &+ 8), UInt64(truncatingIfNeeded: value.signExponent), i.segment)
        }
    }

    private func loadX87Image(_ i: InstructionRef) throws(GuestFault) {
        let controls = try load(operandAddress(i, 0), i.segment, as: UInt64.self)
        let ip = try load(operandAddress(i, 8), i.segment, as: UInt64.self)
        let dp = try load(operandAddress(i, 16), i.segment, as: UInt64.self)
        var registers = InlineArray<8, Extended80>(repeating: .zero)
        for number in 0..<8 { registers[number] = try loadExtended(i, 32 &+ UInt64(truncatingIfNeeded: number) &* 16) }
        s.fcw = UInt16(truncatingIfNeeded: controls) & 0x1f3f | 0x40
        s.fsw = UInt16(truncatingIfNeeded: controls &>> 16)
        s.fop = UInt16(truncatingIfNeeded: controls &>> 48) & 0x7ff
        let wide = i.flags.contains(.rexW)
        (s.fip, s.fdp) = wide ? (ip, dp) : (ip & 0xffff_ffff, dp & 0xffff_ffff)
        (s.fcs, s.fds) = wide ? (0, 0) : (UInt16(truncatingIfNeeded: ip &>> 32), UInt16(truncatingIfNeeded: dp &>> 32))
        for number in 0..<8 { setX87(number, registers[number]) }
        s.ftw = UInt8(truncatingIfNeeded: controls &>> 32)
        updateX87Summary()
    }

    private func storeMXCSRImage(_ i: InstructionRef) throws(GuestFault) {
        try store(operandAddress(i, 24), s.mxcsr, i.segment)
        try store(operandAddress(i, 28), Core.mxcsrMask, i.segment)
    }

    private func loadMXCSRImage(_ i: InstructionRef) throws(GuestFault) -> UInt32 {
        let value = try load(operandAddress(i, 24), i.segment, as: UInt32.self)
        if value & ~Core.mxcsrMask != 0 { throw .generalProtection() }
        return value
    }

    /// XMM8-15 exist in 64-bit code only.
    private var xmmCount: UInt8 { s.codeSize == .bits64 ? 16 : 8 }

    private func storeXMMImage(_ i: InstructionRef) throws(GuestFault) {
        for number in 0..<xmmCount {
            try store(operandAddress(i, 160 &+ UInt64(truncatingIfNeeded: number) &* 16), xmm(number, as: SIMD2<UInt64>.self), i.segment)
        }
    }

    private func loadXMMImage(_ i: InstructionRef) throws(GuestFault) {
        for number in 0..<xmmCount {
            setXMM(number, try load(operandAddress(i, 160 &+ UInt64(truncatingIfNeeded: number) &* 16), i.segment, as: SIMD2<UInt64>.self))
        }
    }
}
