public import ControlProtocol

/// Sizes of memory as the operator writes them.
public enum MemorySize {
    /// A number with an optional unit: b, k, m, g or t for bytes to TiB; MiB when there is none. Decimal, 0x… or 0… (octal).
    ///
    /// - Returns: KiB; bytes are rounded down.
    /// - Throws: an error of usage for anything else.
    public static func kib(_ text: String) throws(OperatorError) -> UInt64 {
        let factors: [Character: UInt64] = ["k": 1, "m": 1 << 10, "g": 1 << 20, "t": 1 << 30]
        var digits = Substring(text)
        guard let last = digits.last else { throw refusal(text) }
        let unit = Character(last.lowercased())
        if unit == "b" || factors[unit] != nil { digits.removeLast() }
        guard let number = parse(digits) else { throw refusal(text) }
        if unit == "b" && digits.count < text.count { return number / 1024 }
        let (kib, overflow) = number.multipliedReportingOverflow(by: digits.count < text.count ? factors[unit] ?? 1024 : 1024)
        guard !overflow, kib < 1 << 44 else { throw refusal(text) }
        return kib
    }

    private static func parse(_ digits: Substring) -> UInt64? {
        if digits.hasPrefix("0x") || digits.hasPrefix("0X") { return UInt64(digits.dropFirst(2), radix: 16) }
        guard digits.first?.isNumber == true else { return nil }
        return digits.count > 1 && digits.first == "0" ? UInt64(digits, radix: 8) : UInt64(digits)
    }

    private static func refusal(_ text: String) -> OperatorError {
        OperatorError(
            "\"\(text)\" is no size of memory", remedy: "write a number of MiB, or a number with one of the units b, k, m, g and t: 2g")
    }
}
