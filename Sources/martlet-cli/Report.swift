import Glibc
import Martlet

/// Everything this program says on standard error.
enum Report {
    /// First the cause, then what to do.
    static func print(_ error: OperatorError) {
        line(error.cause, Palette.errors.error)
        if !error.remedy.isEmpty { line("  " + error.remedy, Palette.errors.hint) }
    }

    /// The same for what does not keep the work from being done.
    static func warn(_ error: OperatorError) {
        line("warning: " + error.cause, Palette.errors.warning)
        if !error.remedy.isEmpty { line("  " + error.remedy, Palette.errors.hint) }
    }

    /// A diagnostic of a configuration; notes only for those who ask.
    static func print(_ diagnostic: ConfigDiagnostic) {
        if diagnostic.severity == .note, !Invocation.current.isVerbose { return }
        let place = diagnostic.place.map { "\($0): " } ?? ""
        let word =
            switch diagnostic.severity {
            case .note: "note: "
            case .warning: "warning: "
            case .refusal, .error: ""
            }
        let isSerious = diagnostic.severity == .refusal || diagnostic.severity == .error
        line(place + word + diagnostic.cause, isSerious ? Palette.errors.error : Palette.errors.warning)
        if !diagnostic.remedy.isEmpty { line("  " + diagnostic.remedy, Palette.errors.hint) }
    }

    /// Tells somebody at a terminal how to get away again.
    static func announceConsole(of name: String, escape: String = "^]") {
        if isatty(0) == 1 { line("Console of \(name); \(escape == "^]" ? "Ctrl-]" : escape) leaves it.") }
    }

    /// One line. What would move the cursor or worse is shown as an escape: texts come from files and from guests' processes.
    static func line(_ text: String, _ paint: (String) -> String = { $0 }) {
        let start = Invocation.current.showsTimes ? "\(UptimeListing.clock) [\(getpid())] " : ""
        let bytes = Array((start + paint(text.unicodeScalars.map(visible).joined()) + "\n").utf8)
        _ = unsafe write(2, bytes, bytes.count)
    }

    private static func visible(_ scalar: Unicode.Scalar) -> String {
        scalar.value < 32 || (127...159).contains(scalar.value) ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
    }
}
