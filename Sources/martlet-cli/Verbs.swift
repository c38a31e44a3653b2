import Martlet

/// Finds the verb a word stands for. As with xl, any prefix will do that fits only one.
enum Verbs {
    static let implemented = [
        "create", "console", "list", "destroy", "pause", "unpause", "shutdown", "reboot", "domid", "domname", "vm-list", "inspect", "help",
    ]

    /// The verbs of xl 4.17 to 4.20 that this version does not have. They count when prefixes are compared.
    static let missing = [
        "config-update", "pci-attach", "pci-detach", "pci-list", "pci-assignable-add", "pci-assignable-remove", "pci-assignable-list",
        "vncviewer", "save", "migrate", "restore", "migrate-receive", "dump-core", "cd-insert", "cd-eject", "mem-max", "mem-set",
        "button-press", "vcpu-list", "vcpu-pin", "vcpu-set", "info", "sharing", "sched-credit", "sched-credit2", "sched-rtds", "rename",
        "trigger", "sysrq", "debug-keys", "set-parameters", "dmesg", "top", "network-attach", "network-list", "network-detach",
        "channel-list", "block-attach", "block-list", "block-detach", "vtpm-attach", "vtpm-list", "vtpm-detach", "vkb-attach",
        "vkb-list", "vkb-detach", "vdispl-attach", "vdispl-list", "vdispl-detach", "vsnd-attach", "vsnd-list", "vsnd-detach", "uptime",
        "claims", "cpupool-create", "cpupool-list", "cpupool-destroy", "cpupool-rename", "cpupool-cpu-add", "cpupool-cpu-remove",
        "cpupool-migrate", "cpupool-numa-split", "getenforce", "setenforce", "loadpolicy", "remus", "devd", "psr-hwinfo",
        "psr-cmt-attach", "psr-cmt-detach", "psr-cmt-show", "psr-cat-set", "psr-cat-show", "psr-mba-set", "psr-mba-show",
        "usbctrl-attach", "usbctrl-detach", "usbdev-attach", "usbdev-detach", "usb-list", "qemu-monitor-command", "suspend", "resume",
    ]

    /// The full name of a verb.
    ///
    /// - Throws: an error for a word that fits none or several, and for one of xl's that is missing here.
    static func resolve(_ word: String) throws(OperatorError) -> String {
        let all = implemented + missing
        let matches = all.contains(word) ? [word] : all.filter { $0.hasPrefix(word) }
        guard let verb = matches.first, matches.count == 1 else {
            let cause =
                matches.isEmpty ? "command not implemented: \(word)" : "command \(word) is ambiguous: \(matches.joined(separator: ", "))"
            throw OperatorError(cause, remedy: "the commands are: \(implemented.joined(separator: ", "))")
        }
        guard implemented.contains(verb) else {
            throw OperatorError(
                "command not implemented: this version has no \(verb)", remedy: "the commands are: \(implemented.joined(separator: ", "))")
        }
        return verb
    }
}
