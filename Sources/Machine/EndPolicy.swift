import ControlProtocol

/// What becomes of a guest that stopped.
struct EndPolicy {
    enum Step: Equatable { case destroy, restart, preserve }

    struct Decision: Equatable {
        var step: Step
        /// What the operator should know when the step is not what the configuration says.
        var remark: String?
    }

    private let description: GuestDescription

    init(_ description: GuestDescription) { self.description = description }

    /// Actions this version does not know end with the guest's destruction, and say so.
    func action(for reason: ShutdownReason) -> Decision {
        guard let (key, action) = configured(reason) else {
            // As in xl: a suspended guest stays; any other reason destroys.
            return Decision(step: reason == .suspend ? .preserve : .destroy)
        }
        switch action {
        case .destroy: return Decision(step: .destroy)
        case .restart: return Decision(step: .restart)
        case .preserve: return Decision(step: .preserve)
        case .coredumpDestroy: return Decision(step: .destroy, remark: "\(key)=\"coredump-destroy\": this version writes no core dump")
        case .coredumpRestart: return Decision(step: .restart, remark: "\(key)=\"coredump-restart\": this version writes no core dump")
        case .renameRestart, .softReset:
            return Decision(step: .destroy, remark: "\(key)=\"\(action.rawValue)\" is not possible in this version: the guest is destroyed")
        }
    }

    private func configured(_ reason: ShutdownReason) -> (key: String, action: EndAction)? {
        switch reason {
        case .poweroff: ("on_poweroff", description.onPoweroff)
        case .reboot: ("on_reboot", description.onReboot)
        case .crash: ("on_crash", description.onCrash)
        case .watchdog: ("on_watchdog", description.onWatchdog)
        case .softReset: ("on_soft_reset", description.onSoftReset)
        default: nil
        }
    }
}
