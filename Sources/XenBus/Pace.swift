/// How often a device is looked at: short bursts at once, a guest that keeps writing its state a hundred times a second.
struct Pace {
    static let burst = 32
    static let millisecondsPerLook: Int64 = 10
    private var credit = Self.burst
    private var counted: Int64

    init(now: Int64) { counted = now }

    /// Takes a look into account.
    ///
    /// - Parameter now: monotonic milliseconds.
    /// - Returns: nil when it may happen now, else the moment to come back.
    mutating func take(now: Int64) -> Int64? {
        let earned = (now - counted) / Self.millisecondsPerLook
        if earned > 0 {
            credit = min(Self.burst, credit + Int(clamping: earned))
            counted += earned * Self.millisecondsPerLook
        }
        guard credit > 0 else { return counted + Self.millisecondsPerLook }
        credit -= 1
        return nil
    }
}
