public import ControlProtocol
internal import Glibc

/// Changes of a living guest. Each is kept: a restart builds the guest as it was last, and `list -l` shows it.
extension GuestRegistry.Entry {
    /// How much memory the guest is to have, in KiB. Its balloon driver follows when it can.
    ///
    /// - Throws: an error when that is nothing, or more than ``GuestStatus/maxMemoryKiB``; the target stays as it was then.
    public func setMemoryTarget(kib: UInt64) throws(OperatorError) {
        let maximum = try status().maxMemoryKiB
        guard kib > 0 else {
            throw OperatorError(
                "a guest cannot live on no memory", remedy: "`martlet pause' stops \"\(description.name)\", `martlet destroy' ends it")
        }
        guard kib <= maximum else {
            throw OperatorError(
                "\(Self.size(kib)) is more than the \(Self.size(maximum)) \"\(description.name)\" may ever have",
                remedy: "raise that first with mem-max, as far as the guest's own limit from its start (maxmem=) goes")
        }
        _ = try ask(.setMemoryTarget(kib: kib))
    }

    /// The most memory the guest may have, in KiB.
    ///
    /// - Throws: an error when the guest's target is higher; the limit stays as it was then.
    public func setMaxMemory(kib: UInt64) throws(OperatorError) {
        let status = try status()
        let target = status.targetMemoryKiB ?? status.currentMemoryKiB
        guard kib >= target else {
            throw OperatorError(
                "\(Self.size(kib)) is less than the \(Self.size(target)) \"\(description.name)\" is to have now",
                remedy: "lower that first with mem-set")
        }
        _ = try ask(.setMaxMemory(kib: kib))
    }

    /// How many vCPUs are to be online: numbers 0..<count. The guest's kernel follows when it can.
    ///
    /// - Throws: an error when `count` is not in 1...maximum; nothing changes then.
    public func setVCPUs(_ count: Int) throws(OperatorError) {
        try requirePVH(for: "setting its vCPUs")
        let maximum = try currentDescription().maxVCPUs
        guard (1...maximum).contains(count) else {
            throw OperatorError(
                count < 1
                    ? "a guest needs one vCPU at least" : "\(count) vCPUs are wanted, but \"\(description.name)\" was made for \(maximum)",
                remedy: count < 1 ? "`martlet pause' stops them all" : "maxvcpus= in its configuration is the limit for its whole life")
        }
        _ = try ask(.setVCPUs(count))
    }

    /// Which of the host's processors a vCPU's thread may run on (`hard`), and should (`soft`); nil leaves that as it is.
    ///
    /// - Throws: an error when there is no such vCPU; nothing changes then.
    public func setAffinity(vcpu: Int, hard: [Int]?, soft: [Int]?) throws(OperatorError) {
        let maximum = try currentDescription().maxVCPUs
        guard (0..<maximum).contains(vcpu) else {
            throw OperatorError(
                "\"\(description.name)\" has no vCPU \(vcpu)", remedy: maximum == 1 ? "its only one is 0" : "they are 0 to \(maximum - 1)")
        }
        _ = try ask(.setAffinity(vcpu: vcpu, hard: hard, soft: soft))
    }

    /// Asks the guest's kernel for a magic SysRq: one letter.
    public func sysrq(_ letter: Character) throws(OperatorError) { _ = try ask(.sysrq(String(letter))) }

    /// Raises an event on a vCPU.
    ///
    /// - Throws: an error where a PVH guest has no such thing.
    public func trigger(_ trigger: Trigger, vcpu: Int = 0) throws(OperatorError) { _ = try ask(.trigger(trigger, vcpu: vcpu)) }

    /// What the guest's hypervisor has printed, each line with its newline; emptied afterwards if `clears`.
    public func hypervisorLog(clears: Bool = false) throws(OperatorError) -> String {
        guard case .log(let text) = try ask(.hypervisorLog(clears: clears)) else { throw unexpectedAnswer }
        return text
    }

    /// Prints the state that Xen's debug keys stand for into the hypervisor's log.
    public func debugKeys(_ keys: String) throws(OperatorError) { _ = try ask(.debugKeys(keys)) }

