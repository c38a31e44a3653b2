/// What a client asks of a guest process.
///
/// On the wire: one JSON object per line, for instance `{"version":1,"request":"shutdown","mode":"poweroff"}`.
public enum ControlRequest: Equatable, Sendable {
    /// Answered `hello`; lets a client check that somebody answers.
    case hello
    /// Answered `status`.
    case status
    /// Answered `ok` once no vCPU executes any more. Pausing a paused guest is fine.
    case pause
    /// Answered `ok`. Unpausing a running guest is fine.
    case unpause
    /// Answered `ok`, then the guest ends with ``GuestEnd/destroyed``.
    case destroy
    /// Writes `control/shutdown`; answered `ok` once written. The guest empties it when it takes it up (``GuestStatus/shutdownRequest``), and
    /// decides when it ends.
    case shutdown(ShutdownMode)
    /// Gives the guest another name; answered `ok`. Names are not compared with those of other guests here.
    case rename(String)
    /// Writes `memory/target`, in KiB; answered `ok`. The guest's balloon driver decides when it follows.
    case setMemoryTarget(kib: UInt64)
    /// Sets the most memory the guest may have, in KiB; answered `ok`.
    case setMaxMemory(kib: UInt64)
    /// Writes the availability nodes so that so many vCPUs are to be online; answered `ok`.
    case setVCPUs(Int)
    /// Sets where a vCPU's thread may run; nil leaves one as it is. Answered `ok`.
    case setAffinity(vcpu: Int, hard: [Int]?, soft: [Int]?)
    /// Writes `control/sysrq`; answered `ok`.
    case sysrq(String)
    /// Answered `ok`, or an error where a PVH guest has no such thing.
    case trigger(Trigger, vcpu: Int)
    /// Answered `log`: what the guest's hypervisor has printed.
    case hypervisorLog(clears: Bool)
    /// Prints the state these keys stand for into the hypervisor's log; answered `ok`.
    case debugKeys(String)
    /// Writes the guest's memory and registers to a new file as an ELF core; answered `ok` once written.
    case dumpCore(path: String)
    /// Answered `devices`.
    case devices
    /// Answered `ok` once the device stands in xenstore; the guest's driver decides when it connects.
    case attachDisk(DiskDescription)
    case attachNetwork(NetworkDescription)
    /// Answered `ok` once the device is gone, or an error when the guest does not let go of it in time (then it stays).
    case detach(kind: String, id: UInt32, forced: Bool)
    /// Looks at the size of a disk's image again and tells the guest; answered `ok`.
    case resizeDisk(id: UInt32)
    /// Answered `description`: the guest as a restart would build it, live changes included.
    case description
    /// Replaces what a restart builds; answered `ok`.
    case updateDescription(GuestDescription)
    /// Not answered at once: the connection gets an `ended` event when the guest ends.
    case wait
}

/// The words the guest's `control/shutdown` node takes.
public enum ShutdownMode: String, Codable, CaseIterable, Sendable {
    case poweroff, reboot, suspend, halt
}

/// What `trigger` raises.
public enum Trigger: String, Codable, CaseIterable, Sendable {
    case nmi, reset, initialise = "init", power, sleep, s3resume
}

/// What a guest process sends to a client: replies in the order of the requests, and events at any time.
public enum ControlReply: Equatable, Sendable {
    /// The guest's domain ID and name.
    case hello(domainID: UInt16, name: String)
    case ok
    case status(GuestStatus)
    case log(String)
    case devices([DeviceStatus])
    case description(GuestDescription)
    case error(OperatorError)
    /// An event: the guest has ended. It is the last message of a connection.
    case ended(GuestEnd)
}

/// The version of the messages above. Both sides refuse any other.
public let controlProtocolVersion = 1
