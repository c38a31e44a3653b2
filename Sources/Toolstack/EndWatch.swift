public import ControlProtocol
internal import Glibc

/// Waits for a guest to end, to stand still after its end (`preserve`), or to start over.
public struct EndWatch: ~Copyable {
    public enum Outcome: Equatable, Sendable {
        /// The guest is gone.
        case ended(GuestEnd)
        /// It has shut down and is kept.
        case preserved(ShutdownReason)
        /// It was built anew.
        case restarted
        /// Its process is gone without a word.
        case lost
    }

    public let guest: GuestRegistry.Entry
    private var client: ControlClient
    private var lastTime: UInt64
    private static let pollMilliseconds: Int32 = 200

    /// Starts to watch, so that nothing is missed that happens after this call.
    ///
    /// - Throws: an error when the guest's process does not answer.
    public init(_ guest: GuestRegistry.Entry) throws(OperatorError) {
        let time = Self.time(try guest.status())
        let client = try Self.waitingClient(guest)
        self.init(guest, client, lastTime: time)
    }

    private init(_ guest: GuestRegistry.Entry, _ client: consuming ControlClient, lastTime: UInt64) {
        self.guest = guest
        self.client = client
        self.lastTime = lastTime
    }

    private static func waitingClient(_ guest: GuestRegistry.Entry) throws(OperatorError) -> ControlClient {
        do throws(SystemError) {
            var client = try ControlClient(directory: guest.directory)
            // A connection that is closed already is found out by the first wait.
            _ = try? client.send(.wait)
            return client
        } catch {
            throw OperatorError(
                "the guest \"\(guest.description.name)\" does not answer: \(error.sentence)",
                remedy: "`martlet list' shows whether it still exists")
        }
    }

    /// Returns when something of that kind has happened.
    public mutating func wait() -> Outcome {
        while true {
            do throws(ControlClientError) {
                if case .ended(let end) = try client.receive(timeoutMilliseconds: Self.pollMilliseconds) { return .ended(end) }
            } catch .timeout {
                if let outcome = look() { return outcome }
            } catch {
                return .lost
            }
        }
    }

    /// What a guest that goes on says of itself. Its vCPUs' times start at 0 again with a restart.
    private mutating func look() -> Outcome? {
        guard let status = try? guest.status(timeoutMilliseconds: 2000) else { return nil }
        if let reason = status.state.shutdownReason { return .preserved(reason) }
        let time = Self.time(status)
        defer { lastTime = time }
        return time < lastTime ? .restarted : nil
    }

    private static func time(_ status: GuestStatus) -> UInt64 { status.vcpuTimesNanoseconds.reduce(0, &+) }
}
