import Glibc
import HostIO
import XenStore

/// One client that waits for its replies, without anything of the server's own code in its way.
final class Client {
    private let descriptor: Descriptor
    private var buffer = [UInt8](repeating: 0, count: 1 << 16)
    private var unread = 0
    private var end = 0

    init(path: String) throws {
        descriptor = try UnixListener.connect(path: path)
        guard fcntl(descriptor.rawValue, F_SETFL, 0) == 0 else { throw HostError("fcntl") }
    }

    func send(_ bytes: [UInt8]) {
        guard case .bytes(bytes.count) = descriptor.send(bytes[...]) else { fatalError("the server took less than all") }
    }

    /// Reads `count` replies and returns the payload of the last; one that is an error ends the program.
    @discardableResult
    func receive(_ count: Int) -> ArraySlice<UInt8> {
        var payload: ArraySlice<UInt8> = []
        for _ in 0..<count {
            need(Packet.headerByteCount)
            let type = word(0)
            let length = Int(word(12))
            need(Packet.headerByteCount + length)
            payload = buffer[(unread + Packet.headerByteCount)..<(unread + Packet.headerByteCount + length)]
            guard type != MessageType.error.rawValue else { fatalError("refused: \(String(decoding: payload, as: UTF8.self))") }
            unread += Packet.headerByteCount + length
        }
        return payload
    }

    private func word(_ offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(buffer[unread + offset + $1]) << UInt32(8 * $1) }
    }

    private func need(_ count: Int) {
        while end - unread < count {
            if unread > 0 {
                buffer.replaceSubrange(0..<(end - unread), with: buffer[unread..<end])
                end -= unread
                unread = 0
            }
            let result = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor.rawValue, $0.baseAddress! + end, $0.count - end) }
            guard result > 0 else { fatalError("the server hung up") }
            end += result
        }
    }
}
