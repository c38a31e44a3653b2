import Glibc

/// Programs built beside the tests.
public enum BuiltProduct {
    public static var directory: String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = unsafe readlink("/proc/self/exe", &buffer, buffer.count)
        let own = String(decoding: buffer.prefix(max(0, count)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return String(own.prefix(upTo: own.lastIndex(of: "/") ?? own.startIndex))
    }

    public static func path(_ name: String) -> String { "\(directory)/\(name)" }
}
