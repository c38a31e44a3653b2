import PVRing
import XenBus

/// What a frontend publishes.
public struct FrontendOptions: Sendable {
    public var is32Bit = false
    public var pageOrder: Int?
    public var queueCount = 1
    public var isPersistent = false
    public init(is32Bit: Bool = false, pageOrder: Int? = nil, queueCount: Int = 1, isPersistent: Bool = false) {
        self.is32Bit = is32Bit
        self.pageOrder = pageOrder
        self.queueCount = queueCount
        self.isPersistent = isPersistent
    }
}

/// A frontend of blkif that a test leads by the hand. Offsets are those of Xen's `public/io/blkif.h`, written down once more.
public final class BlockFrontend {
    public struct Segment {
        public var reference: UInt32
        public var first: UInt8
        public var last: UInt8
        public init(_ reference: UInt32, _ first: UInt8 = 0, _ last: UInt8 = 7) {
            (self.reference, self.first, self.last) = (reference, first, last)
        }
    }

    public struct Response: Equatable, Sendable {
        public var id: UInt64
        public var operation: UInt8
        public var status: Int16
        public init(id: UInt64, operation: UInt8, status: Int16) {
            (self.id, self.operation, self.status) = (id, operation, status)
        }
    }

    public struct Ring {
        public var pages: [UInt64]
        public var references: [UInt32]
        public var port: UInt32
        public var produced: UInt32 = 0
        public var consumed: UInt32 = 0

        public init(pages: [UInt64], references: [UInt32], port: UInt32) {
            (self.pages, self.references, self.port) = (pages, references, port)
        }
    }

    public let guest: TestGuest
    public let options: FrontendOptions
    public let device: String
    public var rings: [Ring] = []

    public init(_ guest: TestGuest, id: UInt32, _ options: FrontendOptions = FrontendOptions()) {
        self.guest = guest
        self.options = options
        device = "device/vbd/\(id)"
    }

    public var entryByteCount: Int { options.is32Bit ? 108 : 112 }
    public var entryCount: UInt32 {
        let room = (rings[0].pages.count * 4096 - 64) / entryByteCount
        return UInt32(1 << (Int.bitWidth - 1 - room.leadingZeroBitCount))
    }

    // MARK: - the handshake

    public var backendState: String? { guest.node("\(device)/backend").flatMap { guest.node("\($0)/state") } }
    public func backendNode(_ name: String) -> String? { guest.node("\(device)/backend").flatMap { guest.node("\($0)/\(name)") } }
    public func enter(_ state: Int) throws { try guest.write("\(device)/state", "\(state)") }
    public func waitForBackend(_ state: Int) -> Bool { eventually { backendState == "\(state)" } }

    /// Makes rings and publishes them.
    public func publish() throws {
        rings = (0..<options.queueCount).map { _ in
            let pages = (0..<(1 << (options.pageOrder ?? 0))).map { _ in guest.takePage() }
            return Ring(pages: pages, references: pages.map { guest.grant($0) }, port: guest.makePort())
        }
        try publishNodes()
        try enter(3)
    }

    public func publishNodes() throws {
        for (index, ring) in rings.enumerated() {
            guest.put(UInt32(1), at: ring.pages[0] + 4)
            guest.put(UInt32(1), at: ring.pages[0] + 12)
            let prefix = rings.count == 1 ? device : "\(device)/queue-\(index)"
            for (page, reference) in ring.references.enumerated() {
                try guest.write(options.pageOrder == nil ? "\(prefix)/ring-ref" : "\(prefix)/ring-ref\(page)", "\(reference)")
            }
            try guest.write("\(prefix)/event-channel", "\(ring.port)")
        }
        if rings.count > 1 { try guest.write("\(device)/multi-queue-num-queues", "\(rings.count)") }
        if let order = options.pageOrder { try guest.write("\(device)/ring-page-order", "\(order)") }
        if options.isPersistent { try guest.write("\(device)/feature-persistent", "1") }
        try guest.write("\(device)/protocol", options.is32Bit ? "x86_32-abi" : "x86_64-abi")
    }

    /// From the first look at the device to a connection.
    public func connect() throws -> Bool {
        guard waitForBackend(2) else { return false }
        try publish()
        guard waitForBackend(4) else { return false }
        try enter(4)
        return true
    }

    public func close() throws -> Bool {
        try enter(5)
        try enter(6)
        return waitForBackend(6)
    }

    // MARK: - requests

    private func place(_ index: UInt32, _ ring: Int) -> (Int) -> UInt64 {
        let start = 64 + Int(index & (entryCount - 1)) * entryByteCount
        let pages = rings[ring].pages
        return { offset in pages[(start + offset) / 4096] + UInt64((start + offset) % 4096) }
    }

