/// One key of xl.cfg and what this version does with it.
public struct KnownKey: Equatable, Sendable {
    /// The shape of its value.
    public enum Shape: Equatable, Sendable {
        case string, integer, boolean, list, stringOrList, integerOrString
    }

    public enum Treatment: Equatable, Sendable {
        /// Read and obeyed.
        case honoured
        /// Read for the dry run's JSON, or not at all; the sentence says why it changes nothing.
        case noEffect(String)
        /// The guest starts without it, with a warning; the word names what it would have got.
        case notAttached(String)
        /// Anything but an empty, zero or harmless value keeps the guest from starting.
        case refused(cause: String, remedy: String, harmless: [String] = [])
    }

    public var name: String
    public var shape: Shape
    public var treatment: Treatment

    /// The row of a key; nil for a key xl does not know.
    public static func named(_ name: String) -> KnownKey? { byName[name] }

    /// Every key, in the order of the tables.
    public static let all = honoured + devices + refused + withoutEffect

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}

// MARK: - The tables (xl.cfg(5) of Xen 4.17 to 4.20)

extension KnownKey {
    private static func honoured(_ shape: Shape, _ names: String...) -> [KnownKey] {
        names.map { KnownKey(name: $0, shape: shape, treatment: .honoured) }
    }

    private static let honoured: [KnownKey] =
        honoured(
            .string, "name", "uuid", "type", "builder", "device_model_version", "kernel", "ramdisk", "cmdline", "root", "extra",
            "on_poweroff", "on_reboot", "on_watchdog", "on_crash", "on_soft_reset")
        + honoured(
            .integer, "memory", "maxmem", "vcpus", "maxvcpus", "max_grant_frames", "max_grant_version", "max_event_channels",
            "rtc_timeoffset")
        + honoured(.list, "disk", "vif")
        + honoured(.boolean, "pvh", "apic", "acpi", "msr_relaxed", "localtime")
        + honoured(.integerOrString, "timer_mode", "tsc_mode")

    private static func device(_ name: String, _ words: String) -> KnownKey {
        KnownKey(name: name, shape: .list, treatment: .notAttached(words))
    }

    private static let devices: [KnownKey] = [
        device("p9", "shared directories"),
        device("vfb", "framebuffers"), device("vkb", "keyboards"), device("channel", "channels"),
    ]

    private static func refused(_ name: String, _ shape: Shape, _ cause: String, _ remedy: String, harmless: [String] = []) -> KnownKey {
        KnownKey(name: name, shape: shape, treatment: .refused(cause: cause, remedy: remedy, harmless: harmless))
    }

    private static let noHardware = "a PVH guest has no emulated PCI and no access to the host's hardware"
    private static let dropKey = "remove the key"

    private static let refused: [KnownKey] = [
        refused("pci", .list, noHardware, dropKey),
        refused("ioports", .list, noHardware, dropKey),
        refused("iomem", .list, noHardware, dropKey),
        refused("irqs", .list, noHardware, dropKey),
        refused("dtdev", .list, noHardware, dropKey),
        refused("passthrough", .string, noHardware, dropKey, harmless: ["default", "disabled"]),
        refused("usbctrl", .list, "USB controllers are not supported", dropKey),
        refused("usbdev", .list, "USB devices are not supported", dropKey),
        refused("vtpm", .list, "virtual TPMs are not supported", dropKey),
        refused("pvcalls", .list, "pvcalls devices are not supported", dropKey),
        refused("vdispl", .list, "virtual displays are not supported", dropKey),
        refused("vsnd", .list, "virtual sound cards are not supported", dropKey),
        refused("virtio", .list, "virtio devices are not supported", dropKey),
        refused("vnuma", .list, "virtual NUMA nodes are not supported", dropKey),
        refused("vpmu", .boolean, "there is no virtual performance counter unit", "write vpmu=0, or remove the key"),
        refused(
            "altp2m", .string, "alternate physical-to-machine tables are not supported", dropKey, harmless: ["disabled"]),
        refused(
            "nestedhvm", .boolean, "no engine of this version can run a hypervisor inside the guest",
            "write nestedhvm=0, or remove the key"),
        refused(
            "bootloader", .string, "this version runs no boot loader on the host",
            "name the kernel with kernel= and its initial RAM disk with ramdisk="),
        refused(
            "firmware", .string, "no firmware image comes with this version",
            "name the image itself with kernel=, for instance GRUB's PVH build"),
        refused(
            "pvshim", .boolean, "classic PV guests are not supported, not even through the shim",
            "use a kernel with PVH support and type=\"pvh\""),
        refused("driver_domain", .boolean, "driver domains are not supported", dropKey),
    ]

