import Synchronization
import XenABI

/// set_timer_op, and the timers of vcpu_op.
enum Timers {
    /// One-shot timer of the calling vCPU; 0 cancels it. A 32-bit caller splits the time over two arguments.
    static let setTimerOp: HypercallTable.Handler = { context throws(XenError) in
        let time = context.pick(context.arguments[0], context.arguments[0] | context.arguments[1] << 32)
        set(context.vcpu, time == 0 ? nil : time) { $0.setTimer = $1 }
        return 0
    }

    /// Sets a timer; one that is due already fires at once.
    static func set(_ vcpu: VCPU, _ deadline: UInt64?, _ store: (inout VCPUClock, UInt64?) -> Void) {
        let now = vcpu.domain.host.now()
        guard let deadline else { return vcpu.clock.withLock { store(&$0, nil) } }
        if deadline <= now {
            vcpu.clock.withLock { store(&$0, nil) }
            vcpu.domain.raiseVIRQ(VIRQ.timer, on: vcpu.index)
        } else {
            vcpu.clock.withLock { store(&$0, deadline) }
            vcpu.domain.armed(deadline)
        }
    }

    static func setPeriodic(_ vcpu: VCPU, period: UInt64) throws(XenError) {
        guard period >= VCPUOp.minimumPeriod, period <= UInt64(Int64.max) else { throw .invalidArgument }
        let next = vcpu.domain.host.now() &+ period
        vcpu.clock.withLock {
            $0.period = period
            $0.periodic = next
        }
        vcpu.domain.armed(next)
    }

    static func stopPeriodic(_ vcpu: VCPU) {
        vcpu.clock.withLock {
            $0.period = 0
            $0.periodic = nil
        }
    }
}
