internal import SoftFloat

/// x87, MMX and SSE registers for whoever looks at a vCPU that executes nothing.
extension Interpreter {
    /// As FXSAVE64 would store them now (SDM vol. 1, table 10-2 and 10.5.1.2), the reserved bytes zero.
    public var floatingPointImage: [UInt8]? {
        var image = [UInt8](repeating: 0, count: 512)
        func put(_ offset: Int, _ value: UInt64, _ count: Int = 8) {
            for index in 0..<count { image[offset + index] = UInt8(truncatingIfNeeded: value &>> UInt64(index * 8)) }
        }
        put(0, UInt64(core.s.fcw), 2)
        put(2, UInt64(core.s.fsw), 2)
        put(4, UInt64(core.s.ftw), 1)
        put(6, UInt64(core.s.fop & 0x7ff), 2)
        put(8, core.s.fip)
        put(16, core.s.fdp)
        put(24, UInt64(core.s.mxcsr), 4)
        put(28, UInt64(Core.mxcsrMask), 4)
        for number in 0..<8 {
            let register = core.x87(number)
            put(32 + number * 16, register.significand)
            put(40 + number * 16, UInt64(register.signExponent), 2)
        }
        for number in 0..<UInt8(16) {
            let register = core.xmm(number, as: SIMD2<UInt64>.self)
            put(160 + Int(number) * 16, register[0])
            put(168 + Int(number) * 16, register[1])
        }
        return image
    }
}
