/// What a user-mode program can see of a processor: the registers a test sets and compares.
public struct MachineState: Equatable, Sendable {
    /// By encoding: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8 … R15.
    public var gpr = [UInt64](repeating: 0, count: 16)
    public var rflags: UInt64 = 2
    public var rip: UInt64 = 0
    public var xmm = [XMMValue](repeating: XMMValue(0, 0), count: 16)
    public var mxcsr: UInt32 = 0x1f80
    public var x87 = X87State()

    public init() {}
}

public struct XMMValue: Equatable, Sendable, CustomStringConvertible {
    public var low: UInt64
    public var high: UInt64

    public init(_ low: UInt64, _ high: UInt64) {
        self.low = low
        self.high = high
    }

    public var description: String { "\(hex(high, digits: 16))_\(hex(low, digits: 16))" }
}

/// The x87 registers as FXSAVE shows them.
public struct X87State: Equatable, Sendable {
    public struct Register: Equatable, Sendable, CustomStringConvertible {
        public var significand: UInt64
        public var signAndExponent: UInt16

        public init(significand: UInt64, signAndExponent: UInt16) {
            self.significand = significand
            self.signAndExponent = signAndExponent
        }

        public var description: String { "\(hex(UInt64(signAndExponent), digits: 4)).\(hex(significand, digits: 16))" }
    }

    public var control: UInt16 = 0x37f
    public var status: UInt16 = 0
    /// One bit per physical register, set when it is not empty.
    public var tags: UInt8 = 0
    /// ST(0) … ST(7), wherever the top is.
    public var st = [Register](repeating: Register(significand: 0, signAndExponent: 0), count: 8)

    public init() {}
}

public func hex(_ value: UInt64, digits: Int = 1) -> String {
    let text = String(value, radix: 16)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
}

public func hex(_ bytes: [UInt8]) -> String { bytes.map { hex(UInt64($0), digits: 2) }.joined(separator: " ") }

/// How a run ended.
public enum Outcome: Equatable, Sendable {
    /// The code ran to its end.
    case finished
    /// An exception, with its error code (0 where it has none); RIP is in the state.
    case exception(vector: UInt8, errorCode: UInt32)
}

// MARK: The image of FXSAVE64 (SDM vol. 1, 10.5.1)

extension MachineState {
    /// 64 words, 512 bytes, for FXRSTOR64.
    public var fxsaveImage: [UInt64] {
        var words = [UInt64](repeating: 0, count: 64)
        words[0] = UInt64(x87.control) | UInt64(x87.status) << 16 | UInt64(x87.tags) << 32
        words[3] = UInt64(mxcsr)
        for index in 0..<8 {
            words[4 + index * 2] = x87.st[index].significand
            words[5 + index * 2] = UInt64(x87.st[index].signAndExponent)
        }
        for index in 0..<16 {
            words[20 + index * 2] = xmm[index].low
            words[21 + index * 2] = xmm[index].high
        }
        return words
    }

    /// Takes over what an FXSAVE64 image holds, but for the last x87 instruction and operand.
    public mutating func load(fxsaveImage words: [UInt64]) {
        x87.control = UInt16(truncatingIfNeeded: words[0])
        x87.status = UInt16(truncatingIfNeeded: words[0] >> 16)
        x87.tags = UInt8(truncatingIfNeeded: words[0] >> 32)
        mxcsr = UInt32(truncatingIfNeeded: words[3])
        for index in 0..<8 {
            x87.st[index].significand = words[4 + index * 2]
            x87.st[index].signAndExponent = UInt16(truncatingIfNeeded: words[5 + index * 2])
        }
        for index in 0..<16 { xmm[index] = XMMValue(words[20 + index * 2], words[21 + index * 2]) }
    }
}
