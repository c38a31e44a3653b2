import ControlProtocol

/// What becomes of a guest that stopped, as xl decides it.
struct EndPolicy {
    private let description: GuestDescription

    init(_ description: GuestDescription) { self.description = description }

    /// The configured action; nil for a guest that suspended, which stays as it is. A reason without a key destroys.
    func action(for reason: ShutdownReason) -> EndAction? {
        switch reason {
        case .poweroff: description.onPoweroff
        case .reboot: description.onReboot
        case .suspend: nil
        case .crash: description.onCrash
        case .watchdog: description.onWatchdog
        case .softReset: description.onSoftReset
        default: .destroy
        }
    }

    /// Whether some key decides about the reason.
    static func knows(_ reason: ShutdownReason) -> Bool { reason.rawValue <= ShutdownReason.softReset.rawValue }

    /// Where a core goes that the configuration asks for; nil when there is no place for one.
    var corePath: String? {
        if let path = description.coreDumpPath { return path }
        guard let log = description.logPath, let slash = log.lastIndex(of: "/") else { return nil }
        return "\(log[..<slash])/\(description.name).core"
    }
}

/// Restarts in a row that each came soon after the one before.
struct RestartLimit {
    /// A life that ends sooner counts as short.
    static let shortLifeMilliseconds: UInt64 = 10_000
    /// So many short lives in a row, and the guest is not started again.
    static let shortLives = 5

    private var count = 0

    /// A life has ended and another one is due.
    ///
    /// - Returns: false when the guest is to be given up.
    mutating func allowsRestart(afterNanoseconds age: UInt64) -> Bool {
        count = age < Self.shortLifeMilliseconds * 1_000_000 ? count + 1 : 0
        return count < Self.shortLives
    }
}
