/// Reads settings in the shapes their keys have, and collects what is wrong.
///
/// Where xl drops a value of the wrong shape with a warning and goes on with the default, this reader reports an error: the guest
/// would be another one than its author meant.
struct ConfigReader {
    let settings: ConfigSettings
    private(set) var diagnostics: [ConfigDiagnostic] = []
    /// How bad a value of the wrong shape is: only a warning where nothing depends on it.
    var misshapen = ConfigDiagnostic.Severity.error

    init(_ settings: ConfigSettings) { self.settings = settings }

    func place(_ name: String) -> ConfigPlace? { settings[name]?.place }

    mutating func report(_ severity: ConfigDiagnostic.Severity, _ name: String, _ cause: String, remedy: String = "") {
        diagnostics.append(ConfigDiagnostic(severity, at: place(name), cause, remedy: remedy))
    }

    mutating func report(
        _ severity: ConfigDiagnostic.Severity, at place: ConfigPlace, _ cause: String, remedy: String,
        exitCode: Int32 = ConfigDiagnostic.failed
    ) {
        diagnostics.append(ConfigDiagnostic(severity, at: place, cause, remedy: remedy, exitCode: exitCode))
    }

    /// This guest cannot be started.
    mutating func refuse(_ name: String, _ cause: String, remedy: String, exitCode: Int32) {
        diagnostics.append(ConfigDiagnostic(.refusal, at: place(name), cause, remedy: remedy, exitCode: exitCode))
    }

    mutating func string(_ name: String) -> String? {
        guard let setting = settings[name] else { return nil }
        if let text = setting.value.text { return text }
        report(misshapen, name, "`\(name)' is a list but should be a single value", remedy: "write \(name) = \"...\"")
        return nil
    }

    /// An integer in C's notation: decimal, 0x hexadecimal, 0 octal; in quotes it may have a sign.
    mutating func integer(_ name: String, _ range: ClosedRange<Int64>, example: String) -> Int64? {
        guard let text = string(name) else { return nil }
        if case .atom(_, joined: true)? = settings[name]?.value {
            report(misshapen, name, "`\(name)' is a number, += does not add to it", remedy: "write \(example)")
            return nil
        }
        switch CInteger.parse(text) {
        case .value(let value) where range.contains(value): return value
        case .value(let value):
            let bound = value < range.lowerBound ? "smaller than \(range.lowerBound)" : "greater than \(range.upperBound)"
            report(misshapen, name, "`\(name)' is \(value), \(bound)", remedy: "write \(example)")
        case .outOfRange: report(misshapen, name, "`\(name)' is \(text), which no integer can hold", remedy: "write \(example)")
        case .notANumber: report(misshapen, name, "`\(name)' is \"\(text)\", which is not a valid number", remedy: "write \(example)")
        }
        return nil
    }

    /// A boolean is an integer: anything but zero is true.
    mutating func boolean(_ name: String) -> Bool? {
        integer(name, .min ... .max, example: "\(name)=1 or \(name)=0").map { $0 != 0 }
    }

    /// A list of specification strings, each with its place.
    mutating func strings(_ name: String) -> [(text: String, place: ConfigPlace)] {
        guard let setting = settings[name] else { return [] }
        guard case .list(let elements) = setting.value else {
            report(misshapen, name, "`\(name)' is a single value but should be a list", remedy: "write \(name) = [ \"...\" ]")
            return []
        }
        var texts: [(text: String, place: ConfigPlace)] = []
        for (index, element) in elements.enumerated() {
            let place = setting.place(ofElement: index)
            if let text = element.text {
                texts.append((text, place))
            } else {
                report(.error, at: place, "`\(name)' holds a list where a string belongs", remedy: "write \(name) = [ \"...\" ]")
            }
        }
        return texts
    }

    /// One of a few words, or, as xl once took it, the word's number.
    mutating func choice(_ name: String, _ words: [String]) -> Int? {
        guard let text = string(name) else { return nil }
        if let index = words.firstIndex(of: text) { return index }
        if case .value(let number) = CInteger.parse(text), words.indices.contains(Int(clamping: number)) {
            let word = words[Int(clamping: number)]
            report(.warning, name, "a number for `\(name)' is deprecated", remedy: "write \(name)=\"\(word)\"")
            return Int(clamping: number)
        }
        report(.error, name, "`\(name)' has the unknown value \"\(text)\"", remedy: "it is one of " + words.joined(separator: ", "))
        return nil
    }
}

/// Integers as C's `strtol` with base 0 reads them.
enum CInteger {
    enum Result: Equatable {
        case value(Int64)
        case outOfRange
        case notANumber
    }

    static func parse(_ text: String) -> Result {
        var digits = Substring(text.drop { $0 == " " || $0 == "\t" || $0 == "\n" })
        let negative = digits.first == "-"
        if negative || digits.first == "+" { digits.removeFirst() }
        var radix = 10
        if digits.hasPrefix("0x") || digits.hasPrefix("0X") {
            radix = 16
            digits.removeFirst(2)
        } else if digits.hasPrefix("0") {
            radix = 8
        }
        guard !digits.isEmpty, digits.utf8.allSatisfy({ isDigit($0, radix) }) else { return .notANumber }
        guard let value = Int64((negative ? "-" : "") + digits, radix: radix) else { return .outOfRange }
        return .value(value)
    }

    private static func isDigit(_ byte: UInt8, _ radix: Int) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0")) < radix
        case UInt8(ascii: "a")...UInt8(ascii: "f"), UInt8(ascii: "A")...UInt8(ascii: "F"): radix == 16
        default: false
        }
    }
}
