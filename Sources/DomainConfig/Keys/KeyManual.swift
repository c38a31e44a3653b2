/// The manual page martlet.cfg(5), made from the table of keys.
public enum KeyManual {
    /// The page in mdoc(7).
    public static var page: String {
        var lines = head + syntax
        for group in KnownKey.Group.allCases {
            let keys = KnownKey.all.filter { $0.group == group }
            lines += [".Sh \(group.rawValue.uppercased().filter { $0 != "\"" && $0 != "(" && $0 != ")" })"]
            lines += introduction(group) + [".Bl -tag -width Ds"] + keys.flatMap(entry) + [".El"]
        }
        return (lines + cpuid + bootLoaders + disks + interfaces + tail).joined(separator: "\n") + "\n"
    }

    private static func entry(_ key: KnownKey) -> [String] {
        [".It Ic \(key.name) No = Ar \(word(key.shape))"] + sentence(key.summary) + defaultLine(key) + treatment(key)
    }

    private static func defaultLine(_ key: KnownKey) -> [String] {
        key.defaultText == "none" ? [] : sentence("Default: \(key.defaultText).")
    }

    private static func treatment(_ key: KnownKey) -> [String] {
        switch key.treatment {
        case .honoured: readers(key)
        case .noEffect(let reason): sentence("Changes nothing: \(reason).")
        case .warned(let reason): sentence("Not obeyed, with a warning: \(reason).")
        case .refused(let cause, let remedy, _, _): sentence("Refused: \(cause).") + sentence("Remedy: \(remedy).")
        }
    }

    private static func readers(_ key: KnownKey) -> [String] {
        if key.readers == .nobody { return sentence("Today's xl does not read it.") }
        return key.readers.contains(.pv) ? [] : sentence("Not for PV guests.")
    }

    private static func word(_ shape: KnownKey.Shape) -> String {
        switch shape {
        case .string: "text"
        case .integer: "number"
        case .boolean: "0|1"
        case .list: "list"
        case .stringOrList: "text|list"
        case .integerOrString: "text|number"
        }
    }

    /// A sentence on a line of its own, with what mdoc would take for its own escaped.
    private static func sentence(_ text: String) -> [String] {
        var lines = [""]
        for character in text {
            // Each sentence starts a line.
            if character == " ", lines[lines.count - 1].hasSuffix(".") {
                lines.append("")
            } else {
                lines[lines.count - 1] +=
                    character == "\\" ? "\\e" : character == "-" ? "\\-" : character == "…" ? "..." : String(character)
            }
        }
        return lines.map { $0.hasPrefix(".") || $0.hasPrefix("'") ? "\\&\($0)" : $0 }
    }
}

// MARK: - What stands around the keys

extension KeyManual {
    private static let head = [
        ".\\\" Made from the table of keys in Sources/DomainConfig/Keys; see Tests/DomainConfigTests/ManualTests.swift.",
        ".Dd November 25, 2026", ".Dt MARTLET.CFG 5", ".Os", ".Sh NAME", ".Nm martlet.cfg", ".Nd configuration of a guest",
        ".Sh DESCRIPTION",
        "A guest of", ".Xr martlet 1", "is described by a file in the grammar of Xen's xl.cfg.",
        "Every key of Xen 4.20 is known: it is obeyed, or it changes nothing for a stated reason, or it is refused with a remedy.",
        "A key nobody knows is ignored with a warning that names the nearest one.", ".Pp", "A small one:", ".Bd -literal -offset indent",
        "name = \"web\"", "type = \"pvh\"", "kernel = \"/boot/vmlinuz\"", "ramdisk = \"/boot/initrd.img\"",
        "extra = \"root=/dev/xvda console=hvc0\"", "memory = 512", "vcpus = 2", "disk = [ \"/srv/web.img,raw,xvda,rw\" ]", "vif = [ \"\" ]",
        ".Ed",
    ]

