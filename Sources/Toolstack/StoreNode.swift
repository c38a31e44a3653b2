internal import ControlProtocol
internal import Glibc
internal import XenStore

/// One question to a guest's xenstore.
enum StoreNode {
    private static let socketName = "xenstored.sock"

    /// The value of a node.
    ///
    /// - Returns: nil when there is no such node, or no answer within two seconds.
    static func read(_ path: String, directory: String) -> String? {
        guard let socket = try? UnixSocket.connect(directory: directory, name: socketName) else { return nil }
        let request = Packet(.read, payload: Array(path.utf8) + [0]).encoded
        guard (try? Files.writeAll(socket.number, request, subject: path)) != nil else { return nil }
        var assembler = PacketAssembler()
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var entry = pollfd(fd: socket.number, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&entry, 1, 2000) > 0 else { return nil }
            let count = unsafe Glibc.read(socket.number, &buffer, buffer.count)
            guard count > 0 else { return nil }
            assembler.append(buffer[..<count])
            guard let reply = try? assembler.next() else { continue }
            return reply.type == MessageType.read.rawValue ? String(decoding: reply.payload, as: UTF8.self) : nil
        }
    }
}
