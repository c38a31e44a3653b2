/// What is wrong with the specification of one device, in the words of an operator.
public struct SpecificationError: Error, Equatable, Sendable {
    /// One line that names the parameter and its value.
    public var cause: String
    /// One line that says what to write instead.
    public var remedy: String

    public init(_ cause: String, remedy: String) {
        self.cause = cause
        self.remedy = remedy
    }
}

/// Something about a device that is sound but has a consequence: the device is refused, or only partly obeyed.
public struct SpecificationConcern: Equatable, Sendable {
    /// A refusal keeps the guest (or the device) from being created; a warning and a note do not.
    public var severity: ConfigDiagnostic.Severity
    public var cause: String
    public var remedy: String
    /// The exit code of a refusal, as xl has it.
    public var exitCode: Int32

    init(_ severity: ConfigDiagnostic.Severity, _ cause: String, remedy: String, exitCode: Int32 = ConfigDiagnostic.failed) {
        self.severity = severity
        self.cause = cause
        self.remedy = remedy
        self.exitCode = exitCode
    }

    static func refusal(_ cause: String, remedy: String, exitCode: Int32 = ConfigDiagnostic.failed) -> SpecificationConcern {
        SpecificationConcern(.refusal, cause, remedy: remedy, exitCode: exitCode)
    }

    static func warning(_ cause: String, remedy: String) -> SpecificationConcern {
        SpecificationConcern(.warning, cause, remedy: remedy)
    }
}

extension StringProtocol {
    /// Without the blanks around it.
    var trimmed: Substring {
        let isBlank = { (character: Character) in character == " " || character == "\t" || character.isNewline }
        var text = Substring(self).drop(while: isBlank)
        while let last = text.last, isBlank(last) { text.removeLast() }
        return text
    }
}
