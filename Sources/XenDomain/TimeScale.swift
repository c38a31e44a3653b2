/// How many nanoseconds a TSC tick is, as the interface writes it:
/// `ns = ((ticks << shift) * multiplier) >> 32` (a negative shift goes right).
struct TimeScale: Equatable, Sendable {
    let multiplier: UInt32
    let shift: Int8

    /// - Parameter ticksPerSecond: The frequency in hertz; at least 1.
    init(ticksPerSecond: UInt64) {
        var ticks = max(1, ticksPerSecond)
        var shift = 0
        while ticks > 2_000_000_000 {
            ticks >>= 1
            shift -= 1
        }
        while ticks <= 1_000_000_000 {
            ticks <<= 1
            shift += 1
        }
        multiplier = UInt32(truncatingIfNeeded: (UInt64(1_000_000_000) << 32) / ticks)
        self.shift = Int8(shift)
    }

    /// Ticks in nanoseconds; wraps when the result does not fit 64 bits.
    func nanoseconds(_ ticks: UInt64) -> UInt64 {
        let shifted = shift < 0 ? ticks &>> UInt64(-shift) : ticks &<< UInt64(shift)
        let product = shifted.multipliedFullWidth(by: UInt64(multiplier))
        return product.high &<< 32 | product.low &>> 32
    }
}
