/// How often something happens that others bring about. A device is looked at in short bursts at once, and a hundred times a second when
/// its guest keeps writing its state.
public struct Pace: Sendable {
    private let burst: Int
    private let millisecondsPerLook: Int64
    private var credit: Int
    private var counted: Int64

    /// - Parameter now: monotonic milliseconds.
    public init(now: Int64, burst: Int = 32, millisecondsPerLook: Int64 = 10) {
        (self.burst, self.millisecondsPerLook) = (burst, millisecondsPerLook)
        credit = burst
        counted = now
    }

    /// Takes a look into account.
    ///
    /// - Parameter now: monotonic milliseconds.
    /// - Returns: nil when it may happen now, else the moment to come back.
    public mutating func take(now: Int64) -> Int64? {
        let earned = (now - counted) / millisecondsPerLook
        if earned > 0 {
            credit = min(burst, credit + Int(clamping: earned))
            counted += earned * millisecondsPerLook
        }
        guard credit > 0 else { return counted + millisecondsPerLook }
        credit -= 1
        return nil
    }
}
