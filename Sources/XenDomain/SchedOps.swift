import Synchronization
import VirtualCPU
import XenABI

/// sched_op(command, argument).
enum SchedOps {
    static let handle: HypercallTable.Handler = { context throws(XenError) in
        let argument = context.arguments[1]
        switch context.arguments[0] & 0xffff_ffff {
        case SchedOp.yield: break
        case SchedOp.block: context.vcpu.block(.blocked)
        case SchedOp.shutdown: try shutdown(context, argument)
        case SchedOp.poll: try poll(context, argument)
        case SchedOp.remoteShutdown:
            _ = try context.read(argument, count: 8)
            throw .notPermitted
        case SchedOp.shutdownCode:
            let reason = try UInt8(truncatingIfNeeded: context.read(argument, count: 4).u32(0))
            context.domain.control.withLock { $0.latchedShutdownCode = $0.latchedShutdownCode ?? reason }
        case SchedOp.watchdog: return try watchdog(context, argument)
        case SchedOp.pinOverride: throw .notPermitted
        default: throw .notImplemented
        }
        return 0
    }

    private static func shutdown(_ context: HypercallContext, _ argument: UInt64) throws(XenError) {
        let reason = try context.read(argument, count: 4).u32(0)
        context.domain.shutdown(ShutdownReason(rawValue: UInt8(truncatingIfNeeded: reason)))
    }

    /// Blocks until one of the ports is pending, masked or not, or until the time is over.
    private static func poll(_ context: HypercallContext, _ argument: UInt64) throws(XenError) {
        let wire = try context.read(argument, count: context.pick(24, 16))
        let count = wire.u32(context.pick(8, 4))
        guard count <= SchedOp.pollPortLimit else { throw .invalidArgument }
        let list = wire.word(0, is64Bit: context.is64Bit)
        let timeout = wire.u64(context.pick(16, 8))
        var ports: [UInt32] = []
        for index in 0..<UInt64(count) { ports.append(try context.read(list &+ index * 4, count: 4).u32(0)) }
        try context.vcpu.poll(ports, until: timeout == 0 ? nil : timeout, interruptsEnabled: context.cpu.interruptsEnabled)
    }

    /// Watchdog timers: number 0 takes a free one and returns its number.
    private static func watchdog(_ context: HypercallContext, _ argument: UInt64) throws(XenError) -> Int64 {
        let wire = try context.read(argument, count: 8)
        let id = wire.u32(0)
        let timeout = UInt64(wire.u32(4))
        let deadline = context.domain.host.now() &+ timeout &* 1_000_000_000
        guard id <= 2 else { throw .invalidArgument }
        let result = try context.domain.control.withLock { (control) throws(XenError) -> Int64 in
            if id != 0 {
                guard control.watchdogs[Int(id) - 1] != nil else { throw .invalidArgument }
                control.watchdogs[Int(id) - 1] = timeout == 0 ? nil : deadline
                return 0
            }
            guard timeout != 0 else { throw .invalidArgument }
            for slot in 0..<2 where control.watchdogs[slot] == nil {
                control.watchdogs[slot] = deadline
                return Int64(slot + 1)
            }
            throw .noSpace
        }
        if timeout != 0 { context.domain.armed(deadline) }
        return result
    }
}

extension VCPU {
    /// SCHEDOP_poll.
    func poll(_ ports: [UInt32], until deadline: UInt64?, interruptsEnabled: Bool) throws(XenError) {
        polledPorts.withLock { $0 = ports }
        pollWakesOnInterrupt.store(interruptsEnabled, ordering: .relaxed)
        pollSatisfied.store(false, ordering: .sequentiallyConsistent)
        domain.pollerCount.add(1, ordering: .sequentiallyConsistent)
        wait.store(.polling, ordering: .sequentiallyConsistent)
        let isReady: Bool
        do throws(XenError) {
            isReady = try domain.events.withLock { (events) throws(XenError) in
                var found = false
                for port in ports {
                    guard port != 0 else { throw .invalidArgument }
                    _ = try events.channel(port)
                    if domain.isPending(Int(port), events) { found = true }
                }
                return found
            }
        } catch {
            wait.store(.none, ordering: .sequentiallyConsistent)
            endPoll()
            throw error
        }
        let now = domain.host.now()
        if isReady || deadline.map({ $0 <= now }) == true || (interruptsEnabled && interruptIsPending) {
            wait.store(.none, ordering: .sequentiallyConsistent)
            return endPoll()
        }
        if let deadline {
            clock.withLock { $0.poll = deadline }
            domain.armed(deadline)
        }
        requestLeave()
    }

    /// To be called once after each poll, whatever ended it.
    func endPoll() {
        polledPorts.withLock { $0 = [] }
        clock.withLock { $0.poll = nil }
        domain.pollerCount.subtract(1, ordering: .sequentiallyConsistent)
    }

    /// A port was raised; ends the poll if it is one of those named.
    func pollEvent(on port: Int) {
        guard wait.load(ordering: .sequentiallyConsistent) == .polling else { return }
        let isNamed = polledPorts.withLock { $0.contains(UInt32(truncatingIfNeeded: port)) }
        if isNamed { satisfyPoll() }
    }
}
