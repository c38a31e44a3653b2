import ControlProtocol
import TestSupport
import Testing

/// docs/control-protocol.md says what this code does.
@Suite("The document of the control protocol") struct DocumentTests {
    /// The messages of its examples.
    private static var messages: [String] {
        let text = String(decoding: TestFiles.bytes(TestFiles.inRepository("docs/control-protocol.md")) ?? [], as: UTF8.self)
        return text.split(separator: "\n").filter { $0.hasPrefix("{") }.map(String.init)
    }

    private static let words: Set = [
        "hello", "status", "pause", "unpause", "destroy", "shutdown", "wait", "rename", "set-memory-target", "set-max-memory", "set-vcpus",
        "set-affinity", "sysrq", "trigger", "hypervisor-log", "debug-keys", "dump-core", "devices", "attach-disk", "attach-network",
        "detach", "resize-disk", "description",
    ]

    @Test("Every example of a request is one, and writing it again says the same; no request is left out")
    func requests() throws {
        var seen: Set<String> = []
        for message in Self.messages where message.contains("\"request\"") {
            let request = try Frame.decode(ControlRequest.self, from: Array(message.utf8))
            seen.insert(request.word)
            #expect(try Self.members(Frame.encode(request)) == Self.members(Array(message.utf8)), "\(message)")
        }
        #expect(seen == Self.words)
    }

    @Test("Every example of a reply or an event is one, with no member too many or too few")
    func replies() throws {
        let replies = Self.messages.filter { !$0.contains("\"request\"") }
        #expect(replies.count >= 9)
        for message in replies {
            let reply = try Frame.decode(ControlReply.self, from: Array(message.utf8))
            #expect(try Self.members(Frame.encode(reply)) == Self.members(Array(message.utf8)), "\(message)")
        }
    }

    /// The characters of a message in order of their value: equal for messages that differ only in the order of members.
    private static func members(_ message: [UInt8]) -> [UInt8] { message.filter { $0 != UInt8(ascii: "\n") }.sorted() }

    @Test("Every word of the protocol that is no example is refused", arguments: ["update", "Status", "set_vcpus", ""])
    func unknown(word: String) {
        let line = Array("{\"version\":1,\"request\":\"\(word)\"}".utf8)
        #expect(throws: FrameError.self) { try Frame.decode(ControlRequest.self, from: line) }
    }
}
