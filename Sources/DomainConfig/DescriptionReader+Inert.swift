extension DescriptionReader {
    /// Reads what is only shown. A value of the wrong shape is a warning: nothing depends on it.
    mutating func readInert(_ description: inout DomainDescription) {
        reader.misshapen = .warning
        defer { reader.misshapen = .error }
        var inert = InertSettings()
        readInertCreation(&inert)
        readInertBuild(&inert)
        readScheduling(&inert)
        readDeviceModel(&inert)
        readHostResources(&inert)
        readNUMA(&description, &inert)
        description.hardAffinity = readAffinity("cpus", "vcpu_hard_affinity", description, &inert)
        description.softAffinity = readAffinity("cpus_soft", "vcpu_soft_affinity", description, &inert)
        switch description.type {
        case .pvh: readShim(&inert)
        case .hvm: readEmulated(&inert)
        case .pv: inert.typeSpecific["e820_host"] = boolean("e820_host")
        }
        inert.devices = readInertDevices()
        description.inert = inert
    }

    private mutating func readInertCreation(_ inert: inout InertSettings) {
        inert.creation["hap"] = boolean("hap")
        inert.creation["oos"] = boolean("oos")
        inert.creation["pool_name"] = text("pool")
        inert.creation["driver_domain"] = boolean("driver_domain")
        inert.creation["xend_suspend_evtchn_compat"] = boolean("xend_suspend_evtchn_compat")
        // With a label for the build phase, the other one is for what comes after it.
        if reader.settings["init_seclabel"] == nil {
            inert.creation["ssid_label"] = text("seclabel")
        } else {
            inert.creation["ssid_label"] = text("init_seclabel")
            inert.build["exec_ssid_label"] = text("seclabel")
        }
        if let word = word("passthrough", ["default", "disabled", "enabled", "sync_pt", "share_pt"]), word != "default" {
            inert.creation["passthrough"] = .string(word)
        }
    }

    private mutating func readInertBuild(_ inert: inout InertSettings) {
        inert.build["video_memkb"] = kibibytes("videoram")
        inert.build["shadow_memkb"] = kibibytes("shadow_memory")
        inert.build["disable_migrate"] = boolean("nomigrate")
        inert.build["max_maptrack_frames"] = readUInt32("max_maptrack_frames", Int64(UInt32.max)).map { .number(Int64($0)) }
        inert.build["nested_hvm"] = boolean("nestedhvm")
        inert.build["vpmu"] = boolean("vpmu")
        inert.build["dm_restrict"] = boolean("dm_restrict")
        inert.build["device_tree"] = text("device_tree")
        if let word = word("altp2m", ["disabled", "mixed", "external", "limited"]), word != "disabled" {
            inert.build["altp2m"] = .string(word)
        }
        if let size = reader.integer("vmtrace_buf_kb", 0...1 << 30, example: "vmtrace_buf_kb=64"), size > 0 {
            inert.build["vmtrace_buf_kb"] = .number(size)
        }
    }

    private mutating func readScheduling(_ inert: inout InertSettings) {
        let keys = [("cpu_weight", "weight"), ("cap", "cap"), ("period", "period"), ("budget", "budget"), ("extratime", "extratime")]
        for (key, member) in keys + [("slice", "slice"), ("latency", "latency")] {
            inert.scheduling[member] = reader.integer(key, 0...Int64(Int32.max), example: "\(key)=256").map { .number($0) }
        }
    }

    private mutating func readDeviceModel(_ inert: inout InertSettings) {
        if let version = reader.string("device_model_version"), version != "none" {
            inert.build["device_model_version"] = .string(version == "qemu-xen" ? "qemu_xen" : "qemu_xen_traditional")
        }
        inert.build["device_model_stubdomain"] = boolean("device_model_stubdomain_override")
        inert.build["device_model"] = text("device_model_override")
        inert.build["device_model_ssid_label"] = text("device_model_stubdomain_seclabel")
        inert.build["device_model_user"] = text("device_model_user")
        inert.build["stubdomain_memkb"] = kibibytes("stubdomain_memory")
        for key in ["stubdomain_kernel", "stubdomain_cmdline", "stubdomain_ramdisk"] { inert.build[key] = text(key) }
        for (key, member) in [("device_model_args", "extra"), ("device_model_args_pv", "extra_pv"), ("device_model_args_hvm", "extra_hvm")]
        {
            if case .list? = reader.settings[key]?.value { inert.build[member] = strings(key) }
        }
    }

    private mutating func readShim(_ inert: inout InertSettings) {
        inert.typeSpecific["pvshim"] = boolean("pvshim")
        for key in ["pvshim_path", "pvshim_cmdline", "pvshim_extra"] { inert.typeSpecific[key] = text(key) }
    }
}

// MARK: - CPUs

extension DescriptionReader {
    /// One string for all vCPUs, or a list with one for each.
    private mutating func readAffinity(
        _ key: String, _ member: String, _ description: DomainDescription, _ inert: inout InertSettings
    ) -> [[Int]]? {
        guard let setting = reader.settings[key] else { return nil }
        let vcpus = max(description.vcpus ?? 0, description.maxVCPUs ?? 0)
        var masks: [[Int]] = []
        do throws(SpecificationError) {
            if let text = setting.value.text {
                let mask = try cpus(text)
                masks = [[Int]](repeating: mask, count: vcpus)
            } else {
                for (text, _) in reader.strings(key) { masks.append(try cpus(text)) }
                masks = Array(masks.prefix(vcpus))
            }
        } catch {
            reader.report(.error, key, "`\(key)': \(error.cause)", remedy: error.remedy)
        }
        if !masks.isEmpty { inert.build[member] = .array(masks.map { .array($0.map { .number(Int64($0)) }) }) }
        if setting.value.text == nil || key == "cpus_soft" { inert.build["numa_placement"] = .boolean(false) }
        return masks.isEmpty ? nil : masks
    }

    private func cpus(_ text: String) throws(SpecificationError) -> [Int] { try CPUList(hostCPUs: hostCPUs).parse(text) }
}

// MARK: - Shapes

extension DescriptionReader {
    mutating func boolean(_ key: String) -> JSONText? { reader.boolean(key).map { .boolean($0) } }
    mutating func text(_ key: String) -> JSONText? { reader.string(key).map { .string($0) } }

    private mutating func strings(_ key: String) -> JSONText { .array(reader.strings(key).map { .string($0.text) }) }

    /// A number of MiB.
    private mutating func kibibytes(_ key: String) -> JSONText? {
        reader.integer(key, 0...1 << 34, example: "\(key)=8, in MiB").map { .number($0 * 1024) }
    }

    private mutating func word(_ key: String, _ words: [String]) -> String? { reader.choice(key, words).map { words[$0] } }
}
