import ControlProtocol
import XenDomain

/// What a life does at this moment.
extension Life {
    var isExecuting: Bool { threads.contains { $0.isExecuting } }
    /// Every vCPU that is online waits for an event.
    var isBlocked: Bool { threads.allSatisfy { !$0.vcpu.isOnline || $0.isBlocked } }
    var instructionCount: UInt64 { threads.reduce(earlierInstructions) { $0 &+ $1.instructionCount } }
    var vcpuTimes: [UInt64] { threads.map(\.timeNanoseconds) }
    var vcpuStatus: [VCPUStatus] {
        threads.map { thread in
            var status = VCPUStatus(
                online: thread.vcpu.isOnline, running: thread.isExecuting, blocked: thread.isBlocked, processor: thread.processor,
                timeNanoseconds: thread.timeNanoseconds)
            status.hardAffinity = thread.hardAffinity
            return status
        }
    }
    var onlineVCPUs: Int { domain.vcpus.count { $0.isOnline } }
}
