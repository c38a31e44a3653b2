extension DomainDescription {
    /// The configuration as `create -n` and `list -l` print it: libxl's member names in libxl's order.
    ///
    /// Members at their default are left out, as libxl does. Not written yet: devices, CPU affinities, CPUID.
    ///
    /// - Parameter uuid: shown when the configuration names none.
    public func json(uuid: String) -> JSONText {
        var members: [(String, JSONText)] = [("c_info", creationJSON(uuid)), ("b_info", buildJSON())]
        if !disks.isEmpty { members.append(("disks", .array(disks.map(\.device.json)))) }
        if !networks.isEmpty { members.append(("nics", .array(networks.map(\.device.json)))) }
        let actions = [
            ("on_poweroff", onPoweroff), ("on_reboot", onReboot), ("on_watchdog", onWatchdog), ("on_crash", onCrash),
            ("on_soft_reset", onSoftReset),
        ]
        for (key, action) in actions where action != .destroy { members.append((key, .string(action.libxlName))) }
        return .object(members)
    }

    private func creationJSON(_ fallbackUUID: String) -> JSONText {
        var members = JSONMembers()
        members.add("type", .string(type.rawValue))
        members.add("hap", dryRunOnly.hap)
        members.add("oos", dryRunOnly.oos)
        members.add("name", name)
        members.add("uuid", uuid ?? fallbackUUID)
        members.add("pool_name", dryRunOnly.pool)
        members.add("run_hotplug_scripts", true)
        members.add("driver_domain", dryRunOnly.driverDomain)
        if dryRunOnly.passthrough != "default" { members.add("passthrough", dryRunOnly.passthrough) }
        return .object(members.all)
    }

    private func buildJSON() -> JSONText {
        var members = JSONMembers()
        addVCPUs(&members)
        if let tscMode, tscMode != .default { members.add("tsc_mode", tscMode.libxlName) }
        addMemory(&members)
        members.add("rtc_timeoffset", rtcTimeOffsetSeconds)
        members.add("localtime", localtime)
        members.add("disable_migrate", dryRunOnly.noMigrate)
        members.add("max_grant_frames", maxGrantFrames.map(Int64.init))
        members.add("max_maptrack_frames", dryRunOnly.maxMaptrackFrames.map(Int64.init))
        members.add("max_grant_version", maxGrantVersion.map(Int64.init))
        if let version = dryRunOnly.deviceModelVersion, version != "none" {
            members.add("device_model_version", version == "qemu-xen" ? "qemu_xen" : "qemu_xen_traditional")
        }
        var scheduling = JSONMembers()
        scheduling.add("weight", dryRunOnly.weight)
        scheduling.add("cap", dryRunOnly.cap)
        members.add("sched_params", .object(scheduling.all))
        members.add("claim_mode", true)
        members.add("event_channels", maxEventChannels.map(Int64.init))
        members.add("kernel", kernel)
        members.add("cmdline", commandLine)
        members.add("ramdisk", ramdisk)
        members.add("acpi", acpi)
        members.add("bootloader", dryRunOnly.bootloader)
        if let timerMode { addTimerMode(timerMode, &members) }
        members.add("nested_hvm", dryRunOnly.nestedHVM)
        members.add("type.\(type.rawValue)", typeJSON())
        members.add("arch_arm", .object([]))
        var x86 = JSONMembers()
        x86.add("msr_relaxed", msrRelaxed)
        members.add("arch_x86", .object(x86.all))
        if dryRunOnly.altp2m != "disabled" { members.add("altp2m", dryRunOnly.altp2m) }
        members.add("vmtrace_buf_kb", dryRunOnly.vmtraceKiB)
        members.add("vpmu", dryRunOnly.vpmu)
        return .object(members.all)
    }

    private func addVCPUs(_ members: inout JSONMembers) {
        let online = vcpus ?? 0
        let maximum = max(online, maxVCPUs ?? 0)
        if maximum > 0 { members.add("max_vcpus", Int64(maximum)) }
        if online > 0 { members.add("avail_vcpus", .array((0..<online).map { .number(Int64($0)) })) }
    }

    private func addMemory(_ members: inout JSONMembers) {
        members.add("max_memkb", (maxMemoryMiB ?? memoryMiB).map { Int64(clamping: $0 * 1024) })
        members.add("target_memkb", memoryMiB.map { Int64(clamping: $0 * 1024) })
        members.add("video_memkb", dryRunOnly.videoRAMMiB.map { Int64(clamping: $0 * 1024) })
        members.add("shadow_memkb", dryRunOnly.shadowMemoryMiB.map { Int64(clamping: $0 * 1024) })
    }

    private func addTimerMode(_ mode: TimerMode, _ members: inout JSONMembers) {
        let names = ["delay_for_missed_ticks", "no_delay_for_missed_ticks", "no_missed_ticks_pending", "one_missed_tick_pending"]
        members.add("timer_mode", names[mode.rawValue])
    }

    private func typeJSON() -> JSONText {
        switch type {
        case .pv: return .object([])
        case .hvm: return .object(["vga", "vnc", "sdl", "spice", "rdm"].map { ($0, .object([])) })
        case .pvh:
            var members = JSONMembers()
            members.add("pvshim", dryRunOnly.pvshim)
            members.add("pvshim_path", dryRunOnly.pvshimPath)
            members.add("pvshim_cmdline", dryRunOnly.pvshimCommandLine)
            members.add("pvshim_extra", dryRunOnly.pvshimExtra)
            return .object(members.all)
        }
    }
}

extension DomainDescription.Action {
    /// The name in libxl's JSON.
    var libxlName: String {
        switch self {
        case .destroy: "destroy"
        case .restart: "restart"
        case .renameRestart: "restart_rename"
        case .preserve: "preserve"
        case .coredumpDestroy: "coredump_destroy"
        case .coredumpRestart: "coredump_restart"
        case .softReset: "soft_reset"
        }
    }
}

extension DomainDescription.TSCMode {
    var libxlName: String {
        switch self {
        case .default: "default"
        case .alwaysEmulate: "always_emulate"
        case .native: "native"
        case .nativeParavirt: "native_paravirt"
        }
    }
}
