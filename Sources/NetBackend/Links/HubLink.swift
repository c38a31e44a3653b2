internal import Glibc
public import HostIO

/// A network that guests of one user share without any right: those that name the same path.
///
/// The first one serves a Unix socket there, as a switch, and the others join it. When the server goes, another one takes over: whoever gets
/// the lock of `PATH.lock`. Frames that are under way meanwhile are lost, as on a cable that is moved.
public final class HubLink: FrameLink {
    private enum Role {
        case serving(HubSwitch)
        case joined(HubPort)
        /// Neither; the next attempt is due at a moment, in monotonic milliseconds.
        case seeking(Int64)
        case closed
    }

    private static let attemptMilliseconds: Int64 = 20

    public weak var receiver: (any FrameReceiver)?
    /// Frames travel as they are; who gets one completes it.
    public let abilities = FrameAbilities.all

    /// Nil for a connection that was given.
    private let path: String?
    private let log: @Sendable (String) -> Void
    private var role = Role.closed
    private let buffer = FrameBuffer(headroom: HubPort.headerByteCount)

    /// Serves or joins the hub at a path.
    ///
    /// - Parameter log: is told when this guest takes over.
    /// - Throws: ``LinkFailure`` when the directory is missing or not to be written, or the path is longer than 107 bytes.
    public init(path: String, log: @escaping @Sendable (String) -> Void) throws(LinkFailure) {
        self.path = path
        self.log = log
        do throws(HostError) { role = try Self.seek(path) } catch {
            throw LinkFailure("the hub `\(path)' cannot be opened: \(error)", remedy: "name a path in a directory this user may write to")
        }
    }

    /// Uses one end of a pair of `SOCK_SEQPACKET` sockets. When the other end goes, so does the network.
    public init(connection: Descriptor) {
        path = nil
        log = { _ in }
        role = .joined(HubPort(connection))
    }

    /// Whether this link is the hub's server at the moment.
    public var isServing: Bool { if case .serving = role { true } else { false } }

    private static func seek(_ path: String) throws(HostError) -> Role {
        if let lock = try HubSocket.lock(path) { return .serving(try HubSwitch(path, lock: lock)) }
        do throws(HostError) {
            return .joined(HubPort(try HubSocket.connect(path)))
        } catch where [ECONNREFUSED, ENOENT, EAGAIN].contains(error.code) {
            // The server is just coming or going.
            return .seeking(monotonicMilliseconds() + attemptMilliseconds)
        }
    }

    private func seek() {
        guard let path else {
            role = .closed
            return
        }
        do throws(HostError) {
            role = try Self.seek(path)
            if isServing { log("hub \(path): the guest that served it is gone, this one serves it now") }
        } catch {
            role = .seeking(monotonicMilliseconds() + 50 * Self.attemptMilliseconds)
        }
    }

    // MARK: - the device's thread

    public func send(_ frame: Frame) -> Bool {
        switch role {
        case .serving(let hub):
            hub.forward(frame, from: nil)
            return true
        case .joined(let port): return port.send(frame)
        case .seeking, .closed: return false
        }
    }

    public func prepare(_ poll: PollSet, wantsFrames: Bool) {
        switch role {
        // Others' frames pass through the server whether its own guest keeps up or not.
        case .serving(let hub): hub.prepare(poll)
        case .joined(let port): port.prepare(poll, wantsFrames: wantsFrames)
        case .seeking(let moment): poll.wake(at: moment)
        case .closed: break
        }
    }

    public func serve(_ poll: PollSet) {
        switch role {
        case .serving(let hub): hub.serve(poll, buffer) { receiver?.receive($0) }
        case .joined(let port):
            port.serve(poll, buffer) { receiver?.receive($0) }
            if port.hasEnded { seek() }
        case .seeking(let moment): if moment <= monotonicMilliseconds() { seek() }
        case .closed: break
        }
    }

    public func close() {
        if case .serving(let hub) = role { hub.close() }
        role = .closed
    }
}
