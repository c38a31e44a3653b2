internal import HostIO
internal import Synchronization

/// Lines that a guest can bring about as often as it likes: a few at once, then one every ten seconds, so that none fills the host's disk.
public final class PacedLog: Sendable {
    /// Lines that pass at once.
    public static let burst = 16
    static let millisecondsPerLine: Int64 = 10_000

    private struct State: Sendable {
        var pace: Pace
        var leftOutCount = 0
    }

    private let state: Mutex<State>
    private let write: @Sendable (String) -> Void

    public init(_ write: @escaping @Sendable (String) -> Void) {
        self.write = write
        state = Mutex(State(pace: Pace(now: monotonicMilliseconds(), burst: Self.burst, millisecondsPerLook: Self.millisecondsPerLine)))
    }

    /// Writes a line, or counts it for the next one that is written. From any thread.
    public func callAsFunction(_ line: String) {
        let leftOutCount = state.withLock { state -> Int? in
            guard state.pace.take(now: monotonicMilliseconds()) == nil else {
                state.leftOutCount += 1
                return nil
            }
            defer { state.leftOutCount = 0 }
            return state.leftOutCount
        }
        guard let leftOutCount else { return }
        write(leftOutCount == 0 ? line : "\(line) (\(leftOutCount) lines before it were left out)")
    }
}