    private static func noEffect(_ reason: String, _ shape: Shape, _ names: String...) -> [KnownKey] {
        names.map { KnownKey(name: $0, shape: shape, treatment: .noEffect(reason)) }
    }

    private static let scheduling = "the host's scheduler places the vCPU threads"
    private static let forHVM = "it is for type=\"hvm\" guests"
    private static let hypervisorTuning = "there is no hypervisor below to tune"

    private static let withoutEffect: [KnownKey] =
        noEffect(scheduling, .stringOrList, "cpus", "cpus_soft")
        + noEffect(scheduling, .integer, "cpu_weight", "cap", "period", "budget", "extratime", "ratelimit_us")
        + noEffect("there is one pool", .string, "pool")
        + noEffect("memory is translated in software", .boolean, "hap", "oos")
        + noEffect(hypervisorTuning, .integer, "shadow_memory", "max_maptrack_frames", "vmtrace_buf_kb", "claim_mode")
        + noEffect("a guest cannot be migrated anyway", .boolean, "nomigrate")
        + noEffect("CPUID shows what the engine implements", .stringOrList, "cpuid")
        + noEffect("there is no security module", .string, "seclabel", "init_seclabel")
        + noEffect("the xenstore needs no such permission", .boolean, "xend_suspend_evtchn_compat", "suspend_evtchn_compat")
        + noEffect("it goes with bootloader=", .stringOrList, "bootloader_args")
        + noEffect("it goes with bootloader=", .string, "bootloader_user")
        + noEffect("it goes with bootloader=", .boolean, "bootloader_restrict")
        + noEffect("it goes with pvshim=1", .string, "pvshim_path", "pvshim_cmdline", "pvshim_extra")
        + noEffect("it is for type=\"pv\" guests", .boolean, "e820_host")
        + noEffect("it is for type=\"pv\" guests", .string, "blkdev_start", "features")
        + noEffect(
            forHVM, .integerOrString, "acpi_s3", "acpi_s4", "acpi_laptop_slate", "pae", "nx", "hpet", "vpt_align", "mmio_hole", "bios",
            "firmware_override", "bios_path_override", "smbios_firmware", "acpi_firmware", "ms_vm_genid", "xen_platform_pci",
            "vendor_device", "boot", "hdtype", "vga", "stdvga", "videoram", "vnc", "vnclisten", "vncdisplay", "vncunused", "vncpasswd",
            "vncviewer", "sdl", "opengl", "keymap", "nographic", "serial", "soundhw", "usb", "usbversion", "spice", "spiceport",
            "spicetls_port", "spicehost", "spicedisable_ticketing", "spicepasswd", "spiceagent_mouse", "spicevdagent",
            "spice_clipboard_sharing", "spiceusbredirection", "spice_image_compression", "spice_streaming_video", "rdm",
            "rdm_mem_boundary", "hvm_pirq", "altp2mhvm", "nested_hvm", "assisted_xapic", "assisted_x2apic", "display", "xauthority")
        + noEffect(forHVM, .stringOrList, "viridian", "smbios", "mca_caps", "usbdevice", "gfx_passthru")
        + noEffect(forHVM, .integerOrString, "pci_msitranslate", "pci_power_mgmt", "pci_permissive", "pci_seize", "pci_rdm_policy")
        + noEffect(
            "a PVH guest has no device model", .stringOrList, "device_model", "device_model_override", "device_model_args",
            "device_model_args_pv", "device_model_args_hvm", "device_model_stubdomain_override",
            "device_model_stubdomain_seclabel", "device_model_user", "stubdomain_kernel", "stubdomain_cmdline", "stubdomain_ramdisk",
            "stubdomain_memory", "dm_restrict", "user")
        + noEffect(
            "it is for Arm guests", .integerOrString, "gic_version", "tee", "sve", "nr_spis", "vuart", "device_tree", "arm_sci")
        + noEffect("give network interfaces with vif=", .list, "vif2")
        + noEffect("hotplug needs no scripts", .boolean, "run_hotplug_scripts")
}
