internal import ControlProtocol
internal import DomainConfig

extension GuestDescription {
    /// What a configuration says, with every default filled in, looked up on this host where that is needed. The domain ID is yet to come.
    ///
    /// - Throws: an error that names file and line of a device the host cannot give.
    init(_ domain: DomainDescription, environment: Environment) throws(OperatorError) {
        self.init(
            domainID: 0, name: domain.name, uuid: domain.uuid ?? RandomUUID.make(), kernelPath: domain.kernel ?? "",
            memoryKiB: domain.effectiveMemoryKiB, maxMemoryKiB: domain.effectiveMaxMemoryKiB, vcpus: domain.effectiveVCPUs,
            maxVCPUs: domain.effectiveMaxVCPUs)
        ramdiskPath = domain.ramdisk
        if domain.bootloader == nil {
            kernelPath = Files.absolute(kernelPath)
            ramdiskPath = domain.ramdisk.map(Files.absolute)
        }
        commandLine = domain.commandLine ?? ""
        applyPlatform(domain)
        applyActions(domain)
        for disk in domain.disks { disks.append(try DiskDescription(disk.device, at: disk.place)) }
        for network in domain.networks { networks.append(try NetworkDescription(network.device, at: network.place)) }
        if let program = domain.bootloader { bootloader = try BootloaderDescription(program, domain, disks, environment) }
    }

    private mutating func applyPlatform(_ domain: DomainDescription) {
        apic = domain.apic ?? apic
        acpi = domain.acpi ?? acpi
        msrRelaxed = domain.msrRelaxed ?? msrRelaxed
        let leaves = domain.cpuid.leaves.map { leaf in
            CPUIDOverride(
                leaf: leaf.number, subleaf: leaf.subleaf, eax: leaf.registers[0], ebx: leaf.registers[1], ecx: leaf.registers[2],
                edx: leaf.registers[3])
        }
        cpuid = leaves.isEmpty ? nil : leaves
        maxGrantFrames = domain.maxGrantFrames ?? maxGrantFrames
        maxGrantVersion = domain.maxGrantVersion ?? maxGrantVersion
        maxEventChannels = domain.maxEventChannels ?? maxEventChannels
        localtime = domain.localtime ?? localtime
        rtcTimeOffsetSeconds = domain.rtcTimeOffsetSeconds ?? rtcTimeOffsetSeconds
        timerMode = domain.timerMode.flatMap { TimerMode(rawValue: $0.rawValue) } ?? timerMode
        hardAffinity = domain.hardAffinity
        softAffinity = domain.softAffinity
        tscMode = domain.tscMode.flatMap { TSCMode(rawValue: $0.rawValue) } ?? tscMode
    }

    private mutating func applyActions(_ domain: DomainDescription) {
        onPoweroff = EndAction(domain.onPoweroff)
        onReboot = EndAction(domain.onReboot)
        onWatchdog = EndAction(domain.onWatchdog)
        onCrash = EndAction(domain.onCrash)
        onSoftReset = EndAction(domain.onSoftReset)
    }
}

extension DomainDescription {
    /// "file:line: " of a key, as messages start.
    func prefix(_ key: String) -> String { places[key].map { "\($0): " } ?? "" }
}

extension EndAction {
    fileprivate init(_ action: DomainDescription.Action) {
        switch action {
        case .destroy: self = .destroy
        case .restart: self = .restart
        case .preserve: self = .preserve
        case .renameRestart: self = .renameRestart
        case .coredumpDestroy: self = .coredumpDestroy
        case .coredumpRestart: self = .coredumpRestart
        case .softReset: self = .softReset
        }
    }
}
