import Synchronization
import XenABI

/// vm_assist(command, type): only the runstate update flag concerns a guest with its own page tables.
enum VMAssistOps {
    static let handle: HypercallTable.Handler = { context throws(XenError) in
        guard context.arguments[1] & 0xffff_ffff == VMAssist.runstateUpdateFlag else { throw .invalidArgument }
        switch context.arguments[0] & 0xffff_ffff {
        case VMAssist.enable: context.domain.runstateUpdateFlag.store(true, ordering: .relaxed)
        case VMAssist.disable: context.domain.runstateUpdateFlag.store(false, ordering: .relaxed)
        default: throw .notImplemented
        }
        return 0
    }
}