    private static let syntax = [
        ".Sh SYNTAX", "A statement is", ".Ic key", "= value or", ".Ic key", "+= value; it ends at the end of the line or with a semicolon.",
        "Keys are lower case.", "A text stands in single or double quotes, with the escapes of C, on one line.",
        "A number is decimal, hexadecimal with 0x or octal with 0.", "A boolean is a number; anything but 0 is true.",
        "A list stands in brackets, its elements between commas; it may span lines and hold lists.",
        "What follows # is a comment.", "The last assignment of a key wins; += adds to a text or a list.",
        "Words of the form key=value on the command line of", ".Ic martlet create", "come after the file.",
    ]

    private static func introduction(_ group: KnownKey.Group) -> [String] {
        switch group {
        case .emulated: ["These are for guests with a device model.", "A PVH guest has none of it, and they change nothing for it."]
        case .deviceModel: ["Disks and interfaces of a PVH guest are served by its own process, without a device model."]
        default: []
        }
    }

    private static let disks = [
        ".Sh DISKS", "A disk is a text with parameters between commas.",
        "The positional ones are target, format, vdev and access, in this order.", ".Bl -tag -width Ds", ".It Cm target No = Ar path",
        "An image or a block device.", "It takes the rest of the text, commas and all, so it stands last.",
        "A relative path is looked for below /dev, then below the working directory.", ".It Cm format No = Ar word",
        "raw, which is the default, qcow, qcow2, vhd, qed, or empty for a CD\\-ROM drive without a medium.", ".It Cm vdev No = Ar name",
        "The name in the guest: xvda, xvdb, ..., with a number for a partition; hda and sda and their like; or a device number.",
        ".It Cm access No = Ar word", "rw or w, which is the default, ro or r.", ".It Cm devtype No = Ar word", "disk or cdrom.",
        ".It Cm backendtype No = Ar word", "phy or qdisk, as the xenstore shows it.", ".It Cm cdrom", "The same as devtype=cdrom.",
        ".It Cm discard , no-discard", "Whether the guest may give back blocks; it may by default.", ".It Cm direct-io-safe",
        "Noted for the backend.", ".It Cm trusted , untrusted", "Whether the guest may trust the backend.", ".El", ".Pp",
        "The prefixes of old configurations are understood: phy:, file:, tap: and aio: are dropped; raw:, qcow:, qcow2: and vhd: name the format.",
        "After a prefix there is no format among the positional parameters.",
    ]

    private static let interfaces = [
        ".Sh NETWORK INTERFACES", "An interface is a text with parameters between commas; all may be left out.", ".Bl -tag -width Ds",
        ".It Cm mac No = Ar address", "By default random, in Xen's own range 00:16:3e.", ".It Cm bridge No = Ar name",
        "The bridge of the host the interface leads to.",
        "Without it, or with xenbr0, a host that has no bridge xenbr0 gives a user\\-mode network: DHCP, DNS and NAT out of ordinary sockets.",
        ".It Cm bridge No = user", "A user\\-mode network in any case.", ".It Cm bridge No = tap: Ns Ar device",
        "A tap interface that exists.",
        ".It Cm bridge No = hub: Ns Ar path", "A hub shared with the other guests that name the same path.",
        ".It Cm hostfwd No = Ar transport:address:port\\-address:port",
        "A port of the host that leads to one of the guest, for instance tcp:127.0.0.1:2222\\-:22.",
        "Only with a user\\-mode network; it may be given several times.", ".It Cm rate No = Ar rate",
        "The most the guest may send: 10Mb/s, 250KB/s, 1MB/s@20ms.", ".It Cm mtu No = Ar number", "Default: 1500.",
        ".It Cm devid No = Ar number", "The number of the interface; by default its place in the list.",
        ".It Cm vifname No = Ar name , Cm ip No = Ar addresses , Cm model No = Ar word , Cm script No = Ar path",
        "Noted and shown; no script is run.", ".It Cm trusted , untrusted", "Whether the guest may trust the backend.", ".El",
    ]

    private static let tail = [".Sh SEE ALSO", ".Xr martlet 1"]
}
