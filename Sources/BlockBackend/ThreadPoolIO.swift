internal import CLinux
internal import Glibc
internal import HostIO
internal import Synchronization

/// Steps carried out by threads that wait for the host, for hosts without io_uring.
final class ThreadPoolIO: BlockIO {
    let depth = 64
    private static let threadCount = 4

    private let jobs: JobQueue
    private let threads: [HostThread]

    /// - Throws: ``HostError`` when the host gives no thread.
    init(_ descriptor: Descriptor) throws(HostError) {
        let jobs = try JobQueue(descriptor)
        self.jobs = jobs
        var threads: [HostThread] = []
        do throws(HostError) {
            for _ in 0..<Self.threadCount { threads.append(try HostThread(stackByteCount: 128 << 10) { jobs.work() }) }
        } catch {
            jobs.end(threads)
            throw error
        }
        self.threads = threads
    }

    deinit { jobs.end(threads) }

    func submit(_ transfer: BlockTransfer) { jobs.add(transfer) }
    func push() {}
    func interest() -> (descriptor: Descriptor, readiness: Readiness) { (jobs.wakeUp.descriptor, .readable) }

    func collect(_ done: (BlockTransfer, BlockOutcome) -> Void) {
        jobs.wakeUp.clear()
        for (transfer, outcome) in jobs.takeDone() { done(transfer, outcome) }
    }
}

/// What the threads share.
@safe
private final class JobQueue: @unchecked Sendable {
    private struct State {
        var waiting: [BlockTransfer] = []
        var done: [(BlockTransfer, BlockOutcome)] = []
        var isEnding = false
    }

    let wakeUp: WakeUp
    private let descriptor: Descriptor
    private let state = Mutex(State())
    /// Counts what waits.
    private let signal: UnsafeMutablePointer<sem_t>

    init(_ descriptor: Descriptor) throws(HostError) {
        self.descriptor = descriptor
        wakeUp = try WakeUp()
        unsafe signal = .allocate(capacity: 1)
        unsafe sem_init(signal, 0, 0)
    }

    deinit {
        unsafe sem_destroy(signal)
        unsafe signal.deallocate()
    }

    func add(_ transfer: BlockTransfer) {
        state.withLock { $0.waiting.append(transfer) }
        unsafe sem_post(signal)
    }

    func takeDone() -> [(BlockTransfer, BlockOutcome)] {
        state.withLock { state in
            defer { state.done.removeAll(keepingCapacity: true) }
            return state.done
        }
    }

    func end(_ threads: [HostThread]) {
        state.withLock { $0.isEnding = true }
        for _ in threads { unsafe sem_post(signal) }
        for thread in threads { thread.join() }
    }

    func work() {
        while true {
            while unsafe sem_wait(signal) != 0 {}
            let (transfer, isEnding) = state.withLock { state in
                (state.waiting.isEmpty ? nil : state.waiting.removeFirst(), state.isEnding)
            }
            if let transfer {
                let outcome = perform(transfer)
                state.withLock { $0.done.append((transfer, outcome)) }
                wakeUp.signal()
            } else if isEnding {
                return
            }
        }
    }

    private func perform(_ transfer: BlockTransfer) -> BlockOutcome {
        let file = descriptor.rawValue
        let position = off_t(transfer.position)
        let pending = unsafe transfer.pending
        var result: Int
        repeat {
            switch transfer.steps[0] {
            case .read: result = unsafe preadv(file, pending.start, pending.count, position)
            case .write: result = unsafe pwritev(file, pending.start, pending.count, position)
            case .flush: result = Int(fdatasync(file))
            case .discard: result = Int(martlet_punch_hole(file, position, off_t(transfer.remaining)))
            }
        } while result < 0 && errno == EINTR
        return result < 0 ? -Int(errno) : result
    }
}
