/// Why a guest cannot be built: one line for the cause, one for the way out. Nothing has been written when it is thrown.
public struct BuildError: Error, Equatable, Sendable, CustomStringConvertible {
    public var cause: String
    public var remedy: String

    public init(cause: String, remedy: String) {
        self.cause = cause
        self.remedy = remedy
    }

    public var description: String { "\(cause)\n\(remedy)" }
}

func hex(_ value: some BinaryInteger) -> String {
    "0x" + String(value, radix: 16)
}
