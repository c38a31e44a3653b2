/// The verbs of xl that do not exist here, each with the reason and what to do instead.
struct MissingVerbs {
    var names: [String]
    /// Why not; follows the verb and a colon.
    var reason: String
    var instead: String

    static func named(_ verb: String) -> MissingVerbs? { all.first { $0.names.contains(verb) } }

    /// Of xl 4.17 to 4.20. They count when prefixes are compared.
    static let all: [MissingVerbs] = [
        Self(
            names: [
                "pci-attach", "pci-detach", "pci-list", "pci-assignable-add", "pci-assignable-remove", "pci-assignable-list",
            ], reason: "a PVH guest has no PCI bus", instead: "give the guest a disk or a network interface instead of the device"),
        Self(
            names: ["vncviewer"], reason: "a PVH guest has no screen", instead: "use `martlet console', or a VNC server inside the guest"),
        Self(
            names: ["save", "restore"], reason: "a guest's state cannot be saved yet",
            instead: "shut the guest down and create it again; `martlet dump-core' writes its memory for inspection"),
        Self(
            names: ["migrate", "migrate-receive", "remus"], reason: "guests do not move between hosts yet",
            instead: "shut the guest down here and create it there, with its disks on shared storage"),
        Self(
            names: ["suspend", "resume"], reason: "a guest is not suspended to its own memory yet",
            instead: "`martlet pause' and `martlet unpause' stop it and let it go on"),
        Self(
            names: ["cd-insert", "cd-eject"], reason: "a PVH guest has no CD drive with a lid",
            instead: "`martlet block-attach' and `martlet block-detach' a read-only disk"),
        Self(
            names: ["button-press"], reason: "it gave way to trigger", instead: "use `martlet trigger DOMAIN power', or `martlet shutdown'"),
        Self(
            names: ["sched-credit", "sched-credit2", "sched-rtds"], reason: "the host's scheduler decides, not one of Xen's",
            instead: "`martlet vcpu-pin' binds vCPUs to processors; nice(1) and cgroups give shares"),
        Self(
            names: ["set-parameters"], reason: "the hypervisor of a guest has no parameters to set while it runs",
            instead: "options are given to `martlet create' and in the configuration"),
        Self(
            names: ["channel-list"], reason: "guests have no channels yet", instead: "use the console, or a network interface"),
        Self(
            names: ["vtpm-attach", "vtpm-list", "vtpm-detach"], reason: "there is no virtual TPM", instead: "use swtpm inside the guest"),
        Self(
            names: ["vkb-attach", "vkb-list", "vkb-detach", "vdispl-attach", "vdispl-list", "vdispl-detach"],
            reason: "a guest has no keyboard and no screen but its console", instead: "use `martlet console'"),
        Self(
            names: ["vsnd-attach", "vsnd-list", "vsnd-detach"], reason: "there is no virtual sound card",
            instead: "send sound over the network"),
        Self(
            names: [
                "cpupool-create", "cpupool-destroy", "cpupool-rename", "cpupool-cpu-add", "cpupool-cpu-remove", "cpupool-migrate",
                "cpupool-numa-split",
            ], reason: "there is one pool, of all the host's processors",
            instead: "`martlet vcpu-pin' binds vCPUs to processors, or run martlet under taskset(1)"),
        Self(
            names: ["getenforce", "setenforce", "loadpolicy"], reason: "there is no Flask policy: XSM is disabled",
            instead: "each guest is a process of its own; the host's security modules apply to it"),
        Self(
            names: ["devd"], reason: "the backends run in each guest's process", instead: "nothing has to be started"),
        Self(
            names: [
                "psr-hwinfo", "psr-cmt-attach", "psr-cmt-detach", "psr-cmt-show", "psr-cat-set", "psr-cat-show", "psr-mba-set",
                "psr-mba-show",
            ], reason: "cache and bandwidth are the host's to share out", instead: "use the host's resctrl file system"),
        Self(
            names: ["usbctrl-attach", "usbctrl-detach", "usbdev-attach", "usbdev-detach", "usb-list"], reason: "guests have no USB",
            instead: "attach a USB disk by its block device with `martlet block-attach'"),
        Self(
            names: ["qemu-monitor-command"], reason: "there is no QEMU", instead: "the control socket is described in docs/guest-process.md"
        ),
        Self(
            names: ["dt-overlay"], reason: "a PVH guest has no device tree",
            instead: "attach devices with `martlet block-attach' and the like"),
    ]
}
