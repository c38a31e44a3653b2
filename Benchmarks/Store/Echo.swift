import Glibc
import HostIO

/// What a socket and two threads cost without a store: each message is sent back as it is.
func measureEcho() throws {
    var ends: [Int32] = [-1, -1]
    guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0 else { throw HostError("socketpair") }
    let (near, far) = (Descriptor(ends[0]), Descriptor(ends[1]))
    let echo = try HostThread {
        var bytes: [UInt8] = []
        while case .bytes = far.read(into: &bytes, limit: 256) {
            _ = far.send(bytes[...])
            bytes.removeAll(keepingCapacity: true)
        }
    }
    let message = [UInt8](repeating: 1, count: 37)
    var answer: [UInt8] = []
    measure("bare echo on a socket, one at a time", operations: 1) {
        _ = near.send(message[...])
        answer.removeAll(keepingCapacity: true)
        _ = near.read(into: &answer, limit: 256)
    }
    shutdown(near.rawValue, Int32(SHUT_RDWR))
    echo.join()
}
