extension KnownKey {
    private static func emulated(
        _ name: String, _ shape: Shape, _ defaultText: String, sample: String? = nil, in member: String? = nil, _ summary: String
    ) -> KnownKey {
        noEffect(
            .emulated, name, shape, defaultText, sample, in: member, for: .hvm, because: "it is for type=\"hvm\" guests", summary)
    }

    /// What only a guest with a device model has.
    static let emulated: [KnownKey] = machine + firmwareTables + display + spice

    private static let machine: [KnownKey] = [
        emulated("pae", .boolean, "1", "Shows that physical addresses may have more than 32 bits."),
        emulated("nx", .boolean, "1", "Shows that pages can be closed to execution."),
        emulated("hpet", .boolean, "1", "A high-precision timer."),
        emulated("vpt_align", .boolean, "1", "Periodic timers fire together."),
        emulated("viridian", .stringOrList, "0", sample: "1", "Hyper-V's interfaces, for Windows guests."),
        emulated("mca_caps", .stringOrList, "none", sample: "[ \"lmce\" ]", "Capabilities of the machine check architecture."),
        emulated("hvm_pirq", .boolean, "0", "Interrupts of emulated devices as event channels."),
        emulated("altp2mhvm", .boolean, "0", "An old form of altp2m=\"mixed\"."),
        emulated("mmio_hole", .integer, "256", sample: "2048", "MiB below 4 GiB without RAM."),
        emulated("boot", .string, "\"cda\"", sample: "\"cd\"", "The order of devices to boot from."),
        emulated("hdtype", .string, "\"ide\"", sample: "\"ahci\"", "The kind of emulated disk controller."),
        emulated("xen_platform_pci", .boolean, "1", "The PCI device by which HVM guests find Xen."),
        emulated("xen_platform_pci_bar_uc", .boolean, "1", "That device's memory is not cached."),
        emulated("vendor_device", .string, "\"none\"", sample: "\"xenserver\"", "A PCI device for Windows drivers."),
        emulated(
            "ms_vm_genid", .string, "none", sample: "\"generate\"", "A generation number by which Windows notices that it was copied."),
        emulated("serial", .stringOrList, "none", sample: "\"pty\"", "Emulated serial lines."),
        emulated("soundhw", .string, "none", sample: "\"hda\"", "An emulated sound card."),
        emulated("usb", .boolean, "0", "An emulated USB controller."),
        emulated("usbversion", .integer, "1", sample: "2", "The version of emulated USB."),
        emulated("usbdevice", .stringOrList, "none", sample: "\"tablet\"", "Emulated USB devices."),
        emulated("vkb_device", .boolean, "1", "A paravirtual keyboard where vkb gives none."),
        emulated("gfx_passthru", .integerOrString, "0", sample: "1", "A graphics card of the host as the primary one."),
    ]

    private static let firmwareTables: [KnownKey] = [
        emulated("bios", .string, "\"seabios\"", sample: "\"ovmf\"", "The firmware."),
        emulated("bios_path_override", .string, "none", "The firmware's file."),
        emulated("firmware_override", .string, "none", "The file of hvmloader."),
        emulated("smbios", .list, "none", sample: "[ \"system_manufacturer=x\" ]", "Texts of the SMBIOS tables."),
        emulated("smbios_firmware", .string, "none", "A file of further SMBIOS tables."),
        emulated("acpi_firmware", .string, "none", "A file of further ACPI tables."),
        emulated("acpi_s3", .boolean, "1", "The guest may sleep in RAM."),
        emulated("acpi_s4", .boolean, "1", "The guest may sleep on disk."),
        emulated("acpi_laptop_slate", .boolean, "0", "Buttons of a laptop that folds."),
    ]

    private static let display: [KnownKey] = [
        emulated("vga", .string, "\"cirrus\"", sample: "\"stdvga\"", "The emulated graphics card."),
        emulated("stdvga", .boolean, "0", "The deprecated form of vga=\"stdvga\"."),
        emulated("videoram", .integer, "8", sample: "8", in: "b_info.video_memkb", "MiB of memory of the graphics card."),
        emulated("nographic", .boolean, "0", "No emulated graphics card is shown."),
        emulated("vnc", .boolean, "1", "The screen is shown by VNC."),
        emulated("vnclisten", .string, "\"127.0.0.1\"", "The address VNC listens at."),
        emulated("vncdisplay", .integer, "0", "The number of the VNC display."),
        emulated("vncunused", .boolean, "1", "VNC takes the first free display."),
        emulated("vncpasswd", .string, "none", "The password of VNC."),
        emulated("vncviewer", .boolean, "0", "Starts a viewer; today an option of create."),
        emulated("sdl", .boolean, "0", "The screen is shown in a window."),
        emulated("opengl", .boolean, "0", "That window draws by OpenGL."),
        emulated("display", .string, "none", sample: "\":0\"", "The X display of that window."),
        emulated("xauthority", .string, "none", "The X authority file of that window."),
        emulated("keymap", .string, "\"en-us\"", sample: "\"de\"", "The layout of the keyboard."),
    ]

    private static let spice: [KnownKey] = [
        emulated("spice", .boolean, "0", "The screen is shown by SPICE."),
        emulated("spicehost", .string, "every address", "The address SPICE listens at."),
        emulated("spiceport", .integer, "none", sample: "6000", "The port of SPICE."),
        emulated("spicetls_port", .integer, "none", sample: "6001", "The port of SPICE with TLS."),
        emulated("spicedisable_ticketing", .boolean, "0", "SPICE asks for no password."),
        emulated("spicepasswd", .string, "none", "The password of SPICE."),
        emulated("spiceagent_mouse", .boolean, "1", "The mouse goes by way of an agent in the guest."),
        emulated("spicevdagent", .boolean, "0", "An agent in the guest talks to SPICE."),
        emulated("spice_clipboard_sharing", .boolean, "0", "Guest and viewer share a clipboard."),
        emulated("spiceusbredirection", .integer, "0", sample: "4", "USB devices of the viewer the guest may have."),
        emulated("spice_image_compression", .string, "none", sample: "\"auto_glz\"", "How SPICE packs images."),
        emulated("spice_streaming_video", .string, "none", sample: "\"filter\"", "How SPICE finds films."),
    ]
}
