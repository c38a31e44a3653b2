/// A failure the operator can understand and act on.
///
/// It crosses process borders as JSON, and `martlet` prints it in one place: `cause` on the first line, `remedy` on the second.
public struct OperatorError: Error, Codable, Equatable, Sendable {
    /// One line that names the thing at fault: file, line, key, value.
    public var cause: String
    /// One line that says what to do; empty when nothing can be advised.
    public var remedy: String
    /// The exit code of the command that fails for this reason.
    public var code: ExitCode

    public init(_ cause: String, remedy: String = "", code: ExitCode = .failure) {
        self.cause = cause
        self.remedy = remedy
        self.code = code
    }
}

/// The exit codes of `martlet`. Those below 30 follow `xl` (for `create`: minus the libxl error).
public enum ExitCode: Int32, Codable, CaseIterable, Sendable {
    case success = 0
    /// A general failure, and every error in a configuration.
    case failure = 1
    /// Wrong use of the command line.
    case usage = 2
    /// The guest could not be created (libxl's ERROR_FAIL).
    case creationFailed = 3
    /// The machine cannot give the guest the memory it asks for (ERROR_NOMEM).
    case noMemory = 5
    /// The guest's description is not acceptable (ERROR_INVAL).
    case invalid = 6
    /// The guest crashed while its creator waited for its end.
    case guestCrashed = 30
    /// The guest's process ended without saying why while somebody waited for the guest's end.
    case guestProcessLost = 31
    /// `--timeout` destroyed the guest.
    case timeout = 124
}
