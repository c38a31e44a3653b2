import Glibc

/// What a probe kernel saw under Xen 4.17, from a file of the Fixtures folder: entry registers, memory map, dumps of memory.
struct Capture {
    var lines: [Substring]
    /// Dumps by name: address and bytes, rows left out by the dump filled with zeros.
    var dumps: [String: (address: UInt64, bytes: [UInt8])] = [:]

    init(_ name: String, beside file: StaticString = #filePath) {
        let text = Self.read("Fixtures/\(name).txt", beside: file)
        lines = text.split(separator: "\n")
        var current: String?
        for line in lines {
            if let head = Self.dumpHead(line) {
                current = head.name
                dumps[head.name] = (head.address, [UInt8](repeating: 0, count: head.count))
            } else if let current { add(line, to: current) }
        }
    }

    private static func dumpHead(_ line: Substring) -> (name: String, address: UInt64, count: Int)? {
        let words = line.split(separator: " ")
        guard words.count == 3, words[1].hasPrefix("addr="), let address = UInt64(words[1].dropFirst(5), radix: 16),
            let count = Int(words[2].dropFirst(4), radix: 16)
        else { return nil }
        return (String(words[0]), address, count)
    }

    private mutating func add(_ line: Substring, to name: String) {
        let parts = line.split(separator: ":")
        guard parts.count == 2, let address = UInt64(parts[0], radix: 16), let base = dumps[name]?.address else { return }
        for (index, byte) in parts[1].split(separator: " ").enumerated() {
            dumps[name]?.bytes[Int(address - base) + index] = UInt8(byte, radix: 16) ?? 0
        }
    }

    /// The value of `key=` in hexadecimal, from the first line that has it.
    func value(_ key: String) -> UInt64? {
        for line in lines {
            for word in line.split(separator: " ") where word.hasPrefix(key + "=") {
                return UInt64(word.dropFirst(key.count + 1), radix: 16)
            }
        }
        return nil
    }

    /// The memory map lines as (address, size, type).
    var memoryMap: [[UInt64]] {
        lines.filter { $0.hasPrefix("memmap") }.map { line in
            line.split(separator: " ").dropFirst().prefix(3).compactMap { UInt64($0.split(separator: "=")[1], radix: 16) }
        }
    }

    private static func read(_ name: String, beside file: StaticString) -> String {
        let folder = String(describing: file).split(separator: "/").dropLast().joined(separator: "/")
        guard let stream = unsafe fopen("/\(folder)/\(name)", "rb") else { fatalError("fixture /\(folder)/\(name) is missing") }
        defer { _ = unsafe fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: 1 << 16)
        let count = unsafe fread(&bytes, 1, bytes.count, stream)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
