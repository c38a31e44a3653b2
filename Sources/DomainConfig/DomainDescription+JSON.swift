extension DomainDescription {
    /// The configuration as `create -n` prints it: libxl's member names in libxl's order. What the configuration does not say is left
    /// out, as libxl does.
    ///
    /// - Parameter uuid: shown when the configuration names none.
    public func json(uuid fallback: String) -> JSONText {
        var members: [(String, JSONText)] = [
            ("c_info", .object(MemberOrder.sort(creationMembers(fallback), MemberOrder.creation))),
            ("b_info", .object(MemberOrder.sort(buildMembers, MemberOrder.build))),
        ]
        if !disks.isEmpty { members.append(("disks", .array(disks.map(\.device.json)))) }
        if !networks.isEmpty { members.append(("nics", .array(networks.map(\.device.json)))) }
        for name in MemberOrder.devices {
            if let devices = inert.devices[name], !devices.isEmpty { members.append((name, .array(devices))) }
        }
        for (name, path) in Self.actionMembers where self[keyPath: path] != .destroy {
            members.append((name, .string(self[keyPath: path].libxlName)))
        }
        return .object(members)
    }

    static var actionMembers: [(String, WritableKeyPath<DomainDescription, Action>)] {
        [
            ("on_poweroff", \.onPoweroff), ("on_reboot", \.onReboot), ("on_watchdog", \.onWatchdog), ("on_crash", \.onCrash),
            ("on_soft_reset", \.onSoftReset),
        ]
    }

    private func creationMembers(_ fallbackUUID: String) -> [String: JSONText] {
        var members = inert.creation
        members["type"] = .string(type.rawValue)
        members["name"] = .string(name)
        members["uuid"] = .string(uuid ?? fallbackUUID)
        members["run_hotplug_scripts"] = members["run_hotplug_scripts"] ?? .boolean(true)
        return members
    }

    private var buildMembers: [String: JSONText] {
        var members = inert.build
        let online = vcpus ?? 0
        if max(online, maxVCPUs ?? 0) > 0 { members["max_vcpus"] = .number(Int64(max(online, maxVCPUs ?? 0))) }
        if online > 0 { members["avail_vcpus"] = .array((0..<online).map { .number(Int64($0)) }) }
        members["tsc_mode"] = tscMode.flatMap { $0 == .default ? nil : .string($0.libxlName) }
        members["max_memkb"] = (maxMemoryKiB ?? memoryKiB).map { .number(Int64(clamping: $0)) }
        members["target_memkb"] = memoryKiB.map { .number(Int64(clamping: $0)) }
        members["rtc_timeoffset"] = rtcTimeOffsetSeconds.map { .number(Int64(UInt32(truncatingIfNeeded: $0))) }
        members["cpuid"] = cpuid.json
        members["localtime"] = localtime.map { .boolean($0) }
        members["max_grant_frames"] = maxGrantFrames.map { .number(Int64($0)) }
        members["max_grant_version"] = maxGrantVersion.map { .number(Int64($0)) }
        members["sched_params"] = .object(MemberOrder.sort(inert.scheduling, MemberOrder.scheduling))
        members["claim_mode"] = members["claim_mode"] ?? .boolean(true)
        members["event_channels"] = maxEventChannels.map { .number(Int64($0)) }
        members["kernel"] = kernel.map { .string($0) }
        members["cmdline"] = commandLine.map { .string($0) }
        members["ramdisk"] = ramdisk.map { .string($0) }
        members["acpi"] = acpi.map { .boolean($0) }
        members["bootloader"] = bootloader.map { .string($0) }
        members["bootloader_args"] = bootloaderArguments.isEmpty ? nil : .array(bootloaderArguments.map { .string($0) })
        members["bootloader_restrict"] = restrictsBootloader.map { .boolean($0) }
        members["bootloader_user"] = bootloaderUser.map { .string($0) }
        // xl reads the key for HVM guests alone.
        members["apic"] = type == .hvm ? apic.map { .boolean($0) } : nil
        members["timer_mode"] = timerMode.map { .string($0.libxlName) }
        members["type.\(type.rawValue)"] = typeMembers
        members["arch_arm"] = members["arch_arm"] ?? .object([])
        members["arch_x86"] = .object(msrRelaxed.map { [("msr_relaxed", .boolean($0))] } ?? [])
        return members
    }

    private var typeMembers: JSONText {
        switch type {
        case .pv: .object(MemberOrder.sort(inert.typeSpecific, []))
        case .pvh: .object(MemberOrder.sort(inert.typeSpecific, MemberOrder.shim))
        case .hvm:
            .object(
                MemberOrder.sort(
                    Dictionary(uniqueKeysWithValues: MemberOrder.hvmObjects.map { ($0.name, .object([])) })
                        .merging(inert.typeSpecific) { $1 }, MemberOrder.hvm))
        }
    }
}

extension DomainDescription.Action {
    /// The name in libxl's JSON.
    var libxlName: String {
        switch self {
        case .renameRestart: "restart_rename"
        default: String(rawValue.map { $0 == "-" ? "_" : $0 })
        }
    }

    init?(libxlName: String) {
        guard let action = Self.allCases.first(where: { $0.libxlName == libxlName }) else { return nil }
        self = action
    }
}

extension DomainDescription.TimerMode {
    /// The name in xl.cfg and in libxl's JSON.
    public var libxlName: String {
        switch self {
        case .delayForMissedTicks: "delay_for_missed_ticks"
        case .noDelayForMissedTicks: "no_delay_for_missed_ticks"
        case .noMissedTicksPending: "no_missed_ticks_pending"
        case .oneMissedTickPending: "one_missed_tick_pending"
        }
    }
}

extension DomainDescription.TSCMode {
    /// The name in xl.cfg and in libxl's JSON.
    public var libxlName: String {
        switch self {
        case .default: "default"
        case .alwaysEmulate: "always_emulate"
        case .native: "native"
        case .nativeParavirt: "native_paravirt"
        }
    }
}
