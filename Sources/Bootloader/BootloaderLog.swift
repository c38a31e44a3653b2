internal import ControlProtocol
internal import Glibc

/// What a boot loader prints, in a file, and its last line for messages.
struct BootloaderLog: ~Copyable {
    /// -1 where there is no log.
    private let file: FileDescriptor
    private var room = 1 << 20
    private var tail: [UInt8] = []

    /// A log that cannot be opened is none.
    init(path: String?) {
        let number = path.map { unsafe open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) } ?? -1
        file = FileDescriptor(owning: number)
    }

    mutating func add(_ bytes: [UInt8]) {
        tail = Array((tail + bytes).suffix(512))
        let part = Array(bytes.prefix(room))
        room -= part.count
        guard file.number >= 0, !part.isEmpty else { return }
        // A full disk shows in what the program does next, not here.
        _ = unsafe write(file.number, part, part.count)
    }

    /// The last line with something on it.
    var lastLine: String? {
        let lines = tail.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
        guard let line = lines.last(where: { $0.contains { $0 > 32 } }) else { return nil }
        return String(decoding: line.suffix(200), as: UTF8.self)
    }
}
