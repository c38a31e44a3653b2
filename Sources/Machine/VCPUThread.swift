import CLinux
import Glibc
import HostIO
import Synchronization
import VirtualCPU
import X86
import XenDomain

/// The thread that executes one vCPU.
final class VCPUThread: @unchecked Sendable {
    let vcpu: VCPU
    private let engine: any VirtualCPU
    private let parking: Parking
    private let firstRun: FirstRun
    private let published = Atomic<UInt64>(0)
    private let waitsByItself = Atomic<Bool>(false)
    private let cpuClock = Atomic<Int32>(0)
    private let threadID = Atomic<Int32>(0)
    private let affinity: Mutex<[Int]?>
    private let finalTime = Atomic<UInt64>(0)
    private let isOver = Atomic<Bool>(false)
    private var thread: HostThread?

    /// - Parameter affinity: the host's processors the thread may run on; nil for all.
    init(vcpu: VCPU, engine: any VirtualCPU, parking: Parking, firstRun: FirstRun, affinity: [Int]?) {
        self.affinity = Mutex(affinity)
        self.vcpu = vcpu
        self.engine = engine
        self.parking = parking
        self.firstRun = firstRun
    }

    /// - Parameter atEnd: gets the vCPU's registers on its thread, once the domain has stopped.
    /// - Throws: ``HostError`` when the host gives no thread.
    func start(atEnd: @escaping @Sendable (RegisterState) -> Void) throws(HostError) {
        do throws(HostError) {
            thread = try HostThread(stackByteCount: 1 << 20) { [self] in
                HostThread.nameCurrent("vcpu\(vcpu.index)")
                noteClock()
                takePlace()
                execute()
                published.store(engine.instructionCount, ordering: .relaxed)
                finalTime.store(HostClock.read(CLOCK_THREAD_CPUTIME_ID), ordering: .relaxed)
                isOver.store(true, ordering: .releasing)
                atEnd(engine.registerState)
                parking.close()
            }
        } catch {
            parking.close()
            throw error
        }
    }

    /// A thread for the same vCPU with another engine, to be started after this one has ended. Its time counts from 0.
    func successor(with engine: any VirtualCPU) -> VCPUThread {
        VCPUThread(vcpu: vcpu, engine: engine, parking: parking, firstRun: firstRun, affinity: hardAffinity)
    }

    /// Waits for the thread's end; the domain must have stopped.
    func join() {
        thread?.join()
        thread = nil
    }

    private func execute() {
        while true {
            if !firstRun.isKnown, vcpu.isRunnable { firstRun.note() }
            let step = vcpu.step(engine)
            published.store(engine.instructionCount, ordering: .relaxed)
            switch step {
            case .again: continue
            case .wait: sleep()
            case .stopped: return
            }
        }
    }

    private func sleep() {
        // A vCPU that waited before a pause came still waits by itself afterwards.
        if !vcpu.domain.isPaused { waitsByItself.store(true, ordering: .relaxed) }
        parking.park { vcpu.isRunnable || vcpu.domain.shutdownReason != nil }
        waitsByItself.store(false, ordering: .relaxed)
    }

    private func noteClock() {
        var clock = clockid_t()
        if unsafe pthread_getcpuclockid(pthread_self(), &clock) == 0 { cpuClock.store(clock, ordering: .releasing) }
    }

    // MARK: - where it runs

    private func takePlace() {
        affinity.withLock { affinity in
            threadID.store(martlet_thread_id(), ordering: .relaxed)
            // What cannot be is told when it is asked for; at the start the thread runs anywhere instead.
            if affinity != nil, Affinity.apply(affinity, to: 0) != 0 { affinity = nil }
        }
    }

    /// Lets the thread run on these processors of the host from now on; nil for all.
    ///
    /// - Returns: 0, or the `errno` with which the host refused; nothing has changed then.
    func setAffinity(_ processors: [Int]?) -> Int32 {
        affinity.withLock { affinity in
            let thread = threadID.load(ordering: .relaxed)
            let code = thread == 0 || isOver.load(ordering: .acquiring) ? 0 : Affinity.apply(processors, to: thread)
            if code == 0 { affinity = processors }
            return code
        }
    }

    var hardAffinity: [Int]? { affinity.withLock { $0 } }

    /// The host's processor the thread ran on last; nil before it ran and after its end.
    var processor: Int? {
        let thread = threadID.load(ordering: .relaxed)
        return thread == 0 || isOver.load(ordering: .acquiring) ? nil : Affinity.processor(of: thread)
    }

    // MARK: - for other threads

    /// The vCPU's registers; only while it executes nothing.
    var registerState: RegisterState { engine.registerState }
    /// Its floating-point registers, as ``VirtualCPU/floatingPointImage``; only while it executes nothing.
    var floatingPointImage: [UInt8]? { engine.floatingPointImage }

    var isExecuting: Bool { !parking.isResting }
    /// The vCPU waits for an event, whether the domain is paused or not.
    var isBlocked: Bool { waitsByItself.load(ordering: .relaxed) }
    /// As of the last time the vCPU left its engine.
    var instructionCount: UInt64 { published.load(ordering: .relaxed) }

    /// CPU time of the thread.
    var timeNanoseconds: UInt64 {
        if isOver.load(ordering: .acquiring) { return finalTime.load(ordering: .relaxed) }
        let clock = cpuClock.load(ordering: .acquiring)
        return clock == 0 ? 0 : HostClock.read(clock)
    }
}

/// When the first vCPU entered its engine, on the host's monotonic clock.
final class FirstRun: Sendable {
    private let moment = Atomic<UInt64>(0)

    var isKnown: Bool { moment.load(ordering: .relaxed) != 0 }
    /// Nil before.
    var nanoseconds: UInt64? { isKnown ? moment.load(ordering: .relaxed) : nil }
    func note() { _ = moment.compareExchange(expected: 0, desired: monotonicNanoseconds(), ordering: .relaxed) }
}
