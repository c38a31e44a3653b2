internal import Glibc

/// The machine below.
enum Host {
    /// RAM and swap, in KiB: what can be given at all.
    static var totalMemoryKiB: UInt64 { memoryInformation("MemTotal:") + memoryInformation("SwapTotal:") }

    /// RAM, in KiB.
    static var memoryKiB: UInt64 { memoryInformation("MemTotal:") }

    static var onlineCPUs: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// Processor time all CPUs have been busy since boot, in seconds (first line of `/proc/stat`; 0 when it cannot be read).
    static var busySeconds: Double {
        guard let content = try? Files.read("/proc/stat") else { return 0 }
        let line = String(decoding: content.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let ticks = line.split(separator: " ").dropFirst().map { Double($0) ?? 0 }
        guard ticks.count > 4 else { return 0 }
        let idle = ticks[3] + ticks[4]
        return (ticks.prefix(8).reduce(0, +) - idle) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    }

    /// A line of `/proc/meminfo`, in KiB; 0 when it is not there.
    private static func memoryInformation(_ key: String) -> UInt64 {
        guard let content = try? Files.read("/proc/meminfo") else { return 0 }
        for line in String(decoding: content, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count >= 2, words[0] == key { return UInt64(words[1]) ?? 0 }
        }
        return 0
    }
}
