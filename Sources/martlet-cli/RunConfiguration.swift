import Martlet

/// The words of `run` as a configuration.
struct RunConfiguration {
    var kernel: String
    var ramdisk: String?
    var commandLine: String?
    var memoryMiB: UInt64
    var vcpus: Int
    var disks: [String]
    var networks: [String]
    var name: String

    /// As `key=value` words in xl.cfg's grammar.
    var overrides: [String] {
        var lines = [
            "name=\(ConfigText.quote(name))", "type=\"pvh\"", "kernel=\(ConfigText.quote(kernel))", "memory=\(memoryMiB)",
            "vcpus=\(max(0, vcpus))",
            "cmdline=\(ConfigText.quote(kernelCommandLine))",
        ]
        if let ramdisk { lines.append("ramdisk=\(ConfigText.quote(ramdisk))") }
        if !disks.isEmpty { lines.append("disk=[ \(disks.enumerated().map { ConfigText.quote(disk($1, $0)) }.joined(separator: ", ")) ]") }
        if !networks.isEmpty { lines.append("vif=[ \(networks.map { ConfigText.quote(network($0)) }.joined(separator: ", ")) ]") }
        return lines
    }

    /// Without a console nobody would see anything.
    private var kernelCommandLine: String {
        guard let commandLine else { return "console=hvc0" }
        return commandLine.split(separator: " ").contains { $0.hasPrefix("console=") } ? commandLine : "console=hvc0 \(commandLine)"
    }

    /// A bare path becomes the next disk, xvda first; its format is told by its name.
    private func disk(_ word: String, _ index: Int) -> String {
        guard !word.contains(","), !word.contains("=") else { return word }
        let formats = [".qcow2": "qcow2", ".qcow": "qcow", ".vhd": "vhd", ".qed": "qed"]
        let format = formats.first { word.hasSuffix($0.key) }?.value ?? "raw"
        return "\(word),\(format),xvd\(UnicodeScalar(UInt8(ascii: "a") + UInt8(min(index, 25)))),w"
    }

    private func network(_ word: String) -> String {
        switch word {
        case "user": "bridge=user"
        case "default": ""
        default: word.contains("=") ? word : "bridge=\(word)"
        }
    }
}
