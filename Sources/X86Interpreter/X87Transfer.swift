internal import SoftFloat
internal import X86
internal import X86Decoder

/// Loads, stores and moves.
extension Core {
    /// The memory forms of D9, DB, DD and DF but the control instructions.
    func x87Transfer(_ i: InstructionRef, _ operation: UInt8) throws(GuestFault) {
        switch (i.opcodeByte & 7, operation) {
        case (1, 0): x87Load(Unpacked(try loadOperand(i, as: UInt32.self)))
        case (5, 0): x87Load(Unpacked(try loadOperand(i, as: UInt64.self)))
        case (3, 0): x87Load(Extended80(Int64(truncatingIfNeeded: try loadOperand(i, as: Int32.self))))
        case (7, 0): x87Load(Extended80(Int64(truncatingIfNeeded: try loadOperand(i, as: Int16.self))))
        case (7, 5): x87Load(Extended80(try loadOperand(i, as: Int64.self)))
        case (3, 5): x87Load(try x87LoadExtended(i))
        case (7, 4): x87Load(try x87LoadDecimal(i))
        case (1, 2): try x87StoreSingle(i, pops: 0)
        case (1, 3): try x87StoreSingle(i, pops: 1)
        case (5, 2): try x87StoreDouble(i, pops: 0)
        case (5, 3): try x87StoreDouble(i, pops: 1)
        case (3, 1): try x87StoreInteger(i, as: Int32.self, truncating: true, pops: 1)
        case (3, 2): try x87StoreInteger(i, as: Int32.self, truncating: false, pops: 0)
        case (3, 3): try x87StoreInteger(i, as: Int32.self, truncating: false, pops: 1)
        case (5, 1): try x87StoreInteger(i, as: Int64.self, truncating: true, pops: 1)
        case (7, 1): try x87StoreInteger(i, as: Int16.self, truncating: true, pops: 1)
        case (7, 2): try x87StoreInteger(i, as: Int16.self, truncating: false, pops: 0)
        case (7, 3): try x87StoreInteger(i, as: Int16.self, truncating: false, pops: 1)
        case (7, 7): try x87StoreInteger(i, as: Int64.self, truncating: false, pops: 1)
        case (3, 7): try x87StoreExtended(i)
        case (7, 6): try x87StoreDecimal(i)
        default: throw .invalidOpcode
        }
    }

    // MARK: - loads

    private func x87Load(_ operand: Unpacked) {
        guard isX87Empty(7) else { return x87Overflow() }
        var context = x87Context
        let value = Extended80(loading: operand, &context)
        if settleX87(context) { pushX87(value) }
    }

    /// Pushes what loads without exceptions of its own.
    func x87Load(_ value: Extended80) {
        guard isX87Empty(7) else { return x87Overflow() }
        s.fsw &= ~X87Status.c1
        pushX87(value)
    }

    private func x87Overflow() {
        if faultX87Stack(overflow: true) { pushX87(.indefinite) }
    }

    private func x87LoadExtended(_ i: InstructionRef) throws(GuestFault) -> Extended80 {
        try checkOperand(i, byteCount: 10, isWrite: false)
        return try loadExtended(i, 0)
    }

    private func x87LoadDecimal(_ i: InstructionRef) throws(GuestFault) -> Extended80 {
        let bytes = try x87LoadExtended(i)
        return Extended80(PackedDecimal(low: bytes.significand, high: bytes.signExponent))
    }

    /// FLD ST(number).
    func x87Duplicate(_ number: Int) {
        if isX87Empty(number) {
            if faultX87Stack(overflow: false) { pushX87(.indefinite) }
        } else {
            x87Load(x87(number))
        }
    }

    // MARK: - stores

    /// True when something is to be stored: unmasked invalid, overflow and underflow leave memory and stack alone.
    private func x87Stores(_ context: FloatContext) -> Bool {
        context.unmasked.isDisjoint(with: [.invalid, .overflow, .underflow])
    }

    /// Stores `value`, or `indefinite` when ST(0) is empty, then notes the flags and pops.
    private func x87Store<T: BitwiseCopyable>(
        _ i: InstructionRef, _ value: T, indefinite: T, _ context: FloatContext, pops: Int
    ) throws(GuestFault) {
        if isX87Empty(0) {
            if s.fcw & 1 != 0 { try storeOperand(i, indefinite) } else { try probeOperand(i, byteCount: MemoryLayout<T>.size) }
            if faultX87Stack(overflow: false) { popX87(pops) }
            return
        }
        let stores = x87Stores(context)
        if stores { try storeOperand(i, value) } else { try probeOperand(i, byteCount: MemoryLayout<T>.size) }
        settleX87(context)
        if stores { popX87(pops) }
    }

