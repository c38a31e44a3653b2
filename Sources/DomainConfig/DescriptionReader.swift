/// Fills a description key by key.
struct DescriptionReader {
    var reader: ConfigReader
    let source: String
    let hostCPUs: Int

    init(_ settings: ConfigSettings, source: String, hostCPUs: Int) {
        reader = ConfigReader(settings)
        self.source = source
        self.hostCPUs = hostCPUs
    }

    var diagnostics: [ConfigDiagnostic] { reader.diagnostics }

    mutating func read(_ probeKernel: (String) -> KernelProbe) -> DomainDescription {
        KeyReview.review(&reader)
        var description = DomainDescription(name: readName(), type: .pvh)
        for setting in reader.settings.all { description.places[setting.name] = setting.place }
        description.uuid = readUUID()
        readKernel(&description)
        readMemory(&description)
        readVCPUs(&description)
        readActions(&description)
        readPlatform(&description)
        readCPUID(&description)
        readDevices(&description)
        description.type = readType(kernel: description.kernel, probeKernel)
        readInert(&description)
        requireKernel(description)
        if description.type == .pv, description.timerMode != nil {
            reader.report(.error, "timer_mode", "`timer_mode' is not for PV guests", remedy: "remove the key, or write type=\"pvh\"")
        }
        return description
    }

