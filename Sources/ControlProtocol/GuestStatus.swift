/// What a guest process says about its guest at one moment.
public struct GuestStatus: Codable, Equatable, Sendable {
    public var domainID: UInt16
    public var name: String
    public var uuid: String
    public var state: GuestState
    /// Guest time each vCPU has run, in nanoseconds; index is the vCPU number.
    public var vcpuTimesNanoseconds: [UInt64]
    public var onlineVCPUs: Int
    public var currentMemoryKiB: UInt64
    public var maxMemoryKiB: UInt64
    /// Wall time since the guest was first unpaused; 0 before.
    public var uptimeNanoseconds: UInt64
    public var processID: Int32
    /// Guest instructions retired by all vCPUs since the guest was created, restarts included. A vCPU counts when it leaves
    /// its engine, so the number lags behind while a guest computes without a pause. Nil where the process does not count.
    public var instructionCount: UInt64?
    /// The host's `CLOCK_MONOTONIC` when the first vCPU entered its engine for the first time; nil before.
    public var startedNanoseconds: UInt64?
    /// One entry per vCPU, online or not; empty where the process does not tell.
    public var vcpus: [VCPUStatus] = []
    /// What `memory/target` says, in KiB; nil where the process does not tell.
    public var targetMemoryKiB: UInt64?
    /// The word that waits in `control/shutdown` for the guest to take it; nil when there is none, or where the process does not tell.
    public var shutdownRequest: String?
    /// What the guest's kernel has said it obeys there (`control/feature-poweroff` and so on); nil where the process does not tell.
    public var shutdownFeatures: [ShutdownMode]?

    public init(
        domainID: UInt16, name: String, uuid: String, state: GuestState, vcpuTimesNanoseconds: [UInt64], onlineVCPUs: Int,
        currentMemoryKiB: UInt64, maxMemoryKiB: UInt64, uptimeNanoseconds: UInt64, processID: Int32,
        instructionCount: UInt64? = nil, startedNanoseconds: UInt64? = nil
    ) {
        self.domainID = domainID
        self.name = name
        self.uuid = uuid
        self.state = state
        self.vcpuTimesNanoseconds = vcpuTimesNanoseconds
        self.onlineVCPUs = onlineVCPUs
        self.currentMemoryKiB = currentMemoryKiB
        self.maxMemoryKiB = maxMemoryKiB
        self.uptimeNanoseconds = uptimeNanoseconds
        self.processID = processID
        self.instructionCount = instructionCount
        self.startedNanoseconds = startedNanoseconds
    }
}

/// One vCPU, as `vcpu-list` shows it.
public struct VCPUStatus: Codable, Equatable, Sendable {
    public var online: Bool
    /// Executing at this moment.
    public var running: Bool
    /// Waiting for an event.
    public var blocked: Bool
    /// The host's processor it ran on last; nil when it never ran.
    public var processor: Int?
    public var timeNanoseconds: UInt64
    /// The host's processors its thread may run on, and should; nil for all.
    public var hardAffinity: [Int]?
    public var softAffinity: [Int]?

    public init(online: Bool, running: Bool, blocked: Bool, processor: Int?, timeNanoseconds: UInt64) {
        self.online = online
        self.running = running
        self.blocked = blocked
        self.processor = processor
        self.timeNanoseconds = timeNanoseconds
    }
}

/// The six state letters of `xl list`.
public struct GuestState: Codable, Equatable, Sendable {
    /// At least one vCPU is executing.
    public var running: Bool
    /// Every online vCPU waits.
    public var blocked: Bool
    public var paused: Bool
    /// Set once the guest has shut down and is kept (`preserve`) or not yet cleaned up.
    public var shutdownReason: ShutdownReason?
    public var dying: Bool

    public init(
        running: Bool = false, blocked: Bool = false, paused: Bool = false, shutdownReason: ShutdownReason? = nil, dying: Bool = false
    ) {
        self.running = running
        self.blocked = blocked
        self.paused = paused
        self.shutdownReason = shutdownReason
        self.dying = dying
    }

    /// Exactly six characters, for instance "r-----" or "---sc-"; the fifth stands for the shutdown reason.
    public var letters: String {
        let reason = shutdownReason.map(\.letter) ?? "-"
        return (running ? "r" : "-") + (blocked ? "b" : "-") + (paused ? "p" : "-") + (shutdownReason != nil ? "s" : "-")
            + reason + (dying ? "d" : "-")
    }
}

/// Why a guest shut down (Xen `public/sched.h`, `SHUTDOWN_*`). A guest may give any 8-bit code.
public struct ShutdownReason: RawRepresentable, Codable, Hashable, Sendable {
    public var rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let poweroff = Self(rawValue: 0)
    public static let reboot = Self(rawValue: 1)
    public static let suspend = Self(rawValue: 2)
    public static let crash = Self(rawValue: 3)
    public static let watchdog = Self(rawValue: 4)
    public static let softReset = Self(rawValue: 5)

    /// The fifth state letter of `xl list`.
    public var letter: String {
        let letters = ["-", "r", "s", "c", "w", "S"]
        return Int(rawValue) < letters.count ? letters[Int(rawValue)] : "?"
    }

    /// A word for messages.
    public var word: String {
        let words = ["poweroff", "reboot", "suspend", "crash", "watchdog", "soft reset"]
        return Int(rawValue) < words.count ? words[Int(rawValue)] : "reason \(rawValue)"
    }
}

/// How a guest came to its end.
public enum GuestEnd: Codable, Equatable, Sendable {
    /// The guest shut itself down.
    case shutdown(reason: ShutdownReason)
    /// Somebody asked for its destruction.
    case destroyed
    /// `--timeout` ran out.
    case timeout
    /// The machine could not go on; the sentence says why.
    case failed(message: String)
}
