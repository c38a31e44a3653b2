import ControlProtocol
import Testing

private let sampleStatus = GuestStatus(
    domainID: 3, name: "sospv2", uuid: "237e6d4f-a926-4cd0-9b94-0b119dbda0da",
    state: GuestState(blocked: true), vcpuTimesNanoseconds: [1_500_000_000, .max], onlineVCPUs: 2,
    currentMemoryKiB: 262144, maxMemoryKiB: 524288, uptimeNanoseconds: 42, processID: 77)

@Suite("Control messages") struct MessageTests {
    @Test(
        "every request survives the way through its bytes",
        arguments: [
            ControlRequest.hello, .status, .pause, .unpause, .destroy, .wait,
            .shutdown(.poweroff), .shutdown(.reboot), .shutdown(.suspend), .shutdown(.halt),
        ])
    func requestRoundTrip(request: ControlRequest) throws {
        var reader = FrameReader()
        try reader.append(try Frame.encode(request))
        let lines = [reader.next(), reader.next()]
        #expect(try Frame.decode(ControlRequest.self, from: try #require(lines[0])) == request)
        #expect(lines[1] == nil)
    }

    @Test(
        "every reply and event survives the way through its bytes",
        arguments: [
            ControlReply.hello(domainID: 1, name: "a \"b\" ü"), .ok, .status(sampleStatus),
            .error(OperatorError("x", remedy: "y", code: .invalid)), .ended(.destroyed), .ended(.timeout),
            .ended(.shutdown(reason: .crash)), .ended(.failed(message: "triple fault\nat 0xfff0")),
        ])
    func replyRoundTrip(reply: ControlReply) throws {
        let bytes = try Frame.encode(reply)
        #expect(bytes.filter { $0 == UInt8(ascii: "\n") }.count == 1, "a message is one line")
        #expect(try Frame.decode(ControlReply.self, from: bytes.dropLast()) == reply)
    }

    @Test("the words on the wire are fixed")
    func wireForm() throws {
        let bytes = try Frame.encode(ControlRequest.shutdown(.poweroff))
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"mode":"poweroff","request":"shutdown","version":1}"# + "\n")
    }

    @Test(
        "what is no request is an error",
        arguments: [
            "", " ", "{}", "[]", "null", "1", "\"wait\"", "{", "}", "{\"request\":\"wait\"}", "{\"version\":2,\"request\":\"wait\"}",
            "{\"version\":1,\"request\":\"fly\"}", "{\"version\":1,\"request\":1}", "{\"version\":1,\"request\":\"shutdown\"}",
            "{\"version\":1,\"request\":\"shutdown\",\"mode\":\"explode\"}", "{\"version\":1e99,\"request\":\"wait\"}",
            "{\"version\":1,\"request\":\"wait\"} trailing", "\u{0}",
        ])
    func malformed(text: String) {
        #expect(throws: FrameError.self) { try Frame.decode(ControlRequest.self, from: Array(text.utf8)) }
        #expect(throws: FrameError.self) { try Frame.decode(ControlReply.self, from: Array(text.utf8)) }
    }

    @Test("deep nesting is an error, not an exhausted stack", arguments: ["[", "{\"a\":"])
    func deepNesting(piece: String) {
        let line = [UInt8](String(repeating: piece, count: Frame.maximumByteCount / piece.utf8.count).utf8)
        #expect(throws: FrameError.self) { try Frame.decode(ControlRequest.self, from: line) }
    }

    @Test("bytes that are not UTF-8 are an error, not a trap")
    func notUTF8() {
        for start in UInt8(0x80)...0xff {
            #expect(throws: FrameError.self) { try Frame.decode(ControlRequest.self, from: [start, 0x22, 0x7b]) }
        }
    }

    @Test(
        "a startup report is one line of either kind",
        arguments: [
            StartupReport.ready(.init(processID: 12, engine: "interpreter")),
            .error(OperatorError("no memory", remedy: "give less", code: .noMemory)),
        ])
    func startupReport(report: StartupReport) throws {
        #expect(try Frame.decode(StartupReport.self, from: try Frame.encode(report).dropLast()) == report)
    }

    @Test("a guest description survives the way through guest.json")
    func description() throws {
        var description = GuestDescription(
            domainID: 9, name: "t", uuid: "237e6d4f-a926-4cd0-9b94-0b119dbda0da", kernelPath: "/boot/vmlinuz", memoryKiB: 262144, vcpus: 2,
            maxVCPUs: 4)
        description.ramdiskPath = "/boot/initrd"
        description.timeoutSeconds = 5
        description.onCrash = .coredumpRestart
        #expect(try GuestDescription(json: description.json()) == description)
        description.version = 2
        #expect(throws: FrameError.malformed("guest description version 2, expected 1")) { try GuestDescription(json: description.json()) }
    }

    @Test(
        "state letters are those of xl list",
        arguments: [
            (GuestState(running: true), "r-----"), (GuestState(blocked: true), "-b----"), (GuestState(paused: true), "--p---"),
            (GuestState(shutdownReason: .poweroff), "---s--"), (GuestState(shutdownReason: .crash), "---sc-"),
            (GuestState(shutdownReason: .softReset, dying: true), "---sSd"),
            (GuestState(shutdownReason: ShutdownReason(rawValue: 77)), "---s?-"),
        ])
    func letters(state: GuestState, letters: String) {
        #expect(state.letters == letters)
    }
}

@Suite("Framing") struct FrameReaderTests {
    @Test("lines are found however the bytes are cut", arguments: 1...9)
    func anyChunks(size: Int) throws {
        let text = Array("one\ntwo\n\nfour".utf8)
        var reader = FrameReader()
        var lines: [String] = []
        var start = 0
        while start < text.count {
            try reader.append(text[start..<min(start + size, text.count)])
            start += size
            while let line = reader.next() { lines.append(String(decoding: line, as: UTF8.self)) }
        }
        #expect(lines == ["one", "two", ""])
    }

    @Test("the longest line passes and one byte more does not")
    func limit() throws {
        var reader = FrameReader()
        try reader.append([UInt8](repeating: 0x61, count: Frame.maximumByteCount))
        try reader.append([0x0a])
        let line = reader.next()
        #expect(line?.count == Frame.maximumByteCount)
        try reader.append([UInt8](repeating: 0x61, count: Frame.maximumByteCount))
        let result = Result { () throws(FrameError) in try reader.append([0x61]) }
        guard case .failure(.tooLong) = result else { Issue.record("\(result)"); return }
    }

    @Test("random bytes never trap the decoder", arguments: 0..<200)
    func fuzz(seed: UInt64) throws {
        var random = SplitMix64(state: seed)
        var bytes = try Frame.encode(ControlReply.status(sampleStatus))
        for _ in 0..<(1 + random.next() % 8) {
            let index = Int(random.next() % UInt64(bytes.count))
            switch random.next() % 3 {
            case 0: bytes[index] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes.remove(at: index)
            default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: index)
            }
        }
        var reader = FrameReader()
        try reader.append(bytes)
        while let line = reader.next() {
            switch Result(catching: { () throws(FrameError) in try Frame.decode(ControlReply.self, from: line) }) {
            case .success(let reply): #expect(try Frame.decode(ControlReply.self, from: Frame.encode(reply).dropLast()) == reply)
            case .failure(let error): #expect(!error.sentence.isEmpty)
            }
        }
    }
}

struct SplitMix64: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
