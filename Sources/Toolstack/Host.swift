internal import Glibc

/// The machine below.
enum Host {
    /// RAM and swap, in KiB: what can be given at all.
    static var totalMemoryKiB: UInt64 { memoryInformation("MemTotal:") + memoryInformation("SwapTotal:") }

    /// RAM, in KiB.
    static var memoryKiB: UInt64 { memoryInformation("MemTotal:") }

    /// RAM that could be had without swapping, in KiB.
    static var availableMemoryKiB: UInt64 { memoryInformation("MemAvailable:") }

    static var onlineCPUs: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// Processor time all CPUs have been busy since boot, in seconds (first line of `/proc/stat`; 0 when it cannot be read).
    static var busySeconds: Double { busySeconds(of: "cpu") }

    /// The same for one processor.
    static func busySeconds(ofProcessor number: Int) -> Double { busySeconds(of: "cpu\(number)") }

    /// Seconds since boot.
    static var uptimeSeconds: UInt64 {
        let text = firstLine("/proc/uptime")
        return UInt64(text.prefix { $0 != "." && $0 != " " }) ?? 0
    }

    /// The processor this thread ran on a moment ago (field 39 of proc(5)'s stat, counted behind the name in parentheses).
    static var currentProcessor: Int {
        let text = firstLine("/proc/thread-self/stat")
        let fields = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
        return fields.count > 37 ? Int(fields[37]) ?? 0 : 0
    }

    /// The first line of a small file, without its end; empty when it cannot be read.
    static func firstLine(_ path: String) -> String {
        guard let content = try? Files.read(path) else { return "" }
        return String(decoding: content.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// A line of a file of "key … value" lines; empty when there is none.
    static func line(of path: String, startingWith key: String) -> String {
        guard let content = try? Files.read(path) else { return "" }
        return String(decoding: content, as: UTF8.self).split(separator: "\n").first { $0.hasPrefix(key) }.map(String.init) ?? ""
    }

    private static func busySeconds(of label: String) -> Double {
        let ticks = line(of: "/proc/stat", startingWith: label + " ").split(separator: " ").dropFirst().map { Double($0) ?? 0 }
        guard ticks.count > 4 else { return 0 }
        let idle = ticks[3] + ticks[4]
        return (ticks.prefix(8).reduce(0, +) - idle) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    }

    /// A line of `/proc/meminfo`, in KiB; 0 when it is not there.
    private static func memoryInformation(_ key: String) -> UInt64 {
        let words = line(of: "/proc/meminfo", startingWith: key).split(separator: " ")
        return words.count >= 2 ? UInt64(words[1]) ?? 0 : 0
    }
}
