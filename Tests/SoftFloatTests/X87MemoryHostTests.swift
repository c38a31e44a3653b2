#if arch(x86_64)
import SoftFloat
import Testing

@Suite("x87 memory formats against the host processor") struct X87MemoryHostTests {
    /// A store to [rdi+528] with its encoding, size and our conversion to the stored bytes' low 64 bits.
    struct Store: CustomTestStringConvertible, Sendable {
        var name: String
        var code: [UInt8]
        var byteCount: Int
        var exponents: ClosedRange<Int>
        var ours: @Sendable (Extended80, inout FloatContext) -> UInt64
        var testDescription: String { name }
    }

    static let stores: [Store] = [
        Store(name: "FSTP m32", code: [0xd9, 0x9f], byteCount: 4, exponents: -152...130) { UInt64($0.binary32(&$1)) },
        Store(name: "FSTP m64", code: [0xdd, 0x9f], byteCount: 8, exponents: -1078...1026) { $0.binary64(&$1) },
        Store(name: "FISTP m16", code: [0xdf, 0x9f], byteCount: 2, exponents: -3...18) {
            UInt64(bitPattern: $0.integer(bitCount: 16, truncating: false, &$1))
        },
        Store(name: "FISTP m32", code: [0xdb, 0x9f], byteCount: 4, exponents: -3...34) {
            UInt64(bitPattern: $0.integer(bitCount: 32, truncating: false, &$1))
        },
        Store(name: "FISTP m64", code: [0xdf, 0xbf], byteCount: 8, exponents: -3...66) {
            UInt64(bitPattern: $0.integer(bitCount: 64, truncating: false, &$1))
        },
        Store(name: "FISTTP m16", code: [0xdf, 0x8f], byteCount: 2, exponents: -3...18) {
            UInt64(bitPattern: $0.integer(bitCount: 16, truncating: true, &$1))
        },
        Store(name: "FISTTP m32", code: [0xdb, 0x8f], byteCount: 4, exponents: -3...34) {
            UInt64(bitPattern: $0.integer(bitCount: 32, truncating: true, &$1))
        },
        Store(name: "FISTTP m64", code: [0xdd, 0x8f], byteCount: 8, exponents: -3...66) {
            UInt64(bitPattern: $0.integer(bitCount: 64, truncating: true, &$1))
        },
    ]

    @Test("Stores write what the host writes, or nothing when it writes nothing", arguments: stores)
    func store(_ s: Store) {
        let host = HostFPU(s.code + [0x10, 2, 0, 0])
        let mask = s.byteCount == 8 ? ~0 : UInt64(1) << (s.byteCount * 8) - 1
        var random = SeededGenerator(seed: 90)
        for n in 0..<30_000 {
            let a = n % 3 == 0 ? random.extended() : random.extended(exponents: s.exponents)
            let controls = X87HostTests.controls(&random)
            host.loadStack([a], controlWord: controls)
            host.set(UInt64(0xa5a5_a5a5_a5a5_a5a5), at: HostFPU.memory)
            host.run()
            var context = FloatContext(controlWord: controls)
            var result = s.ours(a, &context) & mask
            if !context.unmasked.isDisjoint(with: [.invalid, .overflow, .underflow]) { result = 0xa5a5_a5a5_a5a5_a5a5 & mask }
            let status = UInt16(context.raised.rawValue) | (context.roundedUp ? 0x200 : 0)
            let expected = host.get(HostFPU.memory, as: UInt64.self) & mask
            guard result != expected || status != host.statusWord & 0x23f else { continue }
            Issue.record(
                "\(s.name) \(hex(a)) control \(hex(controls)): \(hex(result)) \(hex(status)), host \(hex(expected)) \(hex(host.statusWord))"
            )
            return
        }
    }

    @Test("FBSTP writes the host's digits and FBLD reads them back")
    func decimal() {
        let store = HostFPU([0xdf, 0xb7, 0x10, 2, 0, 0])
        let load = HostFPU([0xdf, 0xa7, 0x10, 2, 0, 0])
        var random = SeededGenerator(seed: 91)
        for n in 0..<30_000 {
            let a = n % 3 == 0 ? random.extended() : random.extended(exponents: -2...60)
            let controls = X87HostTests.controls(&random) | 1
            store.loadStack([a], controlWord: controls)
            store.run()
            var context = FloatContext(controlWord: controls)
            let decimal = a.packedDecimal(&context)
            #expect(decimal == PackedDecimal(low: store.get(HostFPU.memory), high: store.get(HostFPU.memory + 8)), "\(hex(a))")
            #expect(UInt16(context.raised.rawValue) == store.statusWord & 0x3f, "\(hex(a))")
            guard !context.raised.contains(.invalid) else { continue }
            load.loadStack([], controlWord: 0x37f)
            load.set(decimal.low, at: HostFPU.memory)
            load.set(decimal.high, at: HostFPU.memory + 8)
            load.run()
            #expect(Extended80(decimal) == load.register(0))
        }
    }

    @Test("Loads and arithmetic with memory operands equal the host's", arguments: [false, true])
    func operands(double: Bool) {
        let load = HostFPU([double ? 0xdd : 0xd9, 0x87, 0x10, 2, 0, 0])
        let add = HostFPU([double ? 0xdc : 0xd8, 0x87, 0x10, 2, 0, 0])
        var random = SeededGenerator(seed: 92)
        for _ in 0..<30_000 {
            let (a, controls) = (random.extended(), X87HostTests.controls(&random))
            let bits = double ? random.binary64().bitPattern : UInt64(random.binary32().bitPattern)
            let operand = double ? Unpacked(bits) : Unpacked(UInt32(truncatingIfNeeded: bits))
            load.set(bits, at: HostFPU.memory)
            load.loadStack([], controlWord: controls)
            load.run()
            var context = FloatContext(controlWord: controls)
            let loaded = Extended80(loading: operand, &context)
            #expect(UInt16(context.raised.rawValue) == load.statusWord & 0x3f, "\(hex(bits))")
            if !context.stopsBeforeComputation { #expect(loaded == load.register(0), "\(hex(bits))") }
            add.set(bits, at: HostFPU.memory)
            add.loadStack([a], controlWord: controls)
            add.run()
            context = FloatContext(controlWord: controls)
            let sum = Extended80.add(a.unpacked, operand, &context)
            #expect((context.stopsBeforeComputation ? a : sum) == add.register(0), "\(hex(a)) \(hex(bits)) \(hex(controls))")
            #expect(UInt16(context.raised.rawValue) == add.statusWord & 0x3f, "\(hex(a)) \(hex(bits)) \(hex(controls))")
        }
    }
}
#endif
