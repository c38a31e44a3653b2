import GuestMemory
import PVRing
import XenABI

/// The byte rings of xenstore and console with indices of the guest's choice.
enum ByteRingFuzz {
    static func run(_ input: [UInt8]) {
        guard let memory = try? GuestMemory(poolPageCount: 2), (try? memory.populate(GuestFrameNumber(1))) != nil,
            let page = try? SharedPage(memory, GuestFrameNumber(1))
        else { preconditionFailure("two pages are to be had") }
        var reader = FuzzReader(input)
        let layout = reader.pick([ByteRingLayout.storeRequests, .storeReplies, .consoleInput, .consoleOutput])
        let ring = ByteRing(page, layout)
        while !reader.isAtEnd {
            let before = bytes(memory)
            switch reader.byte() % 4 {
            case 0: page.setWord(at: layout.consumer, to: reader.word())
            case 1: page.setWord(at: layout.producer, to: reader.word())
            case 2:
                var taken: [UInt8] = []
                let limit = Int(reader.byte()) * 16
                if let count = try? ring.read(into: &taken, limit: limit) {
                    precondition(count == taken.count && count <= min(limit, layout.byteCount), "a read returns what it says")
                }
            default:
                let piece = reader.bytes(Int(reader.byte()))
                if let count = try? ring.write(piece[...]) { precondition(count <= piece.count, "a write takes what there is") }
            }
            checkSurroundings(before, bytes(memory), layout)
        }
    }

    private static func bytes(_ memory: GuestMemory) -> [UInt8] {
        (try? memory.bytes(GuestPhysicalAddress(GuestFrameNumber(1)), count: GuestMemory.pageSize)) ?? []
    }

    /// Only the buffer and its two indices may change.
    private static func checkSurroundings(_ before: [UInt8], _ after: [UInt8], _ layout: ByteRingLayout) {
        let own = [
            layout.buffer..<layout.buffer + layout.byteCount, layout.consumer..<layout.consumer + 4, layout.producer..<layout.producer + 4,
        ]
        for offset in before.indices where before[offset] != after[offset] {
            precondition(own.contains { $0.contains(offset) }, "byte \(offset) of the page is not the ring's")
        }
    }

    static var seeds: [[UInt8]] {
        let edge: [UInt8] = [0, 0xff, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0xff]
        return [
            [0, 3, 5, 1, 2, 3, 4, 5, 2, 1], [2] + edge + [3, 4, 1, 2, 3, 4, 2, 255], [1, 0, 0, 0, 0, 0, 1, 1, 4, 0, 0, 2, 1],
            [3, 1, 0, 8, 0, 0, 2, 255],
        ]
    }
}

/// The ring of requests and responses that disks and network interfaces use.
enum RequestRingFuzz {
    static func run(_ input: [UInt8]) {
        guard let guest = FuzzGuest(pageCount: 4) else { preconditionFailure("four pages are to be had") }
        var reader = FuzzReader(input)
        let pageCount = reader.pick([1, 2, 4])
        let entryByteCount = reader.pick([12, 16, 64, 112])
        guard let first = try? SharedPage(guest.memory, GuestFrameNumber(0)) else { preconditionFailure("the page is there") }
        first.setWord(at: 8, to: reader.word())
        let pages = (0..<pageCount).map { number in
            do { return try GrantedPage(guest, UInt32(number), readOnly: false) } catch { preconditionFailure("the page is granted") }
        }
        var ring = BackRing(pages: pages, entryByteCount: entryByteCount)
        while !reader.isAtEnd {
            switch reader.byte() % 5 {
            case 0: first.setWord(at: reader.pick([0, 4, 8, 12]), to: reader.word())
            case 1: first.setWord(at: 0, to: first.word(at: 8) &+ UInt32(reader.byte()))
            case 2: take(&ring, entryByteCount)
            case 3:
                if ring.owedResponseCount > 0 {
                    let entry = [UInt8](repeating: reader.byte(), count: entryByteCount)
                    unsafe entry.withUnsafeBytes { unsafe ring.putResponse($0) }
                }
                _ = ring.publishResponses()
            default: _ = try? ring.awaitRequests()
            }
            precondition(ring.owedResponseCount <= ring.entryCount, "no more is owed than there is room for")
        }
    }

    private static func take(_ ring: inout BackRing, _ byteCount: Int) {
        var entry = [UInt8](repeating: 0xa5, count: byteCount + 8)
        let took = unsafe entry.withUnsafeMutableBytes { buffer in
            (try? unsafe ring.takeRequest(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<byteCount]))) ?? false
        }
        precondition(entry.suffix(8).allSatisfy { $0 == 0xa5 }, "a request stays in its buffer")
        if let waiting = try? ring.waitingRequestCount() {
            precondition(waiting <= ring.entryCount, "no more waits than there is room for")
        }
        if !took { precondition(entry.allSatisfy { $0 == 0xa5 }, "nothing is copied where nothing waits") }
    }

    static var seeds: [[UInt8]] {
        [
            [0, 0, 0, 0, 0, 0, 1, 3, 2, 2, 3, 7, 3, 8, 4], [1, 3, 0xff, 0xff, 0xff, 0xff, 1, 5, 2, 2, 3, 1],
            [2, 2, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 2, 4],
        ]
    }
}

/// A guest whose pages are granted by their own numbers.
private final class FuzzGuest: GuestAccess {
    let domainID: UInt16 = 1
    let memory: GuestMemory

    init?(pageCount: Int) {
        guard let memory = try? GuestMemory(poolPageCount: pageCount), (try? memory.populate(GuestFrameNumber(0), count: pageCount)) != nil
        else { return nil }
        self.memory = memory
    }

    func acquireGrant(_ reference: UInt32, readOnly: Bool) throws(GrantStatus) -> FrameIndex {
        guard let (frame, _) = memory.lookup(GuestFrameNumber(UInt64(reference))) else { throw .badReference }
        return frame
    }

    func releaseGrant(_ reference: UInt32, frame: FrameIndex, readOnly: Bool) {}
    func bindEventChannel(_ port: UInt32, handler: @escaping @Sendable () -> Void) throws(XenError) { throw .invalidArgument }
    func unbindEventChannel(_ port: UInt32) {}
    func notify(_ port: UInt32) {}
}
