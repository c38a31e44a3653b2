import ConsoleBackend
import Glibc
import GuestMemory
import HostIO
import PVRing
import TestSupport

/// A console with its guest's side.
struct Console {
    static let frame = GuestFrameNumber(3)
    private let directory = TemporaryDirectory()
    let page: SharedPage
    let backend: ConsoleBackend
    let output: ByteRing
    let input: ByteRing

    var log: String { directory.path + "/console.log" }
    var socket: String { directory.path + "/console.sock" }

    init(history: Int = ConsoleBackend.defaultHistoryByteCount, stall: Int64 = ConsoleBackend.defaultStallMilliseconds) throws {
        let memory = try GuestMemory(poolPageCount: 4)
        try memory.populate(Self.frame)
        page = try SharedPage(memory, Self.frame)
        output = ByteRing(page, .consoleOutput)
        input = ByteRing(page, .consoleInput)
        backend = try ConsoleBackend(
            ring: page, logPath: directory.path + "/console.log", socketPath: directory.path + "/console.sock", notifyGuest: EventSender {},
            historyByteCount: history, stallMilliseconds: stall)
        try backend.start()
    }

    /// Prints all, waiting for room.
    func print(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = try output.write(rest)
            rest = rest.dropFirst(count)
            backend.guestNotified()
            if count == 0 { sched_yield() }
        }
    }

    /// Prints what goes until nothing has gone for a while, and returns how much that was.
    func printUntilBlocked(_ bytes: [UInt8]) throws -> Int {
        var rest = bytes[...]
        var idle = 0
        while !rest.isEmpty, idle < 500 {
            let count = try output.write(rest)
            rest = rest.dropFirst(count)
            backend.guestNotified()
            idle = count == 0 ? idle + 1 : 0
            if count == 0 { breathe() }
        }
        return bytes.count - rest.count
    }

    /// Connects, and waits until the backend knows.
    func attach() throws -> Descriptor {
        let before = backend.status.clientCount
        let client = try UnixListener.connect(path: socket)
        guard eventually({ backend.status.clientCount > before }) else { throw HostError("attach", ETIMEDOUT) }
        return client
    }
}

extension Descriptor {
    /// Reads until the other side closes.
    func readAll() -> [UInt8] {
        var bytes: [UInt8] = []
        while true {
            switch read(into: &bytes, limit: 1 << 16) {
            case .bytes: continue
            case .wouldBlock: breathe()
            case .ended: return bytes
            }
        }
    }

    func read(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        _ = eventually {
            _ = read(into: &bytes, limit: 1 << 16)
            return bytes.count >= count
        }
        return bytes
    }
}

extension [UInt8] {
    func ends(with text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}
