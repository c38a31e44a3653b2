import ControlProtocol
import HostIO

/// Reads a guest's xenstore over its socket, as a program of domain 0 (XS_READ, XS_DIRECTORY).
struct StoreClient {
    private let socket: Descriptor

    init(_ directory: String) throws {
        socket = Descriptor(try UnixSocket.connect(directory: directory, name: "xenstored.sock").release())
    }

    /// The text of a node, or the name of the error.
    func read(_ path: String) -> String { ask(2, path).text }

    private func ask(_ type: UInt8, _ path: String) -> (type: UInt8, text: String) {
        let payload = Array(path.utf8) + [0]
        let request = [type, 0, 0, 0] + [UInt8](repeating: 0, count: 8) + [UInt8(payload.count), 0, 0, 0] + payload
        guard socket.send(request[...]) == .bytes(request.count) else { return (0, "") }
        var reply: [UInt8] = []
        while reply.count < 16 || reply.count < 16 + Int(reply[12]) + Int(reply[13]) << 8 {
            guard case .bytes = socket.read(into: &reply, limit: 4096) else { break }
        }
        return (reply.first ?? 0, String(decoding: reply.dropFirst(16), as: UTF8.self))
    }
}
