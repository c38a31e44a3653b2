/// One thing the configuration's reader wants to tell its author.
public struct ConfigDiagnostic: Error, Equatable, Sendable {
    public enum Severity: Equatable, Sendable {
        /// Worth saying to somebody who asks for details.
        case note
        /// The guest starts all the same.
        case warning
        /// The configuration is sound, but this version cannot start such a guest. A dry run tolerates it.
        case refusal
        /// The configuration is wrong; nothing can be done with it.
        case error
    }

    public var severity: Severity
    public var place: ConfigPlace?
    /// One line that names the key and the value at fault.
    public var cause: String
    /// One line that says what to write instead; may be empty.
    public var remedy: String
    /// What `create` exits with for a refusal: as xl, minus libxl's error. A configuration that is wrong is always 1.
    public var exitCode: Int32

    /// Exit codes of refusals: xl's own judgement, libxl's ERROR_FAIL and ERROR_INVAL.
    public static let failed: Int32 = 1
    public static let creationFailed: Int32 = 3
    public static let invalid: Int32 = 6

    public init(_ severity: Severity, at place: ConfigPlace?, _ cause: String, remedy: String = "", exitCode: Int32 = Self.failed) {
        self.severity = severity
        self.place = place
        self.cause = cause
        self.remedy = remedy
        self.exitCode = exitCode
    }

    /// The cause with its place in front: "guest.cfg:4: …".
    public var line: String { (place.map { "\($0): " } ?? "") + cause }
}

/// Where a setting stands.
public struct ConfigPlace: Equatable, Sendable, CustomStringConvertible {
    /// A file name, or "command line".
    public var source: String
    /// Counted from 1; nil for assignments on the command line.
    public var line: Int?

    public init(source: String, line: Int?) {
        self.source = source
        self.line = line
    }

    public var description: String { line.map { "\(source):\($0)" } ?? source }
}
