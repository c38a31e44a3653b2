/// What a boot loader writes in the format simple0: entries that each end with a zero byte, a word and its value.
struct BootloaderOutput: Equatable {
    var kernel: String?
    var ramdisk: String?
    var commandLine: String?
    /// The first words of entries nobody knows, which are passed over.
    var unknown: [String] = []

    /// No boot loader has so much to say.
    static let largest = 64 << 10

    /// - Parameter bytes: all it wrote. A last entry without its zero byte counts, too.
    init(_ bytes: [UInt8]) {
        for entry in bytes.split(separator: 0) {
            let text = String(decoding: entry, as: UTF8.self)
            let word = text.prefix { $0 != " " }
            let value = String(text.dropFirst(word.count + 1))
            switch word {
            case "kernel": kernel = value
            case "ramdisk": ramdisk = value
            case "args": commandLine = value
            default: unknown.append(String(word.prefix(40)))
            }
        }
    }
}