    /// Faults as the store would: an exception that keeps the value back comes after the address.
    private func probeOperand(_ i: InstructionRef, byteCount: Int) throws(GuestFault) {
        try checkOperand(i, byteCount: byteCount, isWrite: true)
        try probeWrite(linear(i), byteCount: byteCount, i.segment)
    }

    private func x87StoreSingle(_ i: InstructionRef, pops: Int) throws(GuestFault) {
        var context = x87Context
        let value = x87(0).binary32(&context)
        try x87Store(i, value, indefinite: 0xffc0_0000, context, pops: pops)
    }

    private func x87StoreDouble(_ i: InstructionRef, pops: Int) throws(GuestFault) {
        var context = x87Context
        let value = x87(0).binary64(&context)
        try x87Store(i, value, indefinite: 0xfff8_0000_0000_0000, context, pops: pops)
    }

    private func x87StoreInteger<T: FixedWidthInteger & BitwiseCopyable>(
        _ i: InstructionRef, as: T.Type, truncating: Bool, pops: Int
    ) throws(GuestFault) {
        var context = x87Context
        let value = x87(0).integer(bitCount: Int32(truncatingIfNeeded: T.bitWidth), truncating: truncating, &context)
        try x87Store(i, T(truncatingIfNeeded: value), indefinite: T.min, context, pops: pops)
    }

    private func x87StoreExtended(_ i: InstructionRef) throws(GuestFault) {
        try checkOperand(i, byteCount: 10, isWrite: true)
        let isEmpty = isX87Empty(0)
        try probeWrite(linear(i), byteCount: 10, i.segment)
        if !isEmpty || s.fcw & 1 != 0 {
            try storeExtended(i, 0, isEmpty ? .indefinite : x87(0))
        }
        if isEmpty {
            if faultX87Stack(overflow: false) { popX87(1) }
        } else {
            s.fsw &= ~X87Status.c1
            popX87(1)
        }
    }

    private func x87StoreDecimal(_ i: InstructionRef) throws(GuestFault) {
        try checkOperand(i, byteCount: 10, isWrite: true)
        var context = x87Context
        let isEmpty = isX87Empty(0)
        let value = isEmpty ? .indefinite : x87(0).packedDecimal(&context)
        let stores = isEmpty ? s.fcw & 1 != 0 : x87Stores(context)
        try probeWrite(linear(i), byteCount: 10, i.segment)
        if stores {
            try storeExtended(i, 0, Extended80(significand: value.low, signExponent: value.high))
        }
        if isEmpty { _ = faultX87Stack(overflow: false) } else { settleX87(context) }
        if stores { popX87(1) }
    }

    /// Ten bytes at `offset` of the operand, whose segment was checked.
    func loadExtended(_ i: InstructionRef, _ offset: UInt64) throws(GuestFault) -> Extended80 {
        let significand = try load(operandAddress(i, offset), i.segment, as: UInt64.self)
        return Extended80(significand: significand, signExponent: try load(operandAddress(i, offset &+ 8), i.segment, as: UInt16.self))
    }

    func storeExtended(_ i: InstructionRef, _ offset: UInt64, _ value: Extended80) throws(GuestFault) {
        try store(operandAddress(i, offset), value.significand, i.segment)
        try store(operandAddress(i, offset &+ 8), value.signExponent, i.segment)
    }

    /// The linear address `offset` bytes into the memory operand.
    func operandAddress(_ i: InstructionRef, _ offset: UInt64) -> UInt64 {
        let address = linear(i) &+ offset
        return i.codeSize == .bits64 ? address : address & 0xffff_ffff
    }

    // MARK: - between registers

    /// FST and FSTP ST(number).
    func x87StoreRegister(_ number: Int, pops: Int) {
        guard x87HasOperands(0, 0, destination: number, pops: pops) else { return }
        s.fsw &= ~X87Status.c1
        setX87(number, x87(0))
        popX87(pops)
    }

    /// FFREE and FFREEP.
    func x87Free(_ number: Int, pops: Int) {
        s.fsw &= ~X87Status.c1
        markX87Empty(number)
        popX87(pops)
    }

    /// FXCH: empty registers count as the indefinite when the stack fault is masked.
    func x87Exchange(_ number: Int) {
        s.fsw &= ~X87Status.c1
        if isX87Empty(0) || isX87Empty(number) {
            guard faultX87Stack(overflow: false) else { return }
            if isX87Empty(0) { setX87(0, .indefinite) }
            if isX87Empty(number) { setX87(number, .indefinite) }
        }
        let value = x87(0)
        setX87(0, x87(number))
        setX87(number, value)
    }

    /// FCMOVcc. C1 changes only with a stack fault.
    func x87Move(_ number: Int, if condition: Bool) {
        guard x87HasOperands(0, number, destination: 0, pops: 0) else { return }
        if condition { setX87(0, x87(number)) }
    }
}
