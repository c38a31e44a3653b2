internal import XenABI

/// Where one direction of a byte stream lies in its page. `byteCount` is a power of two.
public struct ByteRingLayout: Hashable, Sendable {
    public var buffer: Int
    public var byteCount: Int
    public var consumer: Int
    public var producer: Int

    public static let storeRequests = ByteRingLayout(
        buffer: XenStoreRing.requests, byteCount: XenStoreRing.byteCount, consumer: XenStoreRing.requestConsumer,
        producer: XenStoreRing.requestProducer)
    public static let storeReplies = ByteRingLayout(
        buffer: XenStoreRing.replies, byteCount: XenStoreRing.byteCount, consumer: XenStoreRing.replyConsumer,
        producer: XenStoreRing.replyProducer)
    /// Reference: Xen `public/io/console.h`, `struct xencons_interface`. "in" goes to the guest.
    public static let consoleInput = ByteRingLayout(buffer: 0, byteCount: 1024, consumer: 3072, producer: 3076)
    public static let consoleOutput = ByteRingLayout(buffer: 1024, byteCount: 2048, consumer: 3080, producer: 3084)
}

/// The indices in a ring cannot be: more bytes than it holds.
public struct BrokenRing: Error, Hashable, Sendable {
    public var consumer: UInt32
    public var producer: UInt32

    public init(consumer: UInt32, producer: UInt32) {
        self.consumer = consumer
        self.producer = producer
    }
}

/// One direction of a byte stream in a shared page: indices that run free modulo 2^32, and a buffer they are masked into.
///
/// One side produces, the other consumes. Both indices come from a page the guest writes, so each call reads them once,
/// checks `producer - consumer <= byteCount`, and uses its own copy.
public struct ByteRing: Sendable {
    public let page: SharedPage
    public let layout: ByteRingLayout

    public init(_ page: SharedPage, _ layout: ByteRingLayout) {
        self.page = page
        self.layout = layout
    }

    private func indices() throws(BrokenRing) -> (consumer: UInt32, producer: UInt32) {
        let consumer = page.word(at: layout.consumer)
        let producer = page.word(at: layout.producer)
        guard producer &- consumer <= UInt32(layout.byteCount) else { throw BrokenRing(consumer: consumer, producer: producer) }
        return (consumer, producer)
    }

    /// How many bytes wait for the consumer.
    public func readableByteCount() throws(BrokenRing) -> Int {
        let (consumer, producer) = try indices()
        return Int(producer &- consumer)
    }

    /// How many bytes the producer may add.
    public func writableByteCount() throws(BrokenRing) -> Int {
        layout.byteCount - (try readableByteCount())
    }

    /// Consumes up to `limit` bytes and appends them to `bytes`.
    ///
    /// - Returns: how many; 0 when the ring is empty.
    /// - Throws: ``BrokenRing``; nothing is consumed then.
    @discardableResult
    public func read(into bytes: inout [UInt8], limit: Int = .max) throws(BrokenRing) -> Int {
        let (consumer, producer) = try indices()
        let count = min(Int(producer &- consumer), limit)
        guard count > 0 else { return 0 }
        let offset = Int(consumer) & (layout.byteCount - 1)
        let first = min(count, layout.byteCount - offset)
        append(layout.buffer + offset, first, to: &bytes)
        append(layout.buffer, count - first, to: &bytes)
        page.setWord(at: layout.consumer, to: consumer &+ UInt32(count))
        return count
    }

    /// Produces as many of `bytes` as there is room for.
    ///
    /// - Returns: how many.
    /// - Throws: ``BrokenRing``; nothing is written then.
    public func write(_ bytes: ArraySlice<UInt8>) throws(BrokenRing) -> Int {
        let (consumer, producer) = try indices()
        let count = min(layout.byteCount - Int(producer &- consumer), bytes.count)
        guard count > 0 else { return 0 }
        let offset = Int(producer) & (layout.byteCount - 1)
        let first = min(count, layout.byteCount - offset)
        let split = bytes.startIndex + first
        store(bytes[bytes.startIndex..<split], at: layout.buffer + offset)
        store(bytes[split..<(bytes.startIndex + count)], at: layout.buffer)
        page.setWord(at: layout.producer, to: producer &+ UInt32(count))
        return count
    }

    /// Empties the ring by setting both indices to zero.
    public func reset() {
        page.setWord(at: layout.consumer, to: 0)
        page.setWord(at: layout.producer, to: 0)
    }

    private func append(_ offset: Int, _ count: Int, to bytes: inout [UInt8]) {
        guard count > 0 else { return }
        let chunk = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            unsafe page.copy(from: offset, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]))
            initialized = count
        }
        bytes.append(contentsOf: chunk)
    }

    private func store(_ bytes: ArraySlice<UInt8>, at offset: Int) {
        unsafe bytes.withUnsafeBytes { unsafe page.copy($0, to: offset) }
    }
}
