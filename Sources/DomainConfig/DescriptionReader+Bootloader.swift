extension DescriptionReader {
    mutating func readBootloader(_ description: inout DomainDescription) {
        description.bootloader = reader.string("bootloader").flatMap { $0.isEmpty ? nil : $0 }
        description.bootloaderArguments = readBootloaderArguments()
        description.restrictsBootloader = reader.boolean("bootloader_restrict")
        description.bootloaderUser = reader.string("bootloader_user")
    }

    /// A list; or, as xl once took it, one string that is split at blanks.
    private mutating func readBootloaderArguments() -> [String] {
        guard let setting = reader.settings["bootloader_args"] else { return [] }
        guard let text = setting.value.text else { return reader.strings("bootloader_args").map(\.text) }
        reader.report(
            .warning, "bootloader_args", "a string for `bootloader_args' is deprecated",
            remedy: "write a list: bootloader_args = [ \"…\", \"…\" ]")
        return text.split { $0 == " " || $0 == "\t" || $0.isNewline }.map { String($0) }
    }
}
