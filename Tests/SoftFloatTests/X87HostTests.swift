#if arch(x86_64)
import SoftFloat
import Testing

/// One x87 instruction with its encoding and our function of ST(0), ST(1); nil results leave the register alone.
struct X87Case: CustomTestStringConvertible, Sendable {
    var name: String
    var code: [UInt8]
    var ours: @Sendable (Extended80, Extended80, inout FloatContext) -> Extended80
    var testDescription: String { name }
}

@Suite("x87 arithmetic against the host processor") struct X87HostTests {
    static let exact: [X87Case] = [
        X87Case(name: "FADD", code: [0xd8, 0xc1]) { Extended80.add($0.unpacked, $1.unpacked, &$2) },
        X87Case(name: "FSUB", code: [0xd8, 0xe1]) { Extended80.subtract($0.unpacked, $1.unpacked, &$2) },
        X87Case(name: "FSUBR", code: [0xd8, 0xe9]) { Extended80.subtract($1.unpacked, $0.unpacked, &$2) },
        X87Case(name: "FMUL", code: [0xd8, 0xc9]) { Extended80.multiply($0.unpacked, $1.unpacked, &$2) },
        X87Case(name: "FDIV", code: [0xd8, 0xf1]) { Extended80.divide($0.unpacked, $1.unpacked, &$2) },
        X87Case(name: "FSQRT", code: [0xd9, 0xfa]) { a, _, c in Extended80.squareRoot(a.unpacked, &c) },
        X87Case(name: "FRNDINT", code: [0xd9, 0xfc]) { a, _, c in Extended80.integral(a.unpacked, &c) },
        X87Case(name: "FSCALE", code: [0xd9, 0xfd]) { Extended80.scale($0.unpacked, by: $1.unpacked, &$2) },
    ]

    /// Any precision, rounding and masks; mostly everything masked.
    static func controls(_ random: inout SeededGenerator) -> UInt16 {
        let bits = UInt16(truncatingIfNeeded: random.next())
        let precision: UInt16 = [0x300, 0x300, 0x200, 0][Int(bits >> 14)]
        return precision | bits & 0xc00 | (bits & 0x180 == 0 ? bits & 0x3f : 0x3f) | 0x40
    }

    @Test("Results, flags, C1 and unmasked responses equal the host's", arguments: exact)
    func arithmetic(_ c: X87Case) {
        let host = HostFPU(c.code)
        var random = SeededGenerator(seed: 80)
        for _ in 0..<40_000 {
            let (a, controls) = (random.extended(), Self.controls(&random))
            let b = c.name == "FSCALE" && random.next() % 4 != 0 ? random.extended(exponents: -2...17) : random.extended()
            host.loadStack([a, b], controlWord: controls)
            host.run()
            var context = FloatContext(controlWord: controls)
            var result = c.ours(a, b, &context)
            if context.stopsBeforeComputation { result = a }
            let status = UInt16(context.raised.rawValue) | (context.roundedUp ? 0x200 : 0)
            guard result != host.register(0) || status != host.statusWord & 0x23f else { continue }
            Issue.record(
                "\(c.name) \(hex(a)) \(hex(b)) control \(hex(controls)): \(hex(result)) \(hex(status)), host \(hex(host.register(0))) \(hex(host.statusWord))"
            )
            return
        }
    }

    @Test("Comparisons order and flag as on the host", arguments: [false, true])
    func comparison(signaling: Bool) {
        let host = HostFPU(signaling ? [0xd8, 0xd1] : [0xdd, 0xe1])
        var random = SeededGenerator(seed: 81)
        for _ in 0..<40_000 {
            let a = random.extended()
            let b = random.next() % 4 == 0 ? a : random.extended()
            host.loadStack([a, b], controlWord: 0x37f)
            host.run()
            var context = FloatContext(controlWord: 0x37f)
            let order = Extended80.compare(a.unpacked, b.unpacked, signaling: signaling, &context)
            let code: UInt16 =
                switch order {
                case .less: 0x100
                case .equal: 0x4000
                case .greater: 0
                case .unordered: 0x4500
                }
            #expect(code | UInt16(context.raised.rawValue) == host.statusWord & 0x453f, "\(hex(a)) \(hex(b))")
        }
    }

    @Test("Remainders, quotient bits and partial reductions equal the host's", arguments: [false, true])
    func remainder(nearest: Bool) {
        let host = HostFPU(nearest ? [0xd9, 0xf5] : [0xd9, 0xf8])
        var random = SeededGenerator(seed: 82)
        for n in 0..<40_000 {
            let close = n % 2 == 0
            let a = close ? random.extended(exponents: 0...70) : random.extended()
            let b = close ? random.extended(exponents: -3...6) : random.extended()
            let controls = Self.controls(&random)
            host.loadStack([a, b], controlWord: controls)
            host.run()
            var context = FloatContext(controlWord: controls)
            let r = Extended80.remainder(a.unpacked, b.unpacked, nearest: nearest, &context)
            let result = context.stopsBeforeComputation ? a : r.value
            let status: UInt16 =
                UInt16(r.quotient & 4) << 6 | UInt16(r.quotient & 2) << 13 | UInt16(r.quotient & 1) << 9
                | (r.isPartial ? 0x400 : 0) | UInt16(context.raised.rawValue)
            guard result != host.register(0) || status != host.statusWord & 0x473f else { continue }
            Issue.record(
                "\(hex(a)) \(hex(b)) control \(hex(controls)): \(hex(result)) \(hex(status)), host \(hex(host.register(0))) \(hex(host.statusWord))"
            )
            return
        }
    }

    @Test("FXTRACT splits as the host does")
    func extract() {
        let host = HostFPU([0xd9, 0xf4])
        var random = SeededGenerator(seed: 83)
        for _ in 0..<20_000 {
            let (a, controls) = (random.extended(), Self.controls(&random))
            host.loadStack([a], controlWord: controls)
            host.run()
            var context = FloatContext(controlWord: controls)
            let parts = Extended80.extract(a.unpacked, &context)
            #expect(UInt16(context.raised.rawValue) == host.statusWord & 0x3f, "\(hex(a))")
            if context.stopsBeforeComputation { continue }
            #expect(parts.significand == host.register(0), "\(hex(a))")
            #expect(parts.exponent == host.register(1), "\(hex(a))")
        }
    }

    @Test("Constants follow the rounding mode", arguments: Extended80.Constant.allCases)
    func constants(_ constant: Extended80.Constant) {
        let host = HostFPU([0xd9, 0xe8 + constant.rawValue])
        for mode in RoundingMode.allCases {
            host.loadStack([], controlWord: 0x37f | UInt16(mode.rawValue) << 10)
            host.run()
            #expect(Extended80(constant, mode) == host.register(0))
        }
    }
}
#endif
