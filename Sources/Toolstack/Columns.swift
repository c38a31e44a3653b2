/// Text in columns.
enum Columns {
    static func left(_ text: String, _ width: Int) -> String { text + padding(text, width) }
    static func right(_ text: String, _ width: Int) -> String { padding(text, width) + text }

    /// A number with one decimal.
    static func tenths(_ value: Double) -> String {
        guard value.isFinite, abs(value) < 1e15 else { return "-" }
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(abs(tenths % 10))"
    }

    private static func padding(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.unicodeScalars.count))
    }
}
