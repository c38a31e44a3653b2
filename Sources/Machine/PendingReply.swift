import ControlProtocol
import HostIO
import Synchronization

/// What comes of a control request.
enum Answer {
    case reply(ControlReply)
    /// The connection hears of the guest's end, whenever that is.
    case atEnd
    /// Somebody is working on it. Until the reply is there, further requests of the same client wait.
    case later(PendingReply)
}

/// A reply that another thread will give.
final class PendingReply: Sendable {
    private let reply = Mutex<ControlReply?>(nil)
    private let wakeUp: WakeUp

    /// - Parameter wakeUp: signalled when the reply is there.
    init(wakeUp: WakeUp) { self.wakeUp = wakeUp }

    /// Any thread. Only the first reply counts.
    func finish(_ new: ControlReply) {
        reply.withLock { $0 = $0 ?? new }
        wakeUp.signal()
    }

    /// Nil while it is being worked on.
    var finished: ControlReply? { reply.withLock { $0 } }
}
