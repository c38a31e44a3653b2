internal import SoftFloat
internal import X86

/// Bits of the x87 status word (SDM vol. 1, 8.1.3).
enum X87Status {
    static let stackFault: UInt16 = 1 << 6
    /// ES: an unmasked exception is pending.
    static let summary: UInt16 = 1 << 7
    static let c0: UInt16 = 1 << 8
    static let c1: UInt16 = 1 << 9
    static let c2: UInt16 = 1 << 10
    static let c3: UInt16 = 1 << 14
    static let conditions = c0 | c1 | c2 | c3
    /// B, which mirrors ES.
    static let busy: UInt16 = 1 << 15
    static let top: UInt16 = 7 << 11
}

/// The register stack and its flags.
extension Core {
    var x87Top: Int { Int(truncatingIfNeeded: s.fsw &>> 11 & 7) }

    private func physical(_ number: Int) -> Int { (x87Top &+ number) & 7 }

    /// The bit of ST(number) in the tag word.
    private func tag(_ number: Int) -> UInt8 { 1 &<< UInt8(truncatingIfNeeded: physical(number)) }

    func isX87Empty(_ number: Int) -> Bool { s.ftw & tag(number) == 0 }

    func markX87Empty(_ number: Int) { s.ftw &= ~tag(number) }

    /// ST(number), whatever its tag.
    func x87(_ number: Int) -> Extended80 {
        let index = physical(number)
        return Extended80(significand: x87Significand(index), signExponent: x87SignExponent(index))
    }

    func setX87(_ number: Int, _ value: Extended80) {
        let index = physical(number)
        setX87Significand(index, value.significand)
        setX87SignExponent(index, value.signExponent)
        s.ftw |= tag(number)
    }

    /// Moves TOP by `count`, tags untouched.
    func rotateX87(_ count: Int) {
        s.fsw = s.fsw & ~X87Status.top | UInt16(truncatingIfNeeded: (x87Top &+ count) & 7) &<< 11
    }

    func popX87(_ count: Int) {
        for _ in 0..<count {
            markX87Empty(0)
            rotateX87(1)
        }
    }

    /// Pushes; the caller has checked that there is room.
    func pushX87(_ value: Extended80) {
        rotateX87(-1)
        setX87(0, value)
    }

    /// How the next operation computes.
    var x87Context: FloatContext { FloatContext(controlWord: s.fcw) }

    /// Adds what an operation raised; C1 tells the direction of its rounding. True when its result is to be delivered.
    @discardableResult
    func settleX87(_ context: FloatContext) -> Bool {
        s.fsw = s.fsw & ~X87Status.c1 | UInt16(truncatingIfNeeded: context.raised.rawValue) | (context.roundedUp ? X87Status.c1 : 0)
        if !context.unmasked.isEmpty { s.fsw |= X87Status.summary | X87Status.busy }
        return !context.stopsBeforeComputation
    }

    /// A stack fault: C1 tells overflow from underflow. True when it is masked, and the indefinite takes the result's place.
    func faultX87Stack(overflow: Bool) -> Bool {
        s.fsw = s.fsw & ~X87Status.c1 | X87Status.stackFault | 1 | (overflow ? X87Status.c1 : 0)
        if s.fcw & 1 != 0 { return true }
        s.fsw |= X87Status.summary | X87Status.busy
        return false
    }

    /// Lets ES and B follow flags and masks after either was loaded.
    func updateX87Summary() {
        let pending = s.fsw & ~s.fcw & 0x3f != 0
        s.fsw = s.fsw & ~(X87Status.summary | X87Status.busy) | (pending ? X87Status.summary | X87Status.busy : 0)
    }

    func setX87Conditions(_ conditions: UInt16) { s.fsw = s.fsw & ~X87Status.conditions | conditions }

    /// Makes registers `first` and `second` hold something: true when they do, else the stack fault with the indefinite in
    /// register `destination` and `pops` registers taken off, unless it is unmasked.
    func x87HasOperands(_ first: Int, _ second: Int, destination: Int, pops: Int) -> Bool {
        guard isX87Empty(first) || isX87Empty(second) else { return true }
        if faultX87Stack(overflow: false) {
            setX87(destination, .indefinite)
            popX87(pops)
        }
        return false
    }
}
