extension KnownKey {
    static let devices: [KnownKey] = paravirtual + host

    private static let paravirtual: [KnownKey] = [
        honoured(
            .devices, "disk", .list, "none", "[ \"/srv/web.img,raw,xvda,rw\" ]", in: "disks",
            "Disks, a string for each: target, format, vdev, access; see DISKS."),
        honoured(
            .devices, "vif", .list, "none", "[ \"mac=00:16:3e:12:34:56\" ]", in: "nics",
            "Network interfaces, a string for each; an empty one takes all defaults; see NETWORK INTERFACES."),
        refused(
            .devices, "p9", .list, "[ \"tag=t,path=/srv,security_model=none\" ]", in: "p9s", "shared directories are not supported",
            "remove the key; give the guest a disk", exitCode: ConfigDiagnostic.creationFailed, "Directories of the host, shared by 9P."),
        warned(
            .devices, "vfb", .list, "none", "[ \"vnc=1\" ]", in: "vfbs",
            because: "framebuffers are not supported; the guest has its console, hvc0",
            "Paravirtual framebuffers."),
        warned(
            .devices, "vkb", .list, "none", "[ \"backend-type=qemu\" ]", in: "vkbs",
            because: "keyboards are not supported; the guest has its console, hvc0", "Paravirtual keyboards and pointers."),
        refused(
            .devices, "channel", .list, "[ \"name=agent,connection=pty\" ]", in: "channels", "channels are not supported",
            exitCode: ConfigDiagnostic.creationFailed, "Further consoles with names, for agents in the guest."),
        refused(
            .devices, "vtpm", .list, "[ \"backend=0\" ]", in: "vtpms", "virtual TPMs are not supported",
            exitCode: ConfigDiagnostic.creationFailed, "Virtual TPMs."),
        refused(
            .devices, "pvcalls", .list, "[ \"backend=0\" ]", in: "pvcallsifs", "pvcalls devices are not supported",
            "remove the key; give the guest a network interface", exitCode: ConfigDiagnostic.creationFailed,
            "Sockets of the host for the guest."),
        refused(
            .devices, "vdispl", .list, "[ \"connectors=id:800x600\" ]", in: "vdispls", "virtual displays are not supported",
            exitCode: ConfigDiagnostic.creationFailed, "Paravirtual displays."),
        refused(
            .devices, "vsnd", .list, "[ [ \"card, short-name=c\" ] ]", in: "vsnds", "virtual sound cards are not supported",
            exitCode: ConfigDiagnostic.creationFailed, "Paravirtual sound cards."),
        refused(
            .devices, "virtio", .list, "[ \"type=virtio,device\" ]", "virtio devices are not supported",
            exitCode: ConfigDiagnostic.creationFailed, "Virtio devices."),
        noEffect(
            .devices, "vif2", .list, "none", because: "give network interfaces with vif=",
            "Interfaces of a second kind that Xen has given up."),
    ]

    private static let noHardware = "a PVH guest has no emulated PCI and no access to the host's hardware"

    private static let host: [KnownKey] = [
        refused(
            .host, "pci", .list, "[ \"00:02.0\" ]", in: "pcidevs", noHardware, exitCode: ConfigDiagnostic.invalid,
            "PCI devices of the host for the guest."),
        refused(
            .host, "ioports", .list, "[ \"3f8-3ff\" ]", in: "b_info.ioports", noHardware, exitCode: ConfigDiagnostic.creationFailed,
            "I/O ports of the host for the guest, hexadecimal."),
        refused(
            .host, "iomem", .list, "[ \"a0,1\" ]", in: "b_info.iomem", noHardware, exitCode: ConfigDiagnostic.creationFailed,
            "Pages of the host's I/O memory for the guest, hexadecimal."),
        refused(
            .host, "irqs", .list, "[ 5 ]", in: "b_info.irqs", noHardware, exitCode: ConfigDiagnostic.creationFailed,
            "Interrupts of the host for the guest."),
        refused(
            .host, "dtdev", .list, "[ \"/soc/x\" ]", in: "dtdevs", noHardware, exitCode: ConfigDiagnostic.invalid,
            "Devices of the host's device tree for the guest."),
        refused(
            .host, "passthrough", .string, "\"enabled\"", in: "c_info.passthrough", noHardware, harmless: ["default", "disabled"],
            exitCode: ConfigDiagnostic.invalid,
            "Prepares the guest for devices of the host: default, disabled, enabled, sync_pt or share_pt."),
        refused(
            .host, "usbctrl", .list, "[ \"type=pv\" ]", in: "usbctrls", "USB controllers are not supported",
            exitCode: ConfigDiagnostic.creationFailed, "USB controllers for devices of the host."),
        refused(
            .host, "usbdev", .list, "[ \"hostbus=1,hostaddr=3\" ]", in: "usbdevs", "USB devices are not supported",
            exitCode: ConfigDiagnostic.creationFailed, "USB devices of the host for the guest."),
        noEffect(.host, "pci_msitranslate", .boolean, "0", because: withPCI, "The default of msitranslate= in pci."),
        noEffect(.host, "pci_power_mgmt", .boolean, "0", because: withPCI, "The default of power_mgmt= in pci."),
        noEffect(.host, "pci_permissive", .boolean, "0", because: withPCI, "The default of permissive= in pci."),
        noEffect(.host, "pci_seize", .boolean, "0", because: withPCI, "The default of seize= in pci."),
        noEffect(
            .host, "rdm", .string, "none", "\"strategy=host\"", for: .hvm, because: withPCI,
            "How reserved memory of devices is kept out of the guest."),
        noEffect(.host, "rdm_mem_boundary", .integer, "2048", for: .hvm, because: withPCI, "Where reserved memory may begin, in MiB."),
        noEffect(
            .host, "e820_host", .boolean, "0", for: .pv, because: "it is for type=\"pv\" guests", "Shows the guest the host's memory map."),
    ]

    private static let withPCI = "it goes with pci="
}