    /// Writes bytes of an entry, which may cross from one page into the next.
    public func writeEntry(_ bytes: [UInt8], at index: UInt32, ring: Int = 0) {
        let address = place(index, ring)
        for (offset, byte) in bytes.enumerated() { guest.put(byte, at: address(offset)) }
    }

    /// Puts an entry into the ring without telling the backend.
    public func put(_ bytes: [UInt8], ring: Int = 0) {
        writeEntry(bytes, at: rings[ring].produced, ring: ring)
        rings[ring].produced &+= 1
    }

    /// Shows the backend what was put.
    public func push(ring: Int = 0) {
        guest.put(rings[ring].produced, at: rings[ring].pages[0])
        guest.send(rings[ring].port)
    }

    /// The responses that came since the last question.
    public func takeResponses(ring: Int = 0) -> [Response] {
        let produced: UInt32 = guest.get(rings[ring].pages[0] + 8)
        var responses: [Response] = []
        while rings[ring].consumed != produced {
            let address = place(rings[ring].consumed, ring)
            let bytes = (0..<12).map { guest.get(address($0), as: UInt8.self) }
            let id = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[$1]) << UInt64($1 * 8) }
            responses.append(Response(id: id, operation: bytes[8], status: Int16(bytes[10]) | Int16(bitPattern: UInt16(bytes[11]) << 8)))
            rings[ring].consumed &+= 1
        }
        guest.put(rings[ring].consumed &+ 1, at: rings[ring].pages[0] + 12)
        return responses
    }

    /// Waits for so many responses; gives up after many seconds with what there is.
    public func waitForResponses(_ count: Int, ring: Int = 0) -> [Response] {
        var responses: [Response] = []
        _ = eventually {
            responses += takeResponses(ring: ring)
            return responses.count >= count
        }
        return responses
    }

    /// Sends one request and waits for its response.
    public func ask(_ bytes: [UInt8], ring: Int = 0) -> Response? {
        put(bytes, ring: ring)
        push(ring: ring)
        return waitForResponses(1, ring: ring).first
    }

    // MARK: - entries

    public func request(_ operation: UInt8, id: UInt64, sector: UInt64, _ segments: [Segment] = [], count: UInt8? = nil) -> [UInt8] {
        var entry = Entry(entryByteCount, shift: options.is32Bit ? 4 : 0)
        entry.set(0, operation)
        entry.set(1, count ?? UInt8(truncatingIfNeeded: segments.count))
        entry.set(8, id)
        entry.set(16, sector)
        for (index, segment) in segments.prefix(11).enumerated() {
            entry.set(24 + index * 8, segment.reference)
            entry.set(28 + index * 8, segment.first)
            entry.set(29 + index * 8, segment.last)
        }
        return entry.bytes
    }

    public func discard(id: UInt64, sector: UInt64, count: UInt64, flags: UInt8 = 0) -> [UInt8] {
        var entry = Entry(entryByteCount, shift: options.is32Bit ? 4 : 0)
        entry.set(0, UInt8(5))
        entry.set(1, flags)
        entry.set(8, id)
        entry.set(16, sector)
        entry.set(24, count)
        return entry.bytes
    }

    /// - Parameter list: a page of the guest's that the segments are written into, and its grant.
    public func indirect(
        _ operation: UInt8, id: UInt64, sector: UInt64, _ segments: [Segment], list: (address: UInt64, reference: UInt32),
        count: UInt16? = nil
    ) -> [UInt8] {
        for (index, segment) in segments.prefix(512).enumerated() {
            guest.put(segment.reference, at: list.address + UInt64(index * 8))
            guest.put(segment.first, at: list.address + UInt64(index * 8 + 4))
            guest.put(segment.last, at: list.address + UInt64(index * 8 + 5))
        }
        var entry = Entry(entryByteCount, shift: options.is32Bit ? 4 : 0)
        entry.set(0, UInt8(6))
        entry.set(1, operation)
        entry.set(2, count ?? UInt16(truncatingIfNeeded: segments.count))
        entry.set(8, id)
        entry.set(16, sector)
        entry.set(28, list.reference)
        return entry.bytes
    }

    private struct Entry {
        var bytes: [UInt8]
        let shift: Int

        init(_ count: Int, shift: Int) {
            bytes = [UInt8](repeating: 0, count: count)
            self.shift = shift
        }

        /// - Parameter offset: in the 64-bit layout; what comes after the padding lies 4 bytes lower in the other.
        mutating func set<T: FixedWidthInteger>(_ offset: Int, _ value: T) {
            let start = offset >= 8 ? offset - shift : offset
            for index in 0..<(T.bitWidth / 8) { bytes[start + index] = UInt8(truncatingIfNeeded: value >> T(index * 8)) }
        }
    }
}