    /// Writes memory and registers to a file, as an ELF core.
    ///
    /// - Parameter path: a file that does not exist yet; relative ones start at the working directory.
    /// - Throws: an error when it cannot be written in full; no half of it is left then.
    public func dumpCore(path: String) throws(OperatorError) {
        guard unsafe access(path, F_OK) != 0 else {
            throw OperatorError("\(path) exists already", remedy: "name a new file, or remove that one first")
        }
        _ = try ask(.dumpCore(path: Files.absolute(path)), timeoutMilliseconds: 3_600_000)
    }

    /// The guest as a restart would build it, live changes included.
    public func currentDescription() throws(OperatorError) -> GuestDescription {
        guard case .description(let description) = try ask(.description) else { throw unexpectedAnswer }
        return description
    }

    /// A number of KiB for people.
    static func size(_ kib: UInt64) -> String { kib % 1024 == 0 ? "\(kib / 1024) MiB" : "\(kib) KiB" }
}

/// Devices that come and go while the guest runs.
extension GuestRegistry.Entry {
    /// The guest's devices and what they have moved.
    public func devices() throws(OperatorError) -> [DeviceStatus] {
        guard case .devices(let devices) = try ask(.devices, timeoutMilliseconds: 5000) else { throw unexpectedAnswer }
        return devices
    }

    /// Gives the guest a disk. Its driver decides when it connects.
    ///
    /// - Throws: an error when the number is taken or the image cannot be used; the guest is as before then.
    public func attach(_ disk: DiskDescription) throws(OperatorError) {
        let disks = try currentDescription().disks
        if let other = disks.first(where: { $0.deviceNumber == disk.deviceNumber }) {
            throw OperatorError(
                "\"\(description.name)\" has a disk \(other.vdev) already: \(other.target)",
                remedy: "choose another name, or detach that one with `martlet block-detach \(description.name) \(other.vdev)'")
        }
        _ = try ask(.attachDisk(disk))
    }

    /// Gives the guest a network interface with the lowest handle that is free.
    ///
    /// - Returns: the interface as attached.
    /// - Throws: an error when the host cannot provide it; the guest is as before then.
    @discardableResult
    public func attach(_ network: NetworkDescription) throws(OperatorError) -> NetworkDescription {
        var network = network
        let used = Set(try currentDescription().networks.map(\.handle) + (try devices().filter { $0.kind == "vif" }.map(\.id)))
        network.handle = (0...).first { !used.contains($0) } ?? 0
        _ = try ask(.attachNetwork(network))
        return network
    }

    /// Takes a device away.
    ///
    /// - Parameters:
    ///   - kind: "vbd" or "vif".
    ///   - forced: without waiting for the guest to let go of it.
    /// - Throws: an error when the guest does not let go of it in time; it stays then.
    public func detach(kind: String, id: UInt32, forced: Bool = false) throws(OperatorError) {
        _ = try ask(.detach(kind: kind, id: id, forced: forced), timeoutMilliseconds: 120_000)
    }

    /// Looks at the size of a disk's image again and tells the guest.
    public func resizeDisk(id: UInt32) throws(OperatorError) { _ = try ask(.resizeDisk(id: id)) }

    /// The number of a disk that is named as in the configuration ("xvdb") or by its number.
    ///
    /// - Throws: an error when the guest has no such disk.
    public func diskNumber(_ word: String) throws(OperatorError) -> UInt32 {
        let disks = try currentDescription().disks
        let numbers = Set(disks.map(\.deviceNumber) + (try devices().filter { $0.kind == "vbd" }.map(\.id)))
        if let disk = disks.first(where: { $0.vdev == word }) { return disk.deviceNumber }
        if let number = UInt32(word), numbers.contains(number) { return number }
        let names = disks.map(\.vdev).joined(separator: ", ")
        throw OperatorError(
            "\"\(description.name)\" has no disk \(word)", remedy: names.isEmpty ? "it has no disks" : "its disks are: \(names)")
    }

    /// The handle of a network interface that is named by its handle or its MAC address.
    ///
    /// - Throws: an error when the guest has no such interface.
    public func networkHandle(_ word: String) throws(OperatorError) -> UInt32 {
        let networks = try devices().filter { $0.kind == "vif" }
        if let match = networks.first(where: { "\($0.id)" == word || $0.mac == word.lowercased() }) { return match.id }
        let names = networks.map { "\($0.id)" + ($0.mac.map { " (\($0))" } ?? "") }.joined(separator: ", ")
        throw OperatorError(
            "\"\(description.name)\" has no network interface \(word)",
            remedy: names.isEmpty ? "it has none" : "its interfaces are: \(names)")
    }
}
