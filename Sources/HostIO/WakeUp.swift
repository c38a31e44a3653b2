import Glibc
import Synchronization

/// Wakes a thread that waits in `poll`. Any number of calls before it looks are one.
public final class WakeUp: Sendable {
    /// Readable while a call waits to be seen.
    public let descriptor: Descriptor
    private let sender: Descriptor
    private let isPending = Atomic(false)

    /// - Throws: ``HostError`` when the process has no descriptor left.
    public init() throws(HostError) {
        guard let ends = ClosedOnExec.pipe() else { throw HostError("pipe") }
        descriptor = Descriptor(ends.reader)
        sender = Descriptor(ends.writer)
    }

    /// Never blocks; from any thread. One system call at most, none if the thread has not looked since the last call.
    public func signal() {
        guard !isPending.exchange(true, ordering: .sequentiallyConsistent) else { return }
        // At most one byte is ever in the pipe, so this cannot fail for lack of room.
        _ = sender.writeAll([1])
    }

    /// To be called by the waiting thread before it looks for work.
    public func clear() {
        guard isPending.load(ordering: .sequentiallyConsistent) else { return }
        var bytes: [UInt8] = []
        // A signal that is only half done has not written its byte yet. Taken for seen, its byte would come later and stay, and make
        // every poll return at once.
        guard case .bytes = descriptor.read(into: &bytes, limit: 8) else { return }
        isPending.store(false, ordering: .sequentiallyConsistent)
    }
}
