internal import SoftFloat
internal import X86

/// The eight operations of the ModRM.reg field: FADD, FMUL, FCOM, FCOMP, FSUB, FSUBR, FDIV, FDIVR.
extension Core {
    /// With a memory operand; the result goes to ST(0).
    func x87Arithmetic(_ operation: UInt8, _ operand: Unpacked) {
        if operation & 6 == 2 { return x87Compare(operand, signaling: true, pops: operation & 1 != 0 ? 1 : 0) }
        guard x87HasOperands(0, 0, destination: 0, pops: 0) else { return }
        x87Compute(operation, operand, to: 0, pops: 0)
    }

    /// With ST(`number`).
    func x87Arithmetic(_ operation: UInt8, with number: Int, to destination: Int, pops: Int) {
        if operation & 6 == 2 { return x87Compare(with: number, signaling: true, pops: operation & 1 != 0 ? 1 : pops) }
        guard x87HasOperands(0, number, destination: destination, pops: pops) else { return }
        x87Compute(operation, x87(number).unpacked, to: destination, pops: pops)
    }

    private func x87Compute(_ operation: UInt8, _ b: Unpacked, to destination: Int, pops: Int) {
        var context = x87Context
        let a = x87(0).unpacked
        let result =
            switch operation {
            case 0: Extended80.add(a, b, &context)
            case 1: Extended80.multiply(a, b, &context)
            case 4: Extended80.subtract(a, b, &context)
            case 5: Extended80.subtract(b, a, &context)
            case 6: Extended80.divide(a, b, &context)
            default: Extended80.divide(b, a, &context)
            }
        deliverX87(result, context, to: destination, pops: pops)
    }

    /// Stores a result and pops, unless an unmasked exception stopped the operation.
    func deliverX87(_ result: Extended80, _ context: FloatContext, to destination: Int, pops: Int) {
        guard settleX87(context) else { return }
        setX87(destination, result)
        popX87(pops)
    }

    // MARK: - comparisons

    func x87Compare(with number: Int, signaling: Bool, pops: Int) {
        guard !isX87Empty(number) else { return x87Unordered(pops) }
        x87Compare(x87(number).unpacked, signaling: signaling, pops: pops)
    }

    /// FCOM, FUCOM, FTST: the order of ST(0) relative to `operand` in C3, C2 and C0. An unmasked exception only keeps the
    /// stack from being popped: the processor sets the condition codes all the same.
    func x87Compare(_ operand: Unpacked, signaling: Bool, pops: Int) {
        guard !isX87Empty(0) else { return x87Unordered(pops) }
        var context = x87Context
        let order = Extended80.compare(x87(0).unpacked, operand, signaling: signaling, &context)
        let delivers = settleX87(context)
        switch order {
        case .less: setX87Conditions(X87Status.c0)
        case .equal: setX87Conditions(X87Status.c3)
        case .greater: setX87Conditions(0)
        case .unordered: setX87Conditions(X87Status.c0 | X87Status.c2 | X87Status.c3)
        }
        if delivers { popX87(pops) }
    }

    private func x87Unordered(_ pops: Int) {
        let delivers = faultX87Stack(overflow: false)
        setX87Conditions(X87Status.c0 | X87Status.c2 | X87Status.c3)
        if delivers { popX87(pops) }
    }

    /// FCOMI and FUCOMI: the order in ZF, PF and CF; OF, SF and AF are cleared. C1 changes only with a stack fault.
    func x87CompareFlags(with number: Int, signaling: Bool, pops: Int) {
        var order = FloatOrdering.unordered
        let delivers: Bool
        if isX87Empty(0) || isX87Empty(number) {
            delivers = faultX87Stack(overflow: false)
        } else {
            var context = x87Context
            order = Extended80.compare(x87(0).unpacked, x87(number).unpacked, signaling: signaling, &context)
            context.roundedUp = s.fsw & X87Status.c1 != 0
            delivers = settleX87(context)
        }
        switch order {
        case .less: setArithmeticFlags(RFLAGS.carry)
        case .equal: setArithmeticFlags(RFLAGS.zero)
        case .greater: setArithmeticFlags(0)
        case .unordered: setArithmeticFlags(RFLAGS.carry | RFLAGS.parity | RFLAGS.zero)
        }
        if delivers { popX87(pops) }
    }
}
