internal import GuestMemory
internal import Synchronization

/// The pages of a ring with requests and responses, as the backend sees them: page after page, whole entries that may cross from one
/// page into the next.
///
///     req_prod 0 | req_event 4 | rsp_prod 8 | rsp_event 12 | private to 63 | entries from 64
///
/// Reference: Xen `public/io/ring.h`, `DEFINE_RING_TYPES`.
@safe
final class RingPages: Sendable {
    private let pages: [GrantedPage]
    private let memory: GuestMemory

    var byteCount: Int { pages.count * GuestMemory.pageSize }

    init(_ pages: [GrantedPage]) {
        precondition(!pages.isEmpty && pages.allSatisfy { !$0.isReadOnly }, "a ring has writable pages")
        self.pages = pages
        memory = pages[0].memory
    }

    func word(at offset: Int) -> UInt32 { unsafe atomic(offset).pointee.load(ordering: .sequentiallyConsistent) }

    func setWord(at offset: Int, to value: UInt32) {
        unsafe atomic(offset).pointee.store(value, ordering: .sequentiallyConsistent)
        memory.noteWrite(pages[0].frame, offset: offset, byteCount: 4)
    }

    /// Copies bytes out, each read once.
    func copy(from offset: Int, into target: UnsafeMutableRawBufferPointer) {
        var done = 0
        while done < target.count {
            let (page, start) = (offset + done).quotientAndRemainder(dividingBy: GuestMemory.pageSize)
            let count = min(target.count - done, GuestMemory.pageSize - start)
            // SAFETY: the range lies in a page that is in use as long as this object.
            unsafe (target.baseAddress! + done).copyMemory(from: memory.unsafePointer(pages[page].frame) + start, byteCount: count)
            done += count
        }
    }

    func copy(_ source: UnsafeRawBufferPointer, to offset: Int) {
        var done = 0
        while done < source.count {
            let (page, start) = (offset + done).quotientAndRemainder(dividingBy: GuestMemory.pageSize)
            let count = min(source.count - done, GuestMemory.pageSize - start)
            // SAFETY: as above.
            unsafe (memory.unsafePointer(pages[page].frame) + start).copyMemory(from: source.baseAddress! + done, byteCount: count)
            memory.noteWrite(pages[page].frame, offset: start, byteCount: count)
            done += count
        }
    }

    private func atomic(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        // SAFETY: offsets are those of the four indices: aligned, in the first page.
        unsafe (memory.unsafePointer(pages[0].frame) + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
    }
}

/// The backend's half of a shared ring. Indices run free modulo 2^32; each request is copied once.
///
/// A guest can break its indices at any moment: every look at them is checked, and ``BrokenRing`` says that the ring is of no use any
/// more. One thread uses the value at a time.
public struct BackRing: Sendable {
    private let pages: RingPages
    /// Bytes of one entry, the larger of request and response.
    public let entryByteCount: Int
    /// Entries in the ring, a power of two.
    public let entryCount: UInt32
    private var requestConsumer: UInt32
    private var responseProducer: UInt32
    /// The responses the guest was last told of.
    private var publishedProducer: UInt32

    private enum Offset {
        static let requestProducer = 0, requestEvent = 4, responseProducer = 8, responseEvent = 12, entries = 64
    }

    /// Goes on where the ring's responses stand, so that a backend can take over a ring.
    ///
    /// - Parameter pages: 1 or more writable pages, in order. Kept until the value goes.
    public init(pages: [GrantedPage], entryByteCount: Int) {
        self.pages = RingPages(pages)
        self.entryByteCount = entryByteCount
        let room = UInt32((self.pages.byteCount - Offset.entries) / entryByteCount)
        precondition(room > 0, "an entry fits its ring")
        entryCount = 1 << UInt32(UInt32.bitWidth - 1 - room.leadingZeroBitCount)
        responseProducer = self.pages.word(at: Offset.responseProducer)
        requestConsumer = responseProducer
        publishedProducer = responseProducer
    }

    /// Requests that wait.
    ///
    /// - Throws: ``BrokenRing`` when more wait than the ring can hold beside the responses that are owed.
    public func waitingRequestCount() throws(BrokenRing) -> UInt32 {
        let producer = pages.word(at: Offset.requestProducer)
        let waiting = producer &- requestConsumer
        let owed = requestConsumer &- responseProducer
        guard waiting <= entryCount &- owed else { throw BrokenRing(consumer: requestConsumer, producer: producer) }
        return waiting
    }

    /// Copies the next request.
    ///
    /// - Parameter entry: receives at most ``entryByteCount`` bytes.
    /// - Returns: false when none waits.
    /// - Throws: ``BrokenRing``; nothing is consumed then.
    public mutating func takeRequest(into entry: UnsafeMutableRawBufferPointer) throws(BrokenRing) -> Bool {
        guard try waitingRequestCount() > 0 else { return false }
        let size = min(entry.count, entryByteCount)
        unsafe pages.copy(from: place(of: requestConsumer), into: UnsafeMutableRawBufferPointer(rebasing: entry[..<size]))
        requestConsumer &+= 1
        return true
    }

    /// Writes a response, which the guest sees after ``publishResponses()``. There is one response per request taken.
    public mutating func putResponse(_ entry: UnsafeRawBufferPointer) {
        precondition(requestConsumer &- responseProducer > 0, "a response answers a request")
        unsafe pages.copy(UnsafeRawBufferPointer(rebasing: entry[..<min(entry.count, entryByteCount)]), to: place(of: responseProducer))
        responseProducer &+= 1
    }

    /// Shows the guest all responses written so far.
    ///
    /// - Returns: whether it wants an event for them.
    public mutating func publishResponses() -> Bool {
        let old = publishedProducer
        guard responseProducer != old else { return false }
        pages.setWord(at: Offset.responseProducer, to: responseProducer)
        publishedProducer = responseProducer
        let event = pages.word(at: Offset.responseEvent)
        return responseProducer &- event < responseProducer &- old
    }

    /// Asks for an event with the next request beyond the `count` that wait, and looks once more.
    ///
    /// - Returns: whether more than those wait already.
    /// - Throws: ``BrokenRing``.
    public func awaitRequests(moreThan count: UInt32 = 0) throws(BrokenRing) -> Bool {
        if try waitingRequestCount() > count { return true }
        pages.setWord(at: Offset.requestEvent, to: requestConsumer &+ count &+ 1)
        return try waitingRequestCount() > count
    }

    /// Requests taken and not answered.
    public var owedResponseCount: UInt32 { requestConsumer &- responseProducer }

    private func place(of index: UInt32) -> Int { Offset.entries + Int(index & (entryCount - 1)) * entryByteCount }
}
