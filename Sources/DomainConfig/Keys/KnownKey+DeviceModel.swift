extension KnownKey {
    private static let noModel = "a PVH guest has no device model"

    private static func model(_ name: String, _ shape: Shape, in member: String? = nil, _ summary: String) -> KnownKey {
        noEffect(.deviceModel, name, shape, "none", in: member.map { "b_info.\($0)" }, because: noModel, summary)
    }

    /// Device models and the domains they may run in.
    static let deviceModel: [KnownKey] = [
        model("device_model", .string, "An old name of device_model_override."),
        model("device_model_override", .string, in: "device_model", "The path of the device model."),
        model("device_model_args", .list, in: "extra", "Further arguments of the device model."),
        model("device_model_args_pv", .list, in: "extra_pv", "Further arguments of the device model of a PV guest."),
        model("device_model_args_hvm", .list, in: "extra_hvm", "Further arguments of the device model of an HVM guest."),
        model("device_model_stubdomain_override", .boolean, in: "device_model_stubdomain", "Runs the device model in a domain of its own."),
        model("device_model_stubdomain_seclabel", .string, in: "device_model_ssid_label", "The security label of that domain."),
        model("device_model_user", .string, in: "device_model_user", "The user as whom the device model runs."),
        model("dm_restrict", .boolean, in: "dm_restrict", "Runs the device model with as few rights as possible."),
        model("stubdomain_kernel", .string, in: "stubdomain_kernel", "The kernel of the device model's domain."),
        model("stubdomain_cmdline", .string, in: "stubdomain_cmdline", "The command line of that kernel."),
        model("stubdomain_ramdisk", .string, in: "stubdomain_ramdisk", "The initial RAM disk of that kernel."),
        model("stubdomain_memory", .integer, in: "stubdomain_memkb", "RAM of the device model's domain, in MiB."),
    ]

    private static func arm(_ name: String, _ shape: Shape, in member: String? = nil, _ summary: String) -> KnownKey {
        noEffect(.foreign, name, shape, "none", in: member, because: "it is for Arm guests", summary)
    }

    private static func old(_ name: String, _ shape: Shape, _ summary: String) -> KnownKey {
        noEffect(.foreign, name, shape, "none", for: .nobody, because: "Xen has given it up", summary)
    }

    /// Other processors, and what Xen has given up.
    static let foreign: [KnownKey] = [
        arm("gic_version", .string, "The version of the interrupt controller."),
        arm("tee", .string, "The trusted execution environment of the guest."),
        arm("sve", .integerOrString, "The length of scalable vectors."),
        arm("nr_spis", .integer, "How many shared interrupts the guest has."),
        arm("vuart", .string, "A serial line of the guest."),
        arm("device_tree", .string, in: "b_info.device_tree", "A part of a device tree for the guest."),
        arm("arm_sci", .string, "Access to the system control interface."),
        arm("trap_unmapped_accesses", .boolean, "Accesses to addresses where nothing is end in a fault."),
        old("blkdev_start", .string, "The first name for disks; today a key of xl.conf."),
        old("ratelimit_us", .integer, "The shortest time a vCPU runs."),
        old("suspend_evtchn_compat", .boolean, "An old name of xend_suspend_evtchn_compat."),
    ]
}
