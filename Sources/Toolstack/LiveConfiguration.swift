public import ControlProtocol
internal import DomainConfig

/// The configuration of a guest as `list -l` shows it: what `create` stored, with the guest's changes since, and the defaults
/// libxl writes for a running domain.
enum LiveConfiguration {
    /// - Parameters:
    ///   - stored: the text of `config.json`.
    ///   - guest: the guest as a restart would build it.
    /// - Returns: nil when the text is no configuration.
    static func merge(_ stored: String, with guest: GuestDescription) -> JSONText? {
        guard let configuration = JSONText.read(stored), let creation = configuration["c_info"], let build = configuration["b_info"] else {
            return nil
        }
        return
            configuration
            .setting("c_info", merge(creation: creation, guest), after: [])
            .setting("b_info", merge(build: build, guest), after: ["c_info"])
            .setting("disks", devices(guest.disks, configuration["disks"], { $1["vdev"]?.string == $0.vdev }, disk), after: ["b_info"])
            .setting(
                "nics", devices(guest.networks, configuration["nics"], { $1["devid"] == .number(Int64($0.handle)) }, nic),
                after: ["b_info", "disks"])
    }

    private static func merge(creation: JSONText, _ guest: GuestDescription) -> JSONText {
        creation
            .setting("name", .string(guest.name), after: ["type", "hap", "oos", "ssidref", "ssid_label"])
            // libxl keeps no domain ID here and writes the value for none.
            .setting("domid", .number(4_294_967_295), after: ["type", "hap", "oos", "ssidref", "ssid_label", "name"])
            .setting("uuid", .string(guest.uuid), after: ["name", "domid"])
    }

    private static func merge(build: JSONText, _ guest: GuestDescription) -> JSONText {
        let before = { (key: String) in Array(order.prefix { $0 != key }) }
        let online = JSONText.array((0..<guest.vcpus).map { .number(Int64($0)) })
        var merged =
            build
            .setting("max_vcpus", .number(Int64(guest.maxVCPUs)), after: before("max_vcpus"))
            .setting("avail_vcpus", online, after: before("avail_vcpus"))
            .setting("max_memkb", .number(Int64(clamping: guest.maxMemoryKiB)), after: before("max_memkb"))
            .setting("target_memkb", .number(Int64(clamping: guest.memoryKiB)), after: before("target_memkb"))
        if merged["video_memkb"] == nil { merged = merged.setting("video_memkb", .number(0), after: before("video_memkb")) }
        let scheduling = JSONText.object([
            ("sched", .string("credit2")), ("weight", merged["sched_params"]?["weight"] ?? .number(256)),
            ("cap", merged["sched_params"]?["cap"] ?? .number(0)),
        ])
        merged = merged.setting("sched_params", scheduling, after: before("sched_params"))
        let x86 = merged["arch_x86"] ?? .object([])
        if x86["msr_relaxed"] == nil {
            merged = merged.setting("arch_x86", x86.setting("msr_relaxed", .string("False"), after: []), after: before("arch_x86"))
        }
        return merged
    }

    /// libxl's order of the members that may be missing, with those before them.
    private static let order = [
        "max_vcpus", "avail_vcpus", "vcpu_hard_affinity", "vcpu_soft_affinity", "numa_placement", "tsc_mode", "max_memkb", "target_memkb",
        "video_memkb", "shadow_memkb", "iommu_memkb", "rtc_timeoffset", "localtime", "disable_migrate", "cpuid", "blkdev_start",
        "vnuma_nodes", "max_grant_frames", "max_maptrack_frames", "max_grant_version", "device_model_version", "sched_params", "ioports",
        "irqs", "iomem", "claim_mode", "event_channels", "kernel", "cmdline", "ramdisk", "acpi", "bootloader", "bootloader_args",
        "timer_mode", "nested_hvm", "apic", "type.pvh", "arch_arm", "arch_x86",
    ]

