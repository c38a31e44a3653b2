/// A key of `type="hvm"` guests and where libxl's JSON shows it, in the object "type.hvm". Such guests are not run; dry runs show them.
struct EmulatedKey {
    enum Shape {
        case string, boolean, number
        /// MiB in the file, KiB in the JSON.
        case mebibytes(ClosedRange<Int64>)
        /// Words of the file and what they are called in JSON; nil for the default, which is not shown.
        case word([String: String?])
        /// One text, or a list of them as another member.
        case stringOrList(list: String)
    }

    var name: String
    /// With a dot for a member of an inner object.
    var member: String
    var shape: Shape

    init(_ name: String, _ member: String? = nil, _ shape: Shape = .string) {
        self.name = name
        self.member = member ?? name
        self.shape = shape
    }

    static let all: [EmulatedKey] = machine + screen + spice

    private static func same(_ words: String...) -> Shape { .word(Dictionary(uniqueKeysWithValues: words.map { ($0, $0) })) }

    private static let machine: [EmulatedKey] = [
        EmulatedKey("firmware_override", "firmware"), EmulatedKey("bios_path_override", "system_firmware"),
        EmulatedKey("bios", nil, same("rombios", "seabios", "ovmf")), EmulatedKey("pae", nil, .boolean), EmulatedKey("nx", nil, .boolean),
        EmulatedKey("acpi_s3", nil, .boolean), EmulatedKey("acpi_s4", nil, .boolean), EmulatedKey("acpi_laptop_slate", nil, .boolean),
        EmulatedKey("hpet", nil, .boolean), EmulatedKey("vpt_align", nil, .boolean),
        EmulatedKey("mmio_hole", "mmio_hole_memkb", .mebibytes(256...3840)), EmulatedKey("altp2mhvm", "altp2m", .boolean),
        EmulatedKey("smbios_firmware"), EmulatedKey("acpi_firmware"), EmulatedKey("hdtype", nil, .word(["ide": nil, "ahci": "ahci"])),
        EmulatedKey("serial", nil, .stringOrList(list: "serial_list")), EmulatedKey("boot"), EmulatedKey("usb", nil, .boolean),
        EmulatedKey("usbversion", nil, .number), EmulatedKey("usbdevice", nil, .stringOrList(list: "usbdevice_list")),
        EmulatedKey("vkb_device", nil, .boolean), EmulatedKey("soundhw"), EmulatedKey("xen_platform_pci", nil, .boolean),
        EmulatedKey("xen_platform_pci_bar_uc", nil, .boolean),
        EmulatedKey("vendor_device", nil, .word(["none": nil, "xenserver": "xenserver"])),
        EmulatedKey("rdm_mem_boundary", "rdm_mem_boundary_memkb", .mebibytes(0...1 << 30)), EmulatedKey("hvm_pirq", "pirq", .boolean),
    ]

    private static let screen: [EmulatedKey] = [
        EmulatedKey("nographic", nil, .boolean),
        EmulatedKey("vga", "vga.kind", .word(["stdvga": "std", "cirrus": "cirrus", "none": "none", "qxl": "qxl"])),
        EmulatedKey("vnc", "vnc.enable", .boolean), EmulatedKey("vnclisten", "vnc.listen"), EmulatedKey("vncpasswd", "vnc.passwd"),
        EmulatedKey("vncdisplay", "vnc.display", .number), EmulatedKey("vncunused", "vnc.findunused", .boolean), EmulatedKey("keymap"),
        EmulatedKey("sdl", "sdl.enable", .boolean), EmulatedKey("opengl", "sdl.opengl", .boolean), EmulatedKey("display", "sdl.display"),
        EmulatedKey("xauthority", "sdl.xauthority"),
    ]

    private static let spice: [EmulatedKey] = [
        EmulatedKey("spice", "spice.enable", .boolean), EmulatedKey("spiceport", "spice.port", .number),
        EmulatedKey("spicetls_port", "spice.tls_port", .number), EmulatedKey("spicehost", "spice.host"),
        EmulatedKey("spicedisable_ticketing", "spice.disable_ticketing", .boolean), EmulatedKey("spicepasswd", "spice.passwd"),
        EmulatedKey("spiceagent_mouse", "spice.agent_mouse", .boolean), EmulatedKey("spicevdagent", "spice.vdagent", .boolean),
        EmulatedKey("spice_clipboard_sharing", "spice.clipboard_sharing", .boolean),
        EmulatedKey("spiceusbredirection", "spice.usbredirection", .number),
        EmulatedKey("spice_image_compression", "spice.image_compression"),
        EmulatedKey("spice_streaming_video", "spice.streaming_video"),
    ]
}

extension MemberOrder {
    /// `type.hvm`, with the objects that are always there.
    static let hvm = [
        "firmware", "bios", "pae", "acpi_s3", "acpi_s4", "acpi_laptop_slate", "nx", "viridian", "viridian_enable", "viridian_disable",
        "timeoffset", "hpet", "vpt_align", "mmio_hole_memkb", "altp2m", "system_firmware", "smbios_firmware", "smbios", "acpi_firmware",
        "hdtype", "nographic", "vga", "vnc", "keymap", "sdl", "spice", "gfx_passthru", "gfx_passthru_kind", "serial", "boot", "usb",
        "usbversion", "usbdevice", "vkb_device", "soundhw", "xen_platform_pci", "xen_platform_pci_bar_uc", "usbdevice_list",
        "vendor_device", "ms_vm_genid", "serial_list", "rdm", "rdm_mem_boundary_memkb", "mca_caps", "pirq",
    ]

    static let hvmObjects: [(name: String, members: [String])] = [
        ("vga", ["kind"]), ("vnc", ["enable", "listen", "passwd", "display", "findunused"]),
        ("sdl", ["enable", "opengl", "display", "xauthority"]),
        (
            "spice",
            [
                "enable", "port", "tls_port", "host", "disable_ticketing", "passwd", "agent_mouse", "vdagent", "clipboard_sharing",
                "usbredirection", "image_compression", "streaming_video",
            ]
        ), ("rdm", ["strategy", "policy"]),
    ]
}
