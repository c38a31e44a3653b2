/// Settings without effect here: members of libxl's configuration, kept so that they are shown and survive a restart.
///
/// The keys are libxl's member names, the values what libxl would print.
public struct InertSettings: Equatable, Sendable {
    /// Members of `c_info` and of `b_info`.
    public var creation: [String: JSONText] = [:]
    public var build: [String: JSONText] = [:]
    /// Members of `b_info.sched_params` and of `b_info."type.…"`.
    public var scheduling: [String: JSONText] = [:]
    public var typeSpecific: [String: JSONText] = [:]
    /// Devices no guest of this version gets: "p9s", "vfbs", ….
    public var devices: [String: [JSONText]] = [:]
}

/// The order of libxl's members (`libxl_types.idl` of Xen 4.17). What a later Xen added stands at the end of its object.
enum MemberOrder {
    static let creation = [
        "type", "hap", "oos", "ssidref", "ssid_label", "name", "domid", "uuid", "xsdata", "platformdata", "poolid", "pool_name",
        "run_hotplug_scripts", "driver_domain", "passthrough", "xend_suspend_evtchn_compat",
    ]

    static let build = [
        "max_vcpus", "avail_vcpus", "cpumap", "nodemap", "vcpu_hard_affinity", "vcpu_soft_affinity", "numa_placement", "tsc_mode",
        "max_memkb", "target_memkb", "video_memkb", "shadow_memkb", "iommu_memkb", "rtc_timeoffset", "exec_ssidref", "exec_ssid_label",
        "localtime", "disable_migrate", "cpuid", "blkdev_start", "vnuma_nodes", "max_grant_frames", "max_maptrack_frames",
        "max_grant_version", "device_model_version", "device_model_stubdomain", "stubdomain_memkb", "stubdomain_kernel",
        "stubdomain_cmdline", "stubdomain_ramdisk", "device_model", "device_model_ssidref", "device_model_ssid_label",
        "device_model_user", "extra", "extra_pv", "extra_hvm", "sched_params", "ioports", "irqs", "iomem", "claim_mode",
        "event_channels", "kernel", "cmdline", "ramdisk", "device_tree", "acpi", "bootloader", "bootloader_args", "bootloader_restrict",
        "bootloader_user", "timer_mode", "nested_hvm", "apic", "dm_restrict", "tee", "type.hvm", "type.pv", "type.pvh", "arch_arm",
        "arch_x86", "altp2m", "vmtrace_buf_kb", "vpmu",
    ]

    static let scheduling = ["sched", "weight", "cap", "period", "budget", "extratime", "slice", "latency"]
    static let shim = ["pvshim", "pvshim_path", "pvshim_cmdline", "pvshim_extra"]

    /// Devices without effect, which follow the disks and interfaces.
    static let devices = [
        "pcidevs", "rdms", "dtdevs", "vfbs", "vkbs", "virtios", "vtpms", "p9s", "pvcallsifs", "vdispls", "vsnds", "channels", "usbctrls",
        "usbdevs",
    ]

    /// The members in order; those the order does not know follow by name.
    static func sort(_ members: [String: JSONText], _ order: [String]) -> [(String, JSONText)] {
        let known = order.compactMap { name in members[name].map { (name, $0) } }
        let rest = members.filter { !order.contains($0.key) }.sorted { $0.key < $1.key }
        return known + rest.map { ($0.key, $0.value) }
    }
}
