import Glibc

/// Colours for words on a terminal; plain text everywhere else, and where `NO_COLOR` is set (https://no-color.org).
struct Palette {
    var isColourful: Bool

    static let errors = Palette(descriptor: 2)
    static let output = Palette(descriptor: 1)

    init(isColourful: Bool) { self.isColourful = isColourful }

    init(descriptor: Int32) {
        let refusal = unsafe getenv("NO_COLOR").map { unsafe $0.pointee != 0 } ?? false
        isColourful = !refusal && Self.isTerminal(descriptor)
    }

    /// Whether a terminal that understands escapes is there.
    static func isTerminal(_ descriptor: Int32) -> Bool {
        guard isatty(descriptor) == 1, let kind = unsafe getenv("TERM") else { return false }
        return unsafe !["", "dumb"].contains(String(cString: kind))
    }

    func error(_ text: String) -> String { painted(text, "1;31") }
    func warning(_ text: String) -> String { painted(text, "1;33") }
    func hint(_ text: String) -> String { painted(text, "2") }

    private func painted(_ text: String, _ code: String) -> String { isColourful ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text }
}