    private mutating func readName() -> String {
        guard let name = reader.string("name") else {
            if reader.settings["name"] == nil { fail("Domain name must be specified", remedy: "add name=\"...\"") }
            return ""
        }
        if let problem = DomainDescription.problem(ofName: name) {
            reader.report(.error, "name", "`name' is \(problem.cause)", remedy: problem.remedy)
        } else if name.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) {
            reader.report(
                .warning, "name", "`name' is all digits: commands take \(name) for a domain ID", remedy: "choose a name with a letter")
        }
        return name
    }

    private mutating func readUUID() -> String? {
        guard let text = reader.string("uuid") else { return nil }
        guard DomainDescription.isUUID(text) else {
            reader.report(
                .error, "uuid", "Failed to parse UUID \"\(text)\"",
                remedy: "write 32 hexadecimal digits as 8-4-4-4-12, or leave the key out")
            return nil
        }
        return text.lowercased()
    }

    private mutating func readKernel(_ description: inout DomainDescription) {
        description.kernel = reader.string("kernel")
        description.ramdisk = reader.string("ramdisk")
        let root = reader.string("root")
        let extra = reader.string("extra")
        if let commandLine = reader.string("cmdline") {
            description.commandLine = commandLine
            if root != nil || extra != nil {
                reader.report(
                    .warning, "cmdline", "root= and extra= are ignored in favour of cmdline=",
                    remedy: "keep either cmdline= or root= and extra=")
            }
        } else if let root {
            description.commandLine = "root=\(root)" + (extra.map { " \($0)" } ?? "")
        } else {
            description.commandLine = extra
        }
        readBootloader(&description)
    }

    private mutating func readMemory(_ description: inout DomainDescription) {
        let limit: Int64 = 1 << 34
        let memory = reader.integer("memory", 1...limit, example: "memory=256 for 256 MiB").map(UInt64.init)
        let maximum = reader.integer("maxmem", 0...limit, example: "maxmem=256 for 256 MiB").map(UInt64.init)
        description.memoryKiB = memory.map { $0 * 1024 }
        description.maxMemoryKiB = maximum.map { $0 * 1024 }
        if let memory, let maximum, maximum < memory {
            reader.report(
                .warning, "maxmem", "maxmem=\(maximum) is less than memory=\(memory) and counts as \(memory)",
                remedy: "raise maxmem= or remove it")
        }
        if reader.settings["memory"] == nil, reader.settings["maxmem"] == nil, reader.settings["name"] != nil {
            reader.report(
                .warning, "memory",
                "\(source): no memory= is given: the guest gets \(DomainDescription.defaultMemoryMiB) MiB, too little for most kernels",
                remedy: "add memory= in MiB")
        }
    }

    private mutating func readVCPUs(_ description: inout DomainDescription) {
        description.vcpus = reader.integer("vcpus", 0...128, example: "vcpus=2; at most 128").map { Int(clamping: $0) }
        description.maxVCPUs = reader.integer("maxvcpus", 0...128, example: "maxvcpus=2; at most 128").map { Int(clamping: $0) }
        if let vcpus = description.vcpus, let maximum = description.maxVCPUs, maximum < vcpus {
            reader.report(.error, "maxvcpus", "maxvcpus=\(maximum) is less than vcpus=\(vcpus)", remedy: "raise maxvcpus= or lower vcpus=")
        }
    }

    private mutating func readActions(_ description: inout DomainDescription) {
        description.onPoweroff = readAction("on_poweroff") ?? description.onPoweroff
        description.onReboot = readAction("on_reboot") ?? description.onReboot
        description.onWatchdog = readAction("on_watchdog") ?? description.onWatchdog
        description.onCrash = readAction("on_crash") ?? description.onCrash
        description.onSoftReset = readAction("on_soft_reset") ?? description.onSoftReset
    }

    private mutating func readAction(_ key: String) -> DomainDescription.Action? {
        guard let word = reader.string(key) else { return nil }
        if let action = DomainDescription.Action(rawValue: word) { return action }
        let words = DomainDescription.Action.allCases.map(\.rawValue)
        reader.report(.error, key, "Unknown \(key) action \"\(word)\" specified", remedy: "it is one of " + words.joined(separator: ", "))
        return nil
    }

    private mutating func readPlatform(_ description: inout DomainDescription) {
        description.apic = reader.boolean("apic")
        description.acpi = reader.boolean("acpi")
        description.msrRelaxed = reader.boolean("msr_relaxed")
        description.localtime = reader.boolean("localtime")
        description.rtcTimeOffsetSeconds = reader.integer(
            "rtc_timeoffset", Int64(Int32.min)...Int64(Int32.max), example: "rtc_timeoffset=3600, in seconds")
        description.maxGrantFrames = readUInt32("max_grant_frames", 1 << 20)
        description.maxGrantVersion = readUInt32("max_grant_version", 2)
        description.maxEventChannels = readUInt32("max_event_channels", 131071)
        description.timerMode = reader.choice("timer_mode", DomainDescription.TimerMode.allCases.map(\.libxlName))
            .flatMap(DomainDescription.TimerMode.init)
        description.tscMode = reader.choice("tsc_mode", DomainDescription.TSCMode.allCases.map(\.libxlName))
            .flatMap(DomainDescription.TSCMode.init)
        if description.tscMode == .nativeParavirt {
            reader.refuse(
                "tsc_mode", "tsc_mode=\"native_paravirt\" has been removed from Xen", remedy: "remove the key",
                exitCode: ConfigDiagnostic.creationFailed)
        }
    }

    mutating func readUInt32(_ key: String, _ maximum: Int64) -> UInt32? {
        reader.integer(key, 0...maximum, example: "a number from 0 to \(maximum)").map { UInt32(clamping: $0) }
    }

    private mutating func readType(kernel: String?, _ probeKernel: (String) -> KernelProbe) -> DomainType {
        let version = reader.string("device_model_version")
        let selection = GuestTypeSelection(
            type: reader.string("type"), builder: reader.string("builder"), deviceModelVersion: version, pvh: reader.boolean("pvh"))
        switch selection.select() {
        case .error(let complaint):
            reader.report(.error, complaint.key, complaint.cause, remedy: complaint.remedy)
            return .pvh
        case .selected(let type, let warning):
            if let warning { reader.report(.warning, warning.key, warning.cause, remedy: warning.remedy) }
            if type == .pvh, let version, version != "none" {
                reader.report(
                    .warning, "device_model_version",
                    "device_model_version=\"\(version)\" is ignored: a PVH guest has no device model", remedy: "remove the key")
            }
            refuse(type)
            return type
        case .unspecified:
            return judge(kernel, probeKernel)
        }
    }

    private mutating func refuse(_ type: DomainType) {
        let key = reader.settings["type"] == nil ? "builder" : "type"
        let written = "\(key)=\"\(reader.string(key) ?? "")\""
        switch type {
        case .pvh: return
        case .hvm:
            reader.report(
                .refusal, key, "\(written) asks for a full machine with a device model, which this version does not have",
                remedy: "use a kernel with PVH support (Linux: CONFIG_XEN_PVH) and type=\"pvh\"")
        case .pv:
            reader.report(
                .refusal, key, "\(written) asks for a classic paravirtualised guest, which this version does not run",
                remedy: "use a kernel with PVH support (Linux 4.11 or newer with CONFIG_XEN_PVH) and type=\"pvh\"")
        }
    }

    /// Without a type Xen means PV. The kernel tells whether it can be PVH.
    private mutating func judge(_ kernel: String?, _ probeKernel: (String) -> KernelProbe) -> DomainType {
        guard let kernel else {
            if reader.settings["bootloader"] != nil {
                reader.report(
                    .refusal, "bootloader", "no type= is given, which means a classic PV guest", remedy: "add type=\"pvh\"")
            }
            return .pv
        }
        switch probeKernel(kernel) {
        case .carriesPVHEntry:
            reader.report(
                .warning, "kernel", "no type= is given; \(kernel) carries the PVH entry note, so this is a PVH guest",
                remedy: "add type=\"pvh\"")
            return .pvh
        case .noPVHEntry(let what):
            reader.report(
                .refusal, "kernel", "no type= is given, which means a classic PV guest, and \(kernel) is \(what)",
                remedy: "use a kernel with PVH support (Linux 4.11 or newer with CONFIG_XEN_PVH) and type=\"pvh\"")
        case .unreadable(let why):
            reader.report(
                .refusal, "kernel", "no type= is given, and the kernel cannot tell: \(why)", remedy: "add type=\"pvh\" and check kernel=")
        }
        return .pv
    }

    private mutating func requireKernel(_ description: DomainDescription) {
        let named = reader.settings["kernel"] != nil || reader.settings["bootloader"] != nil || reader.settings["firmware"] != nil
        guard description.type != .hvm else { return }
        if !named { fail("Neither kernel nor bootloader specified", remedy: "add kernel=\"/path/to/vmlinuz\"") }
        if description.kernel != nil, let firmware = reader.string("firmware") {
            reader.report(.error, "firmware", "both kernel= and firmware=\"\(firmware)\" are given", remedy: "keep kernel=")
        }
    }

    /// An error about something that is missing: it has no line.
    private mutating func fail(_ cause: String, remedy: String) {
        reader.report(.error, "", "\(source): \(cause)", remedy: remedy)
    }
}
