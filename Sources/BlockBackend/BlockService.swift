internal import Glibc
internal import HostIO
internal import PVRing
internal import Synchronization
internal import XenBus

/// Serves the rings of one connection: one thread that takes requests, has the host carry them out and answers.
///
/// Requests of all rings run beside each other, at most `depth` of the host's. A barrier waits for all before it, and all after it wait.
final class BlockService: @unchecked Sendable {
    /// Failures of a device that are written to the log; later ones are only counted.
    private static let reportLimit: UInt64 = 16

    /// Signalled by the guest's events.
    let wakeUp: WakeUp
    private let name: String
    private let guest: any GuestAccess
    private let planner: BlockPlanner
    private let io: any BlockIO
    private let counters: BlockCounters
    private let log: @Sendable (String) -> Void
    /// For what the guest can bring about by connecting again and again.
    private let guestLog: PacedLog
    private let isStopping = Atomic(false)
    private var thread: HostThread?

    // For the thread alone.
    private let queues: [BlockQueue]
    private var free: [BlockTransfer] = []
    private var underWayCount = 0
    /// A barrier that was taken; nothing is taken after it until it is done.
    private var barrier: BlockTransfer?
    private var reportedBroken: Set<UInt32> = []

    init(
        _ name: String, _ guest: any GuestAccess, _ planner: BlockPlanner, _ io: any BlockIO, _ queues: [BlockQueue],
        _ counters: BlockCounters, log: @escaping @Sendable (String) -> Void, guestLog: PacedLog
    ) throws(HostError) {
        wakeUp = try WakeUp()
        (self.name, self.guest, self.planner, self.io, self.queues) = (name, guest, planner, io, queues)
        (self.counters, self.log, self.guestLog) = (counters, log, guestLog)
        free = (0..<io.depth).map { _ in BlockTransfer() }
    }

    /// - Throws: ``HostError`` when the host gives no thread.
    func start() throws(HostError) { thread = try HostThread(stackByteCount: 256 << 10) { [self] in run() } }

    /// Finishes what was taken out of the rings, answers it and ends the thread. All grants are released.
    func stop() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        wakeUp.signal()
        thread?.join()
        thread = nil
    }

    // MARK: - the thread

    private func run() {
        var poller = Poller()
        while true {
            wakeUp.clear()
            _ = collect()
            let isStopping = isStopping.load(ordering: .sequentiallyConsistent)
            if !isStopping { takeRequests() }
            // What the host had at hand is done already, and may have a next step.
            repeat {
                startBarrier()
                io.push()
            } while collect() > 0
            for queue in queues { queue.publish() }
            if isStopping, underWayCount == 0, barrier == nil { return }
            if !isStopping, wantsMore, awaitRequests() { continue }
            poller.removeAll()
            poller.add(wakeUp.descriptor, .readable)
            let interest = io.interest()
            poller.add(interest.descriptor, interest.readiness)
            poller.wait(milliseconds: nil)
        }
    }

    /// - Returns: how many steps were done.
    private func collect() -> Int {
        var count = 0
        io.collect { transfer, outcome in
            count += 1
            stepDone(transfer, outcome)
        }
        return count
    }

    private var wantsMore: Bool { barrier == nil && !free.isEmpty }

    private func awaitRequests() -> Bool {
        var isAnyWaiting = false
        for queue in queues where queue.awaitRequests() { isAnyWaiting = true }
        for queue in queues where queue.isBroken && reportedBroken.insert(queue.port).inserted {
            counters.noteError()
            guestLog("\(name): the guest broke the indices of a ring, which is served no more")
        }
        return isAnyWaiting
    }

    /// One request of each ring in turn, until there is none or no room.
    private func takeRequests() {
        var isAnyTaken = true
        while isAnyTaken, wantsMore {
            isAnyTaken = false
            for index in queues.indices where wantsMore {
                guard let request = queues[index].takeRequest() else { continue }
                isAnyTaken = true
                begin(request, index)
            }
        }
    }

    private func begin(_ request: BlockRequest, _ index: Int) {
        guard let transfer = free.popLast() else { preconditionFailure("a request is taken when there is room for it") }
        transfer.prepare(request, queue: index)
        do throws(BlockStatus) {
            try planner.plan(request, queues[index], into: transfer)
        } catch {
            return finish(transfer, error)
        }
        if transfer.isBarrier {
            barrier = transfer
        } else if transfer.steps.isEmpty {
            finish(transfer, .okay)
        } else {
            submit(transfer)
        }
    }

    private func startBarrier() {
        guard let barrier, underWayCount == 0 else { return }
        submit(barrier)
    }

    private func submit(_ transfer: BlockTransfer) {
        underWayCount += 1
        io.submit(transfer)
    }

    private func stepDone(_ transfer: BlockTransfer, _ outcome: BlockOutcome) {
        underWayCount -= 1
        let step = transfer.steps[0]
        if step == .read || step == .write, outcome > 0 { transfer.advance(by: outcome) }
        switch BlockVerdict(step, outcome, remaining: transfer.remaining) {
        case .done:
            transfer.steps.removeFirst()
            if transfer.steps.isEmpty { finish(transfer, .okay) } else { submit(transfer) }
        case .again: submit(transfer)
        case .failed(let status, let code):
            report(step, transfer, code)
            finish(transfer, status)
        }
    }

    private func finish(_ transfer: BlockTransfer, _ status: BlockStatus) {
        if transfer.statistic == .read { transfer.noteWrites(guest.memory) }
        transfer.release()
        queues[transfer.queue].put(BlockResponse(id: transfer.id, code: transfer.code, status: status))
        if status == .okay {
            counters.note(transfer.statistic, byteCount: transfer.byteCount)
        } else {
            counters.noteError()
        }
        if transfer === barrier { barrier = nil }
        free.append(transfer)
    }

    private func report(_ step: BlockStep, _ transfer: BlockTransfer, _ code: Int32) {
        guard counters.noteHostError() <= Self.reportLimit else { return }
        log("\(name): a \(step) at byte \(transfer.position) failed: \(unsafe String(cString: strerror(code)))")
    }
}

/// What becomes of a transfer after a step.
enum BlockVerdict: Equatable {
    case done
    case again
    case failed(BlockStatus, Int32)

    /// - Parameters:
    ///   - outcome: of the step just done.
    ///   - remaining: bytes that are not moved yet.
    init(_ step: BlockStep, _ outcome: BlockOutcome, remaining: Int) {
        let moves = step == .read || step == .write
        switch Int32(truncatingIfNeeded: -outcome) {
        case EINTR where outcome < 0, EAGAIN where outcome < 0: self = .again
        case EOPNOTSUPP where outcome < 0 && step == .discard, ENOSYS where outcome < 0 && step == .discard:
            self = .failed(.notSupported, EOPNOTSUPP)
        case let code where outcome < 0: self = .failed(.error, code)
        // The image ends before the disk does: somebody cut it.
        case _ where moves && outcome == 0: self = .failed(.error, EIO)
        default: self = moves && remaining > 0 ? .again : .done
        }
    }
}