    /// The devices there are: as the configuration has them, else made from what the guest's process says. Nil for none.
    private static func devices<Device>(
        _ devices: [Device], _ stored: JSONText?, _ isSame: (Device, JSONText) -> Bool, _ make: (Device, JSONText?) -> JSONText
    ) -> JSONText? {
        guard !devices.isEmpty else { return nil }
        let known = stored?.elements ?? []
        return .array(devices.map { device in make(device, known.first { isSame(device, $0) }) })
    }

    fileprivate static func disk(_ disk: DiskDescription, _ stored: JSONText?) -> JSONText {
        var members: [(String, JSONText)] = [("pdev_path", .string(disk.target)), ("vdev", .string(disk.vdev))]
        members.append(("format", .string(disk.format.rawValue)))
        if let script = disk.script { members.append(("script", .string(script))) }
        if disk.isCDROM { members.append(("removable", .number(1))) }
        if !disk.isReadOnly { members.append(("readwrite", .number(1))) }
        if disk.isCDROM { members.append(("is_cdrom", .number(1))) }
        if disk.isDirectIOSafe { members.append(("direct_io_safe", .literal(true))) }
        if !disk.allowsDiscard, !disk.isReadOnly { members.append(("discard_enable", .string("False"))) }
        let object = stored ?? .object(members)
        let places = object.members?.map(\.0) ?? []
        return object["colo_restore_enable"] == nil
            ? object.setting("colo_restore_enable", .string("False"), after: places.filter { $0 != "trusted" }) : object
    }

    fileprivate static func nic(_ nic: NetworkDescription, _ stored: JSONText?) -> JSONText {
        var object = (stored ?? .object([])).setting("devid", .number(Int64(nic.handle)), after: [])
        if object["mac"] == nil { object = object.setting("mac", .string(nic.mac), after: ["devid", "mtu", "model"]) }
        if object["bridge"] == nil {
            object = object.setting("bridge", .string(nic.bridge), after: ["devid", "mtu", "model", "mac", "ip"])
        }
        if object["nictype"] == nil {
            object = object.setting("nictype", .string("vif"), after: ["devid", "mtu", "model", "mac", "ip", "bridge", "ifname", "script"])
        }
        return object
    }
}

extension DiskDescription {
    /// The disk as libxl's JSON shows it.
    public var configurationJSON: String { LiveConfiguration.disk(self, nil).text() }
}

extension NetworkDescription {
    /// The interface as libxl's JSON shows it.
    public var configurationJSON: String { LiveConfiguration.nic(self, nil).text() }
}

extension GuestRegistry.Entry {
    /// The configuration as libxl's JSON, with the guest's changes since its creation.
    ///
    /// - Throws: an error when the guest has just ended, or its stored configuration is damaged.
    public func configurationJSON() throws(OperatorError) -> String {
        let path = "\(directory)/\(GuestCreation.configurationFileName)"
        let stored: String
        do throws(SystemError) {
            stored = String(decoding: try Files.read(path), as: UTF8.self)
        } catch {
            throw OperatorError("the configuration of \"\(description.name)\" cannot be read: \(error.sentence)")
        }
        // A process that does not answer leaves what was written at the start.
        let live = (try? currentDescription()) ?? description
        guard let merged = LiveConfiguration.merge(stored, with: live) else {
            throw OperatorError("\(path) is damaged: no configuration", remedy: "`martlet config-update' writes it anew")
        }
        return merged.text()
    }
}

extension GuestListing {
    /// The host's entry in `list -l`.
    public static var hostConfigurationJSON: String { hostConfigurationJSON(memoryKiB: Host.memoryKiB) }

    static func hostConfigurationJSON(memoryKiB: UInt64) -> String {
        let scheduling = JSONText.object([("sched", .string("credit2")), ("weight", .number(256)), ("cap", .number(0))])
        return JSONText.object([
            ("c_info", .object([("type", .string("pv")), ("name", .string("Domain-0"))])),
            (
                "b_info",
                .object([
                    ("max_memkb", .number(Int64(clamping: memoryKiB))), ("target_memkb", .number(Int64(clamping: memoryKiB))),
                    ("sched_params", scheduling), ("type.pv", .object([])), ("arch_arm", .object([])), ("arch_x86", .object([])),
                ])
            ),
        ]).text()
    }
}
