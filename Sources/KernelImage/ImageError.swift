/// Why a file is not a kernel that can be loaded: one line for the cause, one for the way out.
public struct ImageError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file as the operator named it, followed by the layer when the fault is inside something unpacked.
    public var file: String
    /// Byte offset of the fault in `file` (in the unpacked layer when `file` names one); nil when no single place is at fault.
    public var offset: Int?
    /// What is wrong there, without a full stop.
    public var cause: String
    /// What to do about it, without a full stop.
    public var remedy: String

    public init(file: String, offset: Int? = nil, cause: String, remedy: String) {
        self.file = file
        self.offset = offset
        self.cause = cause
        self.remedy = remedy
    }

    /// First line: file, offset, cause.
    public var headline: String {
        guard let offset else { return "\(file): \(cause)" }
        return "\(file): at byte \(hex(offset)): \(cause)"
    }

    /// Two lines: the headline and the remedy.
    public var description: String { "\(headline)\n\(remedy)" }
}

/// The remedy for a file whose bytes contradict one another.
let damagedRemedy = "The file is damaged or incomplete; copy or install it again"

/// `0x` and lower-case digits.
func hex(_ value: some BinaryInteger) -> String {
    "0x" + String(value, radix: 16)
}
