/// One xenstore message: a request, a reply or a watch event.
///
///     bytes  0...3 type   4...7 request id   8...11 transaction id   12...15 payload length   16... payload
///
/// All fields are little-endian. Reference: Xen `public/io/xs_wire.h`, `struct xsd_sockmsg`.
public struct Packet: Hashable, Sendable {
    public static let headerByteCount = 16
    /// The most payload one message may carry. A peer that announces more is cut off.
    public static let maximumPayloadByteCount = 4096

    /// A ``MessageType`` raw value, or whatever a sloppy peer sent.
    public var type: UInt32
    /// Chosen by the requester and returned in the reply; 0 in watch events.
    public var requestID: UInt32
    /// 0 outside a transaction.
    public var transactionID: UInt32
    public var payload: [UInt8]

    public init(type: UInt32, requestID: UInt32 = 0, transactionID: UInt32 = 0, payload: [UInt8] = []) {
        self.type = type
        self.requestID = requestID
        self.transactionID = transactionID
        self.payload = payload
    }

    public init(_ type: MessageType, requestID: UInt32 = 0, transactionID: UInt32 = 0, payload: [UInt8] = []) {
        self.init(type: type.rawValue, requestID: requestID, transactionID: transactionID, payload: payload)
    }

    /// Appends header and payload to `bytes`.
    ///
    /// - Precondition: the payload is at most ``maximumPayloadByteCount`` bytes.
    public func encode(into bytes: inout [UInt8]) {
        precondition(payload.count <= Self.maximumPayloadByteCount, "a xenstore payload has at most 4096 bytes")
        Self.append(type, to: &bytes)
        Self.append(requestID, to: &bytes)
        Self.append(transactionID, to: &bytes)
        Self.append(UInt32(payload.count), to: &bytes)
        bytes.append(contentsOf: payload)
    }

    private static func append(_ word: UInt32, to bytes: inout [UInt8]) {
        bytes.append(UInt8(truncatingIfNeeded: word))
        bytes.append(UInt8(truncatingIfNeeded: word &>> 8))
        bytes.append(UInt8(truncatingIfNeeded: word &>> 16))
        bytes.append(UInt8(truncatingIfNeeded: word &>> 24))
    }

    public var encoded: [UInt8] {
        var bytes: [UInt8] = []
        encode(into: &bytes)
        return bytes
    }
}

/// A peer broke the framing: what it sends from here on cannot be understood.
public enum PacketError: Error, Hashable, Sendable {
    /// The header announces more than ``Packet/maximumPayloadByteCount`` bytes.
    case payloadTooLong(UInt32)
}

/// Cuts a byte stream into packets; holds at most one incomplete packet beside what was appended at once.
public struct PacketAssembler: Sendable {
    private var bytes: [UInt8] = []
    private var start = 0

    public init() {}

    /// Bytes that wait for the rest of their packet, or for ``next()``.
    public var pendingByteCount: Int { bytes.count - start }

    public mutating func append(_ more: some Sequence<UInt8>) {
        if start > 0 {
            bytes.removeFirst(start)
            start = 0
        }
        bytes.append(contentsOf: more)
    }

    /// The next complete packet, nil when more bytes are needed.
    ///
    /// - Throws: ``PacketError/payloadTooLong(_:)``; the stream is useless then, and the same error comes again.
    public mutating func next() throws(PacketError) -> Packet? {
        guard pendingByteCount >= Packet.headerByteCount else { return nil }
        let length = word(at: 12)
        guard length <= UInt32(Packet.maximumPayloadByteCount) else { throw .payloadTooLong(length) }
        let end = start + Packet.headerByteCount + Int(length)
        guard bytes.count >= end else { return nil }
        let packet = Packet(
            type: word(at: 0), requestID: word(at: 4), transactionID: word(at: 8),
            payload: Array(bytes[(start + Packet.headerByteCount)..<end]))
        start = end
        if start == bytes.count { removeAll() }
        return packet
    }

    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        start = 0
    }

    private func word(at offset: Int) -> UInt32 {
        let at = start + offset
        return UInt32(bytes[at]) | UInt32(bytes[at + 1]) << 8 | UInt32(bytes[at + 2]) << 16 | UInt32(bytes[at + 3]) << 24
    }
}
