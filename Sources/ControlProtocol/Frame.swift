internal import FoundationEssentials

/// One message on a control connection: a JSON object on a line of its own.
public enum Frame {
    /// The longest line either side accepts, without its newline.
    public static let maximumByteCount = 65536

    /// The bytes of one message, with its newline.
    ///
    /// - Throws: ``FrameError/tooLong`` when the message does not fit a frame.
    public static func encode(_ message: some Encodable) throws(FrameError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(message) else { throw .malformed("the message cannot be written as JSON") }
        guard data.count <= maximumByteCount else { throw .tooLong }
        return Array(data) + [newline]
    }

    /// The message in one line (without its newline).
    ///
    /// - Throws: ``FrameError/malformed(_:)`` for anything that is not such a message; ``FrameError/tooLong``.
    public static func decode<Message: Decodable>(_ type: Message.Type, from line: [UInt8]) throws(FrameError) -> Message {
        guard line.count <= maximumByteCount else { throw .tooLong }
        do {
            return try JSONDecoder().decode(type, from: Data(line))
        } catch let error as DecodingError {
            throw .malformed(error.sentence)
        } catch {
            throw .malformed("not JSON")
        }
    }

    static let newline = UInt8(ascii: "\n")
}

/// Why a frame was refused.
public enum FrameError: Error, Equatable, Sendable {
    /// More than ``Frame/maximumByteCount`` bytes without a newline.
    case tooLong
    /// Not the expected JSON; the sentence says what was found.
    case malformed(String)
}

/// Cuts a stream of bytes into lines. It never holds more than one frame's worth of an unfinished line.
public struct FrameReader: Sendable {
    private var unfinished: [UInt8] = []
    private var lines: [[UInt8]] = []
    private var nextLine = 0

    public init() {}

    /// Takes bytes as they arrive.
    ///
    /// - Throws: ``FrameError/tooLong`` when a line exceeds the limit; the connection should then be closed.
    public mutating func append(_ bytes: some Sequence<UInt8>) throws(FrameError) {
        for byte in bytes {
            if byte == Frame.newline {
                lines.append(unfinished)
                unfinished.removeAll(keepingCapacity: true)
            } else if unfinished.count == Frame.maximumByteCount {
                throw .tooLong
            } else {
                unfinished.append(byte)
            }
        }
    }

    /// The next complete line, or nil when none has arrived.
    public mutating func next() -> [UInt8]? {
        guard nextLine < lines.count else {
            lines.removeAll(keepingCapacity: true)
            nextLine = 0
            return nil
        }
        defer { nextLine += 1 }
        return lines[nextLine]
    }
}

extension DecodingError {
    /// The fault in a few words, with the place where it was found.
    fileprivate var sentence: String {
        switch self {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            context.debugDescription + context.place
        case .keyNotFound(let key, let context):
            "no \(key.stringValue)" + context.place
        @unknown default:
            "unreadable message"
        }
    }
}

extension DecodingError.Context {
    fileprivate var place: String {
        codingPath.isEmpty ? "" : " at " + codingPath.map(\.stringValue).joined(separator: ".")
    }
}
