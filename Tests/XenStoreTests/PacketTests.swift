import TestSupport
import Testing
import XenStore

@Suite("Packets") struct PacketTests {
    @Test("the header is sixteen little-endian bytes") func layout() {
        let packet = Packet(.write, requestID: 0x0102_0304, transactionID: 5, payload: [9, 8])
        #expect(packet.encoded == [11, 0, 0, 0, 4, 3, 2, 1, 5, 0, 0, 0, 2, 0, 0, 0, 9, 8])
    }

    @Test("packets come out whole however the stream is cut", arguments: 0..<50 as Range<UInt64>)
    func chunks(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let packets = (0..<20).map { number in
            Packet(
                type: UInt32(number), requestID: .random(in: 0 ... .max, using: &random),
                payload: (0..<Int.random(in: 0...200, using: &random)).map { _ in .random(in: 0...255, using: &random) })
        }
        var stream = packets.flatMap(\.encoded)[...]
        var assembler = PacketAssembler()
        var result: [Packet] = []
        while !stream.isEmpty {
            let count = Int.random(in: 1...60, using: &random)
            assembler.append(stream.prefix(count))
            stream = stream.dropFirst(count)
            while let packet = try assembler.next() { result.append(packet) }
        }
        #expect(result == packets)
        #expect(assembler.pendingByteCount == 0)
    }

    @Test("a payload beyond 4096 bytes ends the stream", arguments: [4097, 0x8000_0000, 0xffff_ffff] as [UInt32])
    func tooLong(length: UInt32) {
        var assembler = PacketAssembler()
        assembler.append([2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) })
        #expect(throws: PacketError.payloadTooLong(length)) { try assembler.next() }
        #expect(throws: PacketError.payloadTooLong(length)) { try assembler.next() }
    }

    @Test("random requests are answered and leave the store in order", arguments: 0..<40 as Range<UInt64>)
    func fuzz(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var script = Script.withGuestHome()
        let words = [
            "a", "b/c", "/", "/local/domain/1/a", "a/b/c/d", "@releaseDomain", "T", "F", "0", "1", "n1", "b1", "", "r0", "x y", "nodes",
            "2",
        ]
        var open: [UInt32] = [0, 0, 99]
        for _ in 0..<2000 {
            let type = UInt32.random(in: 0...28, using: &random)
            var payload: [UInt8] = []
            for _ in 0..<Int.random(in: 0...3, using: &random) { payload += Array(words.randomElement(using: &random)!.utf8) + [0] }
            if Int.random(in: 0..<10, using: &random) == 0 { payload.append(.random(in: 0...255, using: &random)) }
            let who = ["d1", "d1", "d2", "d0"].randomElement(using: &random)!
            let request = Packet(type: type, requestID: 1, transactionID: open.randomElement(using: &random)!, payload: payload)
            let reply = script.store.handle(request, from: script.client(who))
            #expect(reply.payload.count <= 4096)
            #expect(reply.type == type || reply.type == MessageType.error.rawValue)
            if reply.type == MessageType.transactionStart.rawValue { open.append(UInt32(Script.text(reply.payload).dropLast())!) }
        }
        #expect(script.ask("d0", .control, "check|") == "OK|")
        #expect(script.store.nodeCount(ownedBy: 1) <= 1000)
    }
}
