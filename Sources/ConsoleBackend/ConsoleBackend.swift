import Glibc
public import HostIO
public import PVRing
import Synchronization

/// What a console has done so far.
public struct ConsoleStatus: Hashable, Sendable {
    /// Bytes the guest printed and we took.
    public var outputByteCount: Int64 = 0
    /// Bytes the guest was given to read.
    public var inputByteCount: Int64 = 0
    /// Bytes that some client did not get.
    public var skippedByteCount: Int64 = 0
    /// Bytes that could not be logged, and the last `errno` of the log file; 0 for none.
    public var lostLogByteCount: Int64 = 0
    public var logError: Int32 = 0
    public var clientCount = 0
}

/// The far end of a guest's console ring (hvc0): a log file, and a Unix socket with any number of clients.
///
/// - Output is taken as it comes. It goes to the log file at once and stays in a history of 128 KiB.
/// - A new client first gets what no client has been sent yet, as far as the history reaches, then follows live.
/// - While a client follows and is merely slow, nothing is taken that would push unsent bytes of it out of the history: the
///   guest waits. A client that takes nothing for ten seconds while the guest waits counts as stalled until it
///   takes something again. The guest does not wait for stalled clients, nor with no client at all. Who misses bytes reads
///   a line that says how many.
/// - What clients type is taken only as fast as the guest reads it, and none of it is dropped while the guest lives.
/// - ``stop()`` sends all that was printed to every client that takes it, and then closes.
///
/// Reference: Xen `public/io/console.h`.
public final class ConsoleBackend: Sendable {
    public static let defaultHistoryByteCount = 128 << 10
    public static let defaultStallMilliseconds: Int64 = 10_000

    private let pump: Mutex<ConsolePump>
    private let latestStatus = Mutex(ConsoleStatus())
    private let listener: UnixListener?
    private let wakeUp: WakeUp
    private let isStopping = Atomic(false)
    private let thread = Mutex<HostThread?>(nil)
    private let nextRing = Mutex<SharedPage?>(nil)

    /// Opens log and socket; nothing moves before ``start()``.
    ///
    /// - Parameters:
    ///   - ring: the guest's console page.
    ///   - logPath: a file to append to, created with mode 0600; nil for none.
    ///   - socketPath: where clients connect, nil for none; at most 107 bytes.
    ///   - notifyGuest: raises the guest's console port; called on the console's thread.
    ///   - historyByteCount: how much output is kept for clients to come.
    ///   - stallMilliseconds: how long the guest waits for a client that takes nothing.
    /// - Throws: ``HostError`` naming the path; an empty log file may stay behind.
    public init(
        ring: SharedPage, logPath: String?, socketPath: String?, notifyGuest: any EventSending,
        historyByteCount: Int = defaultHistoryByteCount, stallMilliseconds: Int64 = defaultStallMilliseconds
    ) throws(HostError) {
        let log: Descriptor? = if let logPath { try Self.openLog(logPath) } else { nil }
        let listener: UnixListener? = if let socketPath { try UnixListener(path: socketPath) } else { nil }
        self.listener = listener
        wakeUp = try WakeUp()
        pump = Mutex(
            ConsolePump(
                ring: ring, log: log, listener: listener, notifyGuest: notifyGuest, historyByteCount: historyByteCount,
                stallLimit: stallMilliseconds))
    }

    private static func openLog(_ path: String) throws(HostError) -> Descriptor {
        let raw = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw HostError("open \(path)") }
        return Descriptor(raw)
    }

    /// Starts the thread. Once.
    ///
    /// - Throws: ``HostError`` when the host gives no thread.
    public func start() throws(HostError) {
        let started = try HostThread { [self] in run() }
        thread.withLock { $0 = started }
    }

    /// The guest raised its console port. Never blocks; from any thread.
    public func guestNotified() { wakeUp.signal() }

    /// Goes on with the ring of a guest that was started anew; log, socket and clients stay. What the old guest left in its ring
    /// is still taken. To be called when the old guest runs no more.
    public func attach(ring: SharedPage) {
        nextRing.withLock { $0 = ring }
        wakeUp.signal()
    }

    /// Takes what the guest printed, sends it to all clients, ends the thread, closes and removes the socket.
    ///
    /// To be called when the guest runs no more. Takes at most the stall time per client that takes nothing. Safe to call
    /// twice, and without ``start()``.
    public func stop() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        wakeUp.signal()
        let running = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        running?.join()
        listener?.remove()
    }

    /// As of the last round of the thread.
    public var status: ConsoleStatus { latestStatus.withLock { $0 } }

    private func run() {
        pump.withLock { pump in
            var poller = Poller()
            var hasMore = false
            var isLast = false
            while true {
                poller.removeAll()
                poller.add(wakeUp.descriptor, .readable)
                pump.prepare(&poller)
                poller.wait(milliseconds: hasMore ? 0 : isLast ? 50 : pump.millisecondsToStall())
                wakeUp.clear()
                // Read before the round: what was printed before the stop is then taken by it.
                isLast = isStopping.load(ordering: .sequentiallyConsistent)
                if let ring = takeNextRing() { pump.replaceRing(ring) }
                hasMore = pump.service(poller)
                if isLast, pump.isDrained() { break }
                let status = pump.status
                latestStatus.withLock { $0 = status }
            }
            pump.close()
            let status = pump.status
            latestStatus.withLock { $0 = status }
        }
    }

    private func takeNextRing() -> SharedPage? {
        nextRing.withLock { ring in
            defer { ring = nil }
            return ring
        }
    }
}
