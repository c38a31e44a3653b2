internal import FoundationEssentials

extension GuestDescription {
    /// The text of `guest.json`.
    public func json() -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(self) else { preconditionFailure("a guest description is always representable as JSON") }
        return Array(data) + [Frame.newline]
    }

    /// Reads `guest.json`.
    ///
    /// - Throws: ``FrameError/malformed(_:)`` when the text is no guest description of ``currentVersion``; ``FrameError/tooLong``.
    public init(json: [UInt8]) throws(FrameError) {
        let description = try Frame.decode(GuestDescription.self, from: json)
        guard description.version == Self.currentVersion else {
            throw .malformed("guest description version \(description.version), expected \(Self.currentVersion)")
        }
        self = description
    }
}
