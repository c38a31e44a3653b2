extension KnownKey {
    static let general: [KnownKey] = identity + boot + memory + ending

    private static let identity: [KnownKey] = [
        honoured(
            .identity, "name", .string, "none: it must be given", "\"web\"", in: "c_info.name",
            "The guest's name: 1 to 200 printable characters without a slash, unique among the running guests."),
        honoured(
            .identity, "uuid", .string, "random", "\"6b1f8b39-6e1e-4a64-9a0b-0a51d8b4c401\"", in: "c_info.uuid",
            "The guest's UUID, 32 hexadecimal digits in groups of 8-4-4-4-12."),
        honoured(
            .identity, "type", .string, "by the kernel: pvh when it carries the PVH entry note", "\"pvh\"", in: "c_info.type",
            "The kind of guest. Martlet runs pvh; it knows pv and hvm and says what to do instead."),
        honoured(
            .identity, "builder", .string, "none", "\"hvm\"",
            "The deprecated form of type: hvm, or generic for pv. With device_model_version=\"none\" hvm means pvh."),
        honoured(
            .identity, "pvh", .boolean, "0", "1", for: .nobody,
            "The way of Xen 4.4 to 4.8 to ask for a PVH guest; understood, with a warning that names type."),
        honoured(
            .identity, "device_model_version", .string, "none", "\"none\"", in: "b_info.device_model_version",
            "none is the way of Xen 4.7 to 4.9 to ask for a PVH guest. The other words, qemu-xen and qemu-xen-traditional, are ignored with a warning."
        ),
    ]

    private static let shim = "it goes with pvshim=1"

    private static let boot: [KnownKey] = [
        honoured(
            .boot, "kernel", .string, "none: it must be given", "\"/boot/vmlinuz\"", in: "b_info.kernel",
            "The kernel to boot, a file of the host: a bzImage or an ELF file with the PVH entry note. GRUB's PVH build is one, too."),
        honoured(
            .boot, "ramdisk", .string, "none", "\"/boot/initrd.img\"", in: "b_info.ramdisk",
            "The initial RAM disk, handed to the kernel as it is."),
        honoured(
            .boot, "cmdline", .string, "root= and extra=", "\"console=hvc0\"", in: "b_info.cmdline",
            "The kernel's command line. With it root and extra are ignored."),
        honoured(
            .boot, "root", .string, "none", "\"/dev/xvda1\"", in: "b_info.cmdline",
            "Starts the kernel's command line with root= and this value."),
        honoured(
            .boot, "extra", .string, "none", "\"console=hvc0 ro\"", in: "b_info.cmdline", "Ends the kernel's command line with this text."),
        refused(
            .boot, "firmware", .string, "\"pvgrub64\"", for: [.pv, .hvm, .pvh], "no firmware image comes with this version",
            "name the image itself with kernel=, for instance GRUB's PVH build", exitCode: ConfigDiagnostic.creationFailed,
            "Boots a firmware image by its short name; not together with kernel."),
        honoured(
            .boot, "bootloader", .string, "none", "\"pygrub\"", in: "b_info.bootloader", for: [.pv, .pvh],
            "A program of the host that finds the kernel on the guest's first disk, which has to be raw; see BOOT LOADERS."),
        honoured(
            .boot, "bootloader_args", .stringOrList, "none", "[ \"--entry=1\" ]", in: "b_info.bootloader_args", for: [.pv, .pvh],
            "Arguments for the boot loader; a single string is deprecated and split at blanks."),
        honoured(
            .boot, "bootloader_restrict", .boolean, "0", "1", in: "b_info.bootloader_restrict",
            "Root asks the boot loader to give up its rights for those of bootloader_user; for other users it has theirs in any case."),
        honoured(
            .boot, "bootloader_user", .string, "none", "\"nobody\"", in: "b_info.bootloader_user",
            "The user for bootloader_restrict, which it implies."),
        refused(
            .boot, "pvshim", .boolean, "1", in: "b_info.\"type.pvh\".pvshim", for: .pvh,
            "classic PV guests are not supported, not even through the shim", "use a kernel with PVH support and type=\"pvh\"",
            "Runs a classic PV kernel in a PVH guest by way of a small Xen of its own."),
        noEffect(
            .boot, "pvshim_path", .string, "xen-shim", in: "b_info.\"type.pvh\".pvshim_path", for: .pvh, because: shim, "The shim's image."),
        noEffect(
            .boot, "pvshim_cmdline", .string, "pv-shim console=xen,pv", in: "b_info.\"type.pvh\".pvshim_cmdline", for: .pvh, because: shim,
            "The shim's command line."),
        noEffect(
            .boot, "pvshim_extra", .string, "none", in: "b_info.\"type.pvh\".pvshim_extra", for: .pvh, because: shim,
            "Ends the shim's command line with this text."),
    ]

    private static let memory: [KnownKey] = [
        honoured(
            .memory, "memory", .integer, "maxmem, else 32", "512", in: "b_info.target_memkb", "RAM of the guest at its start, in MiB."),
        honoured(
            .memory, "maxmem", .integer, "memory", "1024", in: "b_info.max_memkb",
            "RAM the guest may ever have, in MiB; what is above memory it can get by ballooning."),
        noEffect(
            .memory, "shadow_memory", .integer, "1 MiB for each vCPU, 4 KiB for each MiB of RAM", "8", in: "b_info.shadow_memkb",
            for: [.hvm, .pvh], because: "there are no tables of a hypervisor to make room for",
            "MiB set aside for shadow page tables or nested paging."),
        noEffect(
            .memory, "hap", .boolean, "1", in: "c_info.hap", for: [.hvm, .pvh], because: "memory is translated in software",
            "Nested paging by the hardware."),
        noEffect(
            .memory, "oos", .boolean, "1", in: "c_info.oos", for: [.hvm, .pvh], because: "memory is translated in software",
            "Lets shadow page tables be out of step with the guest's for a while."),
        refused(
            .memory, "vnuma", .list, "[ [ \"pnode=0\", \"size=64\", \"vcpus=0\" ] ]", "virtual NUMA nodes are not supported",
            exitCode: ConfigDiagnostic.failed, "Shows the guest a machine of several NUMA nodes."),
        noEffect(
            .memory, "claim_mode", .boolean, "1", for: .nobody, because: "it belongs into xl.conf, and memory is claimed in any case",
            "Claims the guest's memory before it is built."),
    ]

    private static let ending: [KnownKey] = [
        honoured(
            .ending, "on_poweroff", .string, "\"destroy\"", "\"preserve\"", in: "on_poweroff",
            "After a power-off: destroy, restart, rename-restart, preserve, coredump-destroy, coredump-restart or soft-reset."),
        honoured(.ending, "on_reboot", .string, "\"restart\"", "\"preserve\"", in: "on_reboot", "After a reboot."),
        honoured(
            .ending, "on_watchdog", .string, "\"destroy\"", "\"restart\"", in: "on_watchdog", "After a watchdog of the guest has fired."),
        honoured(.ending, "on_crash", .string, "\"destroy\"", "\"coredump-destroy\"", in: "on_crash", "After a crash."),
        honoured(
            .ending, "on_soft_reset", .string, "\"soft-reset\"", "\"preserve\"", in: "on_soft_reset",
            "After a soft reset, by which a guest starts another kernel in its place."),
    ]
}
