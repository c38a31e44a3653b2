internal import SoftFloat
internal import X86

/// The instructions without operands, D9 E0 … D9 FF.
extension Core {
    func x87Function(_ modRM: UInt8) throws(GuestFault) {
        switch modRM {
        case 0xe0: x87SignChange { $0.negated }
        case 0xe1: x87SignChange { $0.magnitude }
        case 0xe4: x87Compare(Unpacked(Int64(0)), signaling: true, pops: 0)
        case 0xe5: x87Examine()
        case 0xe8...0xee: x87LoadConstant(modRM & 7)
        case 0xf0: x87Unary { Extended80.exponential2MinusOne($0, &$1) }
        case 0xf1: x87Binary(to: 1, pops: 1) { Extended80.logarithm2($0, times: $1, &$2) }
        case 0xf2: x87Tangent()
        case 0xf3: x87Binary(to: 1, pops: 1) { Extended80.arctangent($1, over: $0, &$2) }
        case 0xf4: x87Extract()
        case 0xf5: x87Remainder(nearest: true)
        case 0xf6: x87Rotate(-1)
        case 0xf7: x87Rotate(1)
        case 0xf8: x87Remainder(nearest: false)
        case 0xf9: x87Binary(to: 1, pops: 1) { Extended80.logarithm2PlusOne($0, times: $1, &$2) }
        case 0xfa: x87Unary { Extended80.squareRoot($0, &$1) }
        case 0xfb: x87SineAndCosine()
        case 0xfc: x87Unary { Extended80.integral($0, &$1) }
        case 0xfd: x87Binary(to: 0, pops: 0) { Extended80.scale($0, by: $1, &$2) }
        case 0xfe: x87Circular { Extended80.sine($0, &$1) }
        case 0xff: x87Circular { Extended80.cosine($0, &$1) }
        default: throw .invalidOpcode
        }
    }

    @inline(__always)
    private func x87Unary(_ function: (Unpacked, inout FloatContext) -> Extended80) {
        guard x87HasOperands(0, 0, destination: 0, pops: 0) else { return }
        var context = x87Context
        let result = function(x87(0).unpacked, &context)
        deliverX87(result, context, to: 0, pops: 0)
    }

    /// A function of ST(0) and ST(1).
    @inline(__always)
    private func x87Binary(to destination: Int, pops: Int, _ function: (Unpacked, Unpacked, inout FloatContext) -> Extended80) {
        guard x87HasOperands(0, 1, destination: destination, pops: pops) else { return }
        var context = x87Context
        let result = function(x87(0).unpacked, x87(1).unpacked, &context)
        deliverX87(result, context, to: destination, pops: pops)
    }

    /// FCHS and FABS, which take any encoding and raise nothing.
    @inline(__always)
    private func x87SignChange(_ change: (Extended80) -> Extended80) {
        guard x87HasOperands(0, 0, destination: 0, pops: 0) else { return }
        s.fsw &= ~X87Status.c1
        setX87(0, change(x87(0)))
    }

    /// FXAM: the class in C3, C2 and C0, the sign in C1, of an empty register too.
    private func x87Examine() {
        let value = x87(0)
        var conditions = value.isNegative ? X87Status.c1 : 0
        if isX87Empty(0) {
            conditions |= X87Status.c3 | X87Status.c0
        } else {
            switch value.classification {
            case .unsupported: break
            case .nan: conditions |= X87Status.c0
            case .normal: conditions |= X87Status.c2
            case .infinity: conditions |= X87Status.c2 | X87Status.c0
            case .zero: conditions |= X87Status.c3
            case .denormal: conditions |= X87Status.c3 | X87Status.c2
            }
        }
        setX87Conditions(conditions)
    }

    private func x87LoadConstant(_ number: UInt8) {
        guard let constant = Extended80.Constant(rawValue: number) else { return }
        x87Load(Extended80(constant, x87Context.rounding))
    }

    /// FDECSTP and FINCSTP.
    private func x87Rotate(_ count: Int) {
        s.fsw &= ~X87Status.c1
        rotateX87(count)
    }

    private func x87Remainder(nearest: Bool) {
        guard x87HasOperands(0, 1, destination: 0, pops: 0) else { return }
        var context = x87Context
        let result = Extended80.remainder(x87(0).unpacked, x87(1).unpacked, nearest: nearest, &context)
        guard settleX87(context) else { return }
        setX87(0, result.value)
        var conditions = result.isPartial ? X87Status.c2 : 0
        if result.quotient & 4 != 0 { conditions |= X87Status.c0 }
        if result.quotient & 2 != 0 { conditions |= X87Status.c3 }
        if result.quotient & 1 != 0 { conditions |= X87Status.c1 }
        setX87Conditions(conditions)
    }

    // MARK: - results that push

    /// Room for a push and something in ST(0); else the stack fault, with both results the indefinite when it is masked.
    private func x87CanPush() -> Bool {
        let isEmpty = isX87Empty(0)
        guard isEmpty || !isX87Empty(7) else { return true }
        if faultX87Stack(overflow: !isEmpty) {
            setX87(0, .indefinite)
            pushX87(.indefinite)
        }
        return false
    }

    private func x87Deliver(_ lower: Extended80, _ upper: Extended80, _ context: FloatContext) {
        guard settleX87(context) else { return }
        setX87(0, lower)
        pushX87(upper)
    }

    private func x87Extract() {
        guard x87CanPush() else { return }
        var context = x87Context
        let parts = Extended80.extract(x87(0).unpacked, &context)
        x87Deliver(parts.exponent, parts.significand, context)
    }

    /// FPTAN pushes 1.0 above the tangent, or the same NaN twice.
    private func x87Tangent() {
        guard x87CanPush() else { return }
        var context = x87Context
        s.fsw &= ~X87Status.c2
        guard let tangent = Extended80.tangent(x87(0).unpacked, &context) else { return x87OutOfRange() }
        x87Deliver(tangent, tangent.classification == .nan ? tangent : .one, context)
    }

    private func x87SineAndCosine() {
        guard x87CanPush() else { return }
        var context = x87Context
        s.fsw &= ~X87Status.c2
        guard let both = Extended80.sineAndCosine(x87(0).unpacked, &context) else { return x87OutOfRange() }
        x87Deliver(both.sine, both.cosine, context)
    }

    @inline(__always)
    private func x87Circular(_ function: (Unpacked, inout FloatContext) -> Extended80?) {
        guard x87HasOperands(0, 0, destination: 0, pops: 0) else { return }
        var context = x87Context
        s.fsw &= ~X87Status.c2
        guard let result = function(x87(0).unpacked, &context) else { return x87OutOfRange() }
        deliverX87(result, context, to: 0, pops: 0)
    }

    /// C2: the operand is too large and stays.
    private func x87OutOfRange() { s.fsw = s.fsw & ~X87Status.c1 | X87Status.c2 }
}
